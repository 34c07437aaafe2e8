"""Every setting of conf/ is declared once: its kind, range and unit; what does not fit is told, with no traceback."""

import importlib.util
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from poolab.configuration import compose, config_dir, groups
from poolab.errors import ConfigError
from poolab.pooling.core.options import Option, shown
from poolab.training.settings import check_settings, declared, options_of, setting_faults
from poolab.training.settings.tables import DATA, MEASURES, OPTIMIZERS, OPTIONAL, RECIPES, ROOTS, TRACKERS, TRAINER
from tests.training.test_settings import with_values

GROUPS = [group for group in groups() if group != "task"]
PRESET = {"avg_topk_k3", "wandb_online", "ddp"}  # another choice of their group with other values


def choices(group):
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def chosen(group, choice):
    return ["task=segmentation"] * (choice in ("unet", "shapes", "image_mask_folder")) + [f"{group}={choice}"]


def table_of(group, choice, config):
    """The declarations that a choice of a group has, by their settings; None for a preset, which has another's."""
    if group in ("pooling", "head", "backbone"):
        return None if choice in PRESET else options_of(group, config[group]["name"])
    if group == "trainer":
        return TRAINER
    tables = {"measure": MEASURES, "optim": OPTIMIZERS, "tracker": TRACKERS, "recipe": RECIPES}
    return DATA if group == "data" else tables[group][config[group]["name"]]


def test_each_table_has_a_choice():
    for group, table in (("measure", MEASURES), ("optim", OPTIMIZERS), ("recipe", RECIPES)):
        without_own = {"keras_tutorial", "galanis_2022"}  # they set those of other groups alone
        assert set(table) == set(choices(group)) - without_own
    assert set(TRACKERS) == {"none", "wandb"}


@pytest.mark.parametrize("group", GROUPS)
def test_every_setting_of_every_file_is_declared_and_its_default_fits(group):
    for choice in choices(group):
        config = compose(chosen(group, choice))
        assert setting_faults(config) == []
        if group == "recipe" and group not in config:  # they set those of other groups alone
            continue
        table, optional = table_of(group, choice, config), set(OPTIONAL.get(group, ()))
        if table is not None:  # each declaration belongs to a setting
            assert set(table) - optional == set(config[group]) - {"name"} - optional, (group, choice)
        for key in config[group]:
            option = declared(config, f"{group}.{key}")
            assert key == "name" or isinstance(option, Option), f"{group}.{key} of {choice} has no declaration"
            if key not in ("name", "match_to"):
                assert option.describe() != "another value"
                assert option.fault(config[group][key], None) is None


def test_the_settings_of_the_run_are_declared():
    root = OmegaConf.load(config_dir() / "train.yaml")
    own = {key for key in root if key not in ("defaults", "hydra", *groups())}
    assert own == set(ROOTS)
    assert all(ROOTS[key].fault(root[key], None) is None for key in own)


