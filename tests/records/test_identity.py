import copy
import re

import pytest

from poolab.configuration import compose
from poolab.records import signature
from poolab.training import run_names

DATA = "digits-1"


@pytest.fixture(scope="module")
def config():
    return compose(["pooling=avg_topk"])


def changed(config, key, value):
    other = copy.deepcopy(config)
    *groups, last = key.split(".")
    place = other
    for group in groups:
        place = place[group]
    place[last] = value
    return other


def test_a_signature_is_twelve_digits_and_the_same_each_time(config):
    assert re.fullmatch(r"[0-9a-f]{12}", signature(config, DATA))
    assert signature(config, DATA) == signature(copy.deepcopy(config), DATA)


def test_the_order_of_the_keys_does_not_matter(config):
    turned = {key: config[key] for key in reversed(config)}
    turned["optim"] = {key: config["optim"][key] for key in reversed(config["optim"])}
    assert list(turned) != list(config)
    assert signature(turned, DATA) == signature(config, DATA)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("runs_dir", "elsewhere"),
        ("force", True),
        ("tracker", {"name": "none"}),
        ("tracker.project", "another"),
        ("data.root", "/some/where"),
        ("data.cache_dir", "/some/where"),
        ("data.download", False),
        ("data.eval_batch_size", 7),
        ("trainer.threads", 1),
        ("trainer.progress_bar", False),
        ("measure.name", "full"),
        ("measure.seconds", 9.0),
        ("measure.latency_batch_size", 9),
    ],
)
def test_what_changes_no_result_changes_no_signature(config, key, value):
    assert signature(changed(config, key, value), DATA) == signature(config, DATA)


def test_the_path_of_the_run_that_is_gone_on_from_changes_no_signature():
    """The hash of its checkpoint, which is part of the data's text, stands for it."""
    config = compose(["recipe=finetune", "recipe.checkpoint=/a/run/last.ckpt"])
    assert signature(changed(config, "recipe.checkpoint", "/moved/last.ckpt"), DATA) == signature(config, DATA)
    assert signature(changed(config, "recipe.name", "other"), DATA) != signature(config, DATA)


def test_weights_are_known_by_their_content_and_were_once_by_their_path(config):
    here, there = (changed(config, "backbone.weights", path) for path in ("a.pt", "b.pt"))
    assert signature(here, DATA) == signature(there, DATA)
    assert signature(here, DATA, files_by_path=True) != signature(there, DATA, files_by_path=True)
    assert signature(config, DATA, files_by_path=True) == signature(config, DATA)


# Every setting of the tree but those above, so that a new one is part of the identity until it is decided otherwise.
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("pooling.name", "max"),
        ("pooling.k", 3),
        ("pooling.slots", ["pool1"]),
        ("pooling.kernel_size", 3),
        ("pooling.stride", 1),
        ("pooling.padding", 1),
        ("pooling.dilation", 2),
        ("pooling.ceil_mode", True),
        ("head.name", "global_avg"),
        ("backbone.name", "resnet20"),
        ("data.name", "mnist"),
        ("data.batch_size", 64),
        ("data.image_size", 28),
        ("data.crop_padding", 0),
        ("data.flip", True),
        ("data.val_fraction", 0.2),
        ("data.limit_train", 500),
        ("optim.name", "sgd"),
        ("optim.lr", 0.01),
        ("optim.weight_decay", 0.1),
        ("optim.schedule", "constant"),
        ("optim.label_smoothing", 0.1),
        ("trainer.epochs", 3),
        ("trainer.precision", "bf16-mixed"),
        ("trainer.gradient_clip", 1.0),
        ("trainer.channels_last", True),
        ("trainer.compile", True),
        ("trainer.devices", 2),
    ],
)
def test_what_can_change_a_result_changes_the_signature(config, key, value):
    assert signature(changed(config, key, value), DATA) != signature(config, DATA)


def test_a_setting_that_nobody_thought_of_changes_the_signature(config):
    assert signature({**config, "trackers": 1}, DATA) != signature(config, DATA)


def test_the_data_change_the_signature(config):
    assert signature(config, "digits-2") != signature(config, DATA)


def test_every_choice_of_a_pooling_option_is_another_run():
    settings = [["pooling=avg_topk"], ["pooling=avg_topk", "pooling.k=3"], ["pooling=mixed"], ["pooling=max"]]
    settings += [["pooling=mixed", "pooling.learnable=true"], ["seed=1"], ["optim=adamw"], ["optim=sgd"]]
    assert len({signature(compose(overrides), DATA) for overrides in settings}) == len(settings)


EARLIER = ("trainer.channels_last=false",)  # the default of then


# Of commit 9af067c: records that were made before a setting came must be found by the code that has it.
@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "2254f89a1b0d"),
        (["pooling=avg_topk", "pooling.k=3", "backbone=vgg_small", "data=cifar10", "seed=4"], "383eab65e539"),
        (["backbone=torchvision/resnet18", "pooling=blur", "pooling.slots=strided_conv"], "cf2be4613aeb"),
        (["pooling=max", "backbone.match=parameters", "backbone.match_to=lip"], "19fc68d6114d"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_signatures_of_earlier_records_stay(overrides, name):
    assert signature(compose([*EARLIER, *overrides]), DATA) == name


# Measures were part of the identity then.
@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (
            [
                *("pooling=softpool", "pooling.slots=[pool1]", "backbone=resnet20"),
                *("head=global_gem", "optim=sgd", "measure=full"),
            ],
            "9abaaae4095f",
        ),
        (["measure=full", "measure.gradient_support=false", "measure.gradient_support_images=8"], "6113670c8291"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_earlier_names_of_runs_that_were_measured_in_full_are_known(overrides, name):
    tree = compose([*EARLIER, *overrides])
    assert signature(tree, DATA, with_measure=True) == name
    assert run_names(tree, DATA)[1] == name
    costs = compose([*EARLIER, *(word for word in overrides if not word.startswith("measure"))])
    assert run_names(tree, DATA)[0] == signature(costs, DATA) == run_names(costs, DATA)[0]


def test_a_run_that_was_measured_in_full_is_found_by_one_that_asks_for_its_costs_alone():
    full, costs = (run_names(compose(words), DATA) for words in (["measure=full"], []))
    assert costs == (full[0], full[1])


def test_a_pooling_at_a_slot_is_another_run():
    settings = [[], ["pooling.at.pool1=avg"], ["pooling.at.pool2=avg"], ["pooling.at.pool1=avg_topk"]]
    settings += [["pooling.at.pool1=avg_topk_k3"], ["pooling.at.pool1=avg", "pooling.at.pool1.stride=1"]]
    assert len({signature(compose(overrides), DATA) for overrides in settings}) == len(settings)
