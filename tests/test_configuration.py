"""Every choice of every group composes, and what does not fit is told in words that help."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from poolab.backbones import list_backbones
from poolab.configuration import check_launcher, compose, config_dir, explain
from poolab.configuration.composition import _tell_renamed
from poolab.data import list_data
from poolab.errors import ConfigError
from poolab.pooling import list_pools
from poolab.training.settings import MEASURES, OPTIMIZERS, TRACKERS, check_settings
from poolab.training.tasks import TASKS

GROUPS = ("task", "pooling", "head", "backbone", "data", "optim", "trainer", "tracker", "measure")


LIBRARY = ("alexnet", "densenet121", "mobilenet_v2")  # torchvision's; every other by backbone=torchvision/<name>


NAMED = ("pooling", "head", "backbone", "data", "optim")


def choices(group):
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def presets(group):
    """Choices that are another one of their group with other options."""
    files = ((name, OmegaConf.load(config_dir() / group / f"{name}.yaml")) for name in choices(group))
    return {name: content["defaults"][0] for name, content in files if "name" not in content and "defaults" in content}


def test_a_preset_is_called_after_what_it_presets():
    assert presets("pooling") == {
        "avg_topk_k3": "avg_topk",
        "avg_topk_author": "avg_topk",
        "max_overlap": "max",
        "lp_sum": "lp",
        "sppf": "pixel_pyramid",
    }
    assert compose(["pooling=avg_topk_k3"]) == compose(["pooling=avg_topk", "pooling.k=3"])


def test_each_registry_has_a_file_for_each_name():
    assert set(choices("pooling")) - set(presets("pooling")) == {
        name for role in ("window", "channel", "same") for name in list_pools(role)
    }
    assert set(choices("head")) == {*list_pools("global"), "own"}
    assert set(choices("backbone")) == {*list_backbones(), *LIBRARY}
    assert set(choices("data")) == set(list_data())
    assert set(choices("optim")) == set(OPTIMIZERS)
    assert set(choices("measure")) == set(MEASURES)
    assert set(choices("task")) == set(TASKS)
    assert {"none"} | {name for name in choices("tracker") if name.startswith("wandb_")} == set(choices("tracker"))
    assert {compose([f"tracker={name}"])["tracker"]["name"] for name in choices("tracker")} == set(TRACKERS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_choice_says_in_its_first_line_what_it_is(group):
    for name in choices(group):
        assert (config_dir() / group / f"{name}.yaml").read_text().startswith("# "), name


def test_a_file_has_the_name_of_what_it_chooses():
    for group in ("pooling", "head", "backbone", "data", "optim", "measure"):
        for name in choices(group):
            if name in presets("pooling"):
                continue
            expected = f"torchvision/{name}" if name in LIBRARY else name
            assert OmegaConf.load(config_dir() / group / f"{name}.yaml")["name"] == expected


ROWS = {
    "classification": range(max(len(choices(group)) for group in GROUPS)),  # each choice occurs
    "segmentation": range(max(len(choices(group)) for group in ("optim", "trainer", "tracker", "measure"))),
}


@pytest.mark.parametrize(("row", "task"), [(row, task) for task in TASKS for row in ROWS[task]])
def test_choices_of_all_groups_compose_into_settings_that_are_fine(row, task):
    networks = [*list_backbones(task), *(LIBRARY if task == "classification" else ())]
    fitting = {"task": [task], "backbone": networks, "data": list_data(task)}
    known = {group: choices(group) for group in GROUPS} | fitting
    chosen = {group: names[row % len(names)] for group, names in known.items()}
    config = compose([f"{group}={name}" for group, name in chosen.items()])
    check_settings(config)
    names = {group: config[group]["name"].removeprefix("torchvision/") for group in NAMED}
    chosen["pooling"] = presets("pooling").get(chosen["pooling"], chosen["pooling"])
    assert names == {group: chosen[group] for group in NAMED}
    assert config["task"] == task
    assert config["trainer"]["strategy"] == {"ddp": "ddp"}.get(chosen["trainer"], "auto")


@pytest.mark.parametrize(
    ("overrides", "backbone", "data"),
    [
        (["task=segmentation"], "unet", "shapes"),
        (["backbone=unet", "task=segmentation"], "unet", "shapes"),
        (["task=segmentation", "data=image_mask_folder"], "unet", "image_mask_folder"),
        (["data=image_mask_folder", "task=segmentation"], "unet", "image_mask_folder"),
        (["task=classification"], "keras_cnn", "digits"),
    ],
)
def test_a_task_brings_what_it_needs_and_the_command_line_wins(overrides, backbone, data):
    config = compose(overrides)
    check_settings(config)
    assert (config["backbone"]["name"], config["data"]["name"]) == (backbone, data)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["backbone=unet"], ["backbone=unet is for segmentation", "backbone can be keras_cnn", "task=segmentation"]),
        (["data=shapes"], ["data=shapes is for segmentation", "data can be cifar10", "task=segmentation data=shapes"]),
        (["backbone=unet", "data=shapes"], ["write task=segmentation backbone=unet data=shapes"]),
        (["task=segmentation", "backbone=keras_cnn"], ["backbone=keras_cnn is for classification", "can be unet"]),
        (["task=segmentation", "data=digits"], ["data=digits is for classification", "image_mask_folder, shapes"]),
    ],
)
def test_a_backbone_or_data_set_for_another_task_is_told_before_anything_runs(overrides, words):
    with pytest.raises(ConfigError) as told:
        check_settings(compose(overrides))
    assert all(word in str(told.value) for word in words), told.value


def test_the_command_of_the_issue():
    network = ["pooling=avg_topk", "pooling.k=3", "backbone=resnet20", "data=cifar10"]
    config = compose([*network, "seed=3", "trainer=ddp", "trainer.devices=2"])
    check_settings(config)
    assert config["pooling"] | {"name": "avg_topk", "k": 3, "slots": "all"} == config["pooling"]
    assert (config["backbone"]["name"], config["data"]["name"], config["seed"]) == ("resnet20", "cifar10", 3)
    assert (config["trainer"]["strategy"], config["trainer"]["devices"]) == ("ddp", 2)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "pooling=avgtopk",
            r"^pooling=avgtopk: .*did you mean avg_topk.*can be adapool, adown, aps, avg",
        ),
        ("backbone=resnet", r"^backbone=resnet: .*did you mean resnet20.*keras_cnn"),
        ("backbone=resnet50", r"^backbone=resnet50: there is no such choice; write backbone=torchvision/resnet50"),
        ("backbone=resnetv2_50", r"; write backbone=timm/resnetv2_50; backbone can be"),
        ("pooling=AvgTopKPool2d", r"^pooling=AvgTopKPool2d: .*AvgTopKPool2d is the class, did you mean avg_topk\?"),
        ("head=AvgTopKPool1d", r"^head=AvgTopKPool1d: .* did you mean pooling=avg_topk with dims=1\?"),
        ("pooling=global_avgg", r"^pooling=global_avgg: there is no such choice; did you mean head=global_avg "),
        ("pooling=global_avg", r"^pooling=global_avg: global_avg is a head: write head=global_avg; pooling can be"),
        ("pooling=spp", r"^pooling=spp: spp is a head: write head=spp; pooling can be"),
        ("head=max", r"^head=max: max is no head: write pooling=max; head can be"),
        ("pooling=own", r"^pooling=own: to keep the backbone's own pooling write pooling.name=own"),
        (
            "pooling.k=2",
            r"^pooling.k: .*; k is for pooling=avg_topk or t_max_avg; pooling=max takes no settings of its",
        ),
        ("pooling.slots.x=2", r"^pooling.slots.x: there is no such setting; pooling.slots takes none$"),
        ("optim.learning_rate=1", r"^optim.learning_rate: there is no such setting; optim=adam takes betas, .*lr"),
        ("tracker.nme=1", r"^tracker.nme: .*tracker takes entity, .*those of all its choices"),
        ("sed=1", r"^sed: there is no such setting; did you mean seed"),
        ("trainr=ddp", r"^trainr: there is no such setting; did you mean trainer"),
        ("seed=[", r"\["),
    ],
)
def test_an_override_that_does_not_fit(override, message):
    with pytest.raises(ConfigError, match=message) as told:
        compose([override])
    assert "append" not in str(told.value)


def test_an_unknown_setting_lists_those_of_the_choice():
    every = "and every pooling takes at, ceil_mode, dilation, kernel_size, padding, slots, stride"
    with pytest.raises(ConfigError) as told:
        compose(["pooling.kk=3", "pooling=avg_topk"])
    assert str(told.value) == (
        f"pooling.kk: there is no such setting; did you mean k? pooling=avg_topk takes k, {every}"
    )
    with pytest.raises(ConfigError, match=r"choose with pooling=avg_topk instead of pooling\.name=avg_topk"):
        compose(["pooling.name=avg_topk", "pooling.k=3"])


def test_the_backbones_own_pooling_can_be_chosen():
    check_settings(compose(["pooling.name=own"]))


def test_two_configurations_in_one_process_share_nothing():
    one, two = compose(["seed=1"]), compose([])
    one["pooling"]["name"] = "spoilt"
    assert (two["seed"], two["pooling"]["name"]) == (0, "max")


def test_the_tree_of_a_checkout_lies_at_its_top(pytestconfig):
    assert config_dir() == Path(pytestconfig.rootpath, "conf")


def test_other_faults_keep_their_words():
    assert explain(ValueError("something else\nTo append to your config use +x=1")) == "something else"


@pytest.mark.parametrize(
    ("overrides", "at"),
    [
        (["pooling.at.pool1=lp"], {"pool1": {"name": "lp", "p": 2.0, "norm": "mean", "learnable": False}}),
        (["pooling.at.pool1.name=avg_topk", "pooling.at.pool1.k=3"], {"pool1": {"name": "avg_topk", "k": 3}}),
        (["pooling.at.pool1=avg_topk", "pooling.at.pool1.k=3"], {"pool1": {"name": "avg_topk", "k": 3}}),
        (["pooling.at.pool1.k=3", "pooling.at.pool1=avg_topk"], {"pool1": {"name": "avg_topk", "k": 3}}),
        (["pooling.at.pool1={name:avg_topk,k:3}"], {"pool1": {"name": "avg_topk", "k": 3}}),
        (["pooling.at.pool1={name:avg_topk}", "pooling.at.pool1.k=3"], {"pool1": {"name": "avg_topk", "k": 3}}),
        (["pooling.at.pool1=avg_topk_k3"], {"pool1": {"name": "avg_topk", "k": 3}}),
        (
            ["pooling.at={pool1:avg_topk_k3,pool2:max}"],
            {"pool1": {"name": "avg_topk", "k": 3}, "pool2": {"name": "max"}},
        ),
        (["+pooling.at.pool1=max", "++pooling.at.pool2=max"], {"pool1": {"name": "max"}, "pool2": {"name": "max"}}),
        (["pooling.at.layer1.0.pool=max"], {"layer1.0.pool": {"name": "max"}}),
        (["pooling.at.features.4=avg_topk", "pooling.at.features.4.k=4"], {"features.4": {"name": "avg_topk", "k": 4}}),
        (["pooling.at.pool1=avgg"], {"pool1": {"name": "avgg"}}),  # for the network to refuse
        (["pooling.at.pool1.k=3"], {"pool1.k": 3}),
        (["pooling.at=null"], {}),
    ],
    ids=str,
)
def test_poolings_of_single_slots(overrides, at):
    config = compose(["pooling=softpool", *overrides])
    assert config["pooling"]["at"] == at
    without = compose(["pooling=softpool"])  # nothing is left behind
    assert without["pooling"]["at"] == {}
    assert {**config, "pooling": {**config["pooling"], "at": {}}} == without


def test_a_pooling_at_a_slot_has_the_settings_of_its_choice():
    names = choices("pooling")
    at = compose([f"pooling.at.slot_{name}={name}" for name in names])["pooling"]["at"]
    plain = compose([])["pooling"]
    for name in names:
        assert {**plain, **at[f"slot_{name}"]} == compose([f"pooling={name}"])["pooling"], name


def test_a_launcher_without_its_extra_is_told_before_hydra_looks_for_it(monkeypatch, capsys):
    from importlib import util

    from poolab import cli

    monkeypatch.setattr(util, "find_spec", lambda name: None)
    assert cli.train(["-m", "hydra/launcher=slurm", "pooling=max,avg"]) == 2
    assert 'hydra/launcher=slurm needs the extra `slurm`: pip install "poolab[slurm]"' in capsys.readouterr().err
    check_launcher(["hydra/launcher=basic", "pooling=slurm"])


def test_the_slurm_launcher_has_a_task_for_each_device():
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    words = ["hydra/launcher=slurm", "trainer=ddp", "trainer.devices=4", "trainer.num_nodes=2"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        launcher = hydra_compose("train", overrides=words, return_hydra_config=True).hydra.launcher
    assert (launcher.nodes, launcher.tasks_per_node) == (2, 4)
    assert launcher.additional_parameters["requeue"] is True


@pytest.fixture
def first_notice():
    """The notice of a renamed setting comes once in a process: other tests may have had it."""
    _tell_renamed.cache_clear()
    yield
    _tell_renamed.cache_clear()


@pytest.mark.parametrize("prefix", ["", "++"])
def test_a_setting_is_read_under_its_old_name_with_one_notice(prefix, first_notice, capsys):
    old = ["measure=full", f"{prefix}measure.footprints=false", f"{prefix}measure.footprint_images=8"]
    new = ["measure=full", "measure.gradient_support=false", "measure.gradient_support_images=8"]
    assert compose(old) == compose(old) == compose(new)
    rest = "the next version will not read the old name"
    assert capsys.readouterr().err.splitlines() == [
        f"poolab: measure.footprints is now called measure.gradient_support; {rest}",
        f"poolab: measure.footprint_images is now called measure.gradient_support_images; {rest}",
    ]


def test_an_old_name_is_no_setting_of_another_choice(first_notice):
    with pytest.raises(ConfigError, match=r"measure\.gradient_support: there is no such setting"):
        compose(["measure=costs", "measure.footprints=false"])