@pytest.fixture(scope="module")
def plain():
    return compose(["measure=full", "pooling=avg_topk", "head=spp", "backbone=vgg_small"])


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("data__batch_size", 16.0, r"^data\.batch_size must be an int .* \(images\), found 16\.0; write 16$"),
        ("data__batch_size", "16", r"write 16, without quotes"),
        ("data__batch_size", True, r"data\.batch_size must be an int"),
        ("data__batch_size", 10**12, r"from 1 to 65536"),
        ("data__batch_size", 10**5000, r"found an int of more than 4,300 digits"),
        ("data__limit_train", 1e2, r"or null, found 100\.0; write 100$"),
        ("data__flip", "no", r"data\.flip must be true or false, found 'no'; write false"),
        ("data__download", "abc", r"data\.download must be true or false"),
        ("data__val_fraction", "abc", r"data\.val_fraction must be a number >= 0 and <= 0\.5"),
        ("data__val_fraction", float("nan"), r"data\.val_fraction must be"),
        ("data__image_size", 50_000, r"from 1 to 8192 or a pair of them \(pixels\), or null"),
        ("data__image_size", [32, 32, 32], r"data\.image_size"),
        ("data__channels", 2, r"data\.channels must be one of 1, 3, or null, found 2"),
        ("data__root", 3, r"data\.root must be a path"),
        ("data__root", "a\0b", r"data\.root must be a path"),
        ("data__cache_dir", "x" * 5000, r"found 'x{79}\.\.\. \(5,002 characters\)"),
        ("data__name", ["a"], r"data\.name must be one of"),
        ("optim__lr", 1e308, r"optim\.lr must be a number > 0 and <= 1e\+30"),
        ("optim__lr", 10**400, r"optim\.lr must be a number"),
        ("optim__betas", [float("nan"), 0.9], r"optim\.betas"),
        ("measure__seconds", 1e308, r"<= 3600 \(seconds\)"),
        ("measure__scales", [500], r"measure\.scales must be a number >= 0\.05 and <= 8"),
        ("measure__scales", list(range(1, 100)), r"a list of 1 to 32 values"),
        ("measure__throughput_batch_size", 10**9, r"from 1 to 65536"),
        ("trainer__epochs", 10**9, r"from 1 to 100000"),
        ("trainer__precision", "64-true", r"'32-true', '16-mixed', 'bf16-mixed', found '64-true'"),
        ("trainer__precision", "bf16-true", r"did you mean bf16-mixed"),
        ("trainer__accelerator", "GPU", r"did you mean gpu\?"),
        ("trainer__devices", [0, 0], r"trainer\.devices"),
        ("trainer__devices", 10**9, r"trainer\.devices"),
        ("tracker__project", "a/b", r"tracker\.project must be a text of 1 to 128 characters without / "),
        ("tracker__project", 5, r"write it in quotes"),
        ("tracker__tags", ["x" * 65], r"1 to 64 characters"),
        ("backbone__width_mult", 1e308, r"backbone\.width_mult must be a number >= 0\.001 and <= 64"),
        ("backbone__width_mult", 1e-320, r"backbone\.width_mult"),
        ("backbone__width", 10**9, r"backbone\.width must be an int from 1 to 4096 \(channels\)"),
        ("backbone__name", 5, r"backbone\.name must be a text, found 5"),
        ("backbone__match_to", 5, r"backbone\.match_to"),
        ("pooling__kernel_size", 10_000, r"from 1 to 1024 or a pair of them \(elements\), or null"),
        ("pooling__padding", -1, r"pooling\.padding must be an int from 0 to 1024"),
        ("pooling__ceil_mode", "yes", r"pooling\.ceil_mode .*write true"),
        ("pooling__k", "abc", r"pooling\.k must be an int >= 1, found 'abc'"),
        ("pooling__slots", 5, r"pooling\.slots must be all, or a list of slot names"),
        ("pooling__at", 5, r"pooling\.at must be poolings by the names of their slots"),
        ("pooling__at", {"pool1": {"name": "avg_topk", "k": "x"}}, r"pooling\.at\.pool1\.k must be an int"),
        ("head__levels", [0], r"head\.levels must be a list of 1 to 16 ints from 1 to 256"),
        ("pooling", 5, r"pooling must be one of its choices, found 5"),
        ("pooling", None, r"pooling is missing: choose one with pooling=NAME"),
        ("task", None, r"task=null is not known: task can be classification, segmentation"),
        ("task", [1], r"task="),
        ("data", True, r"data must be one of its choices"),
        ("tracker", None, r"tracker is missing: .*for none write tracker=none"),
        ("recipe", True, r"recipe must be one of its choices"),
        ("runs_dir", "", r"runs_dir must be a path"),
    ],
    ids=lambda value: shown(value, 30),
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_told_with_its_range(plain, setting, value, told):
    with pytest.raises(ConfigError, match=told):
        check_settings(with_values(plain, **{setting: value}))


@pytest.mark.parametrize(
    "setting", ["data.flip", "trainer.epochs", "pooling.k", "optim.lr", "seed", "backbone.width_mult"]
)
def test_a_setting_that_was_taken_out_is_told(setting):
    words = ["pooling=avg_topk", f"~{setting}"]
    with pytest.raises(ConfigError, match=rf"^{setting} is missing: it must be .*, e\.g\. {setting}="):
        check_settings(compose(words))


@pytest.mark.parametrize("group", [group for group in groups() if group not in ("recipe", "task")])
def test_a_group_that_was_taken_out_is_told(group):
    with pytest.raises(ConfigError, match=rf"^{group}(\.name)? (is missing|must be)"):
        check_settings(compose([f"~{group}"]))


def test_the_hostile_values_meet_no_traceback(pytestconfig, tmp_path, monkeypatch):
    """A thin form of scripts/hostile.py, which tries them all."""
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "cache"))
    spec = importlib.util.spec_from_file_location("hostile", Path(pytestconfig.rootpath, "scripts", "hostile.py"))
    hostile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hostile)
    monkeypatch.chdir(tmp_path)  # a value such as data.cache_dir=abc is a folder that may be made
    hostile.make_images(tmp_path)
    tried = hostile.Hostile()
    found = [(trial, *tried.outcome(trial)) for trial in hostile.trials(tmp_path)[::151]]
    assert len(found) > 20
    assert [(trial, kind, text) for trial, kind, text in found if kind in hostile.BAD] == []


@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_a_folder_for_a_data_set_without_files_is_told(name):
    words = [f"data={name}", "data.root=photos", *(["task=segmentation"] if name == "shapes" else [])]
    with pytest.raises(ConfigError, match=rf"data.root=photos: data={name} .* write data=image_folder"):
        check_settings(compose(words))
