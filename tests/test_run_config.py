"""The typed settings of a run: what Hydra composed goes in and comes out, and nothing is changed on its way."""

import dataclasses
import json

import pytest

from poolab.backbones import create_backbone
from poolab.configuration import compose, config_dir
from poolab.errors import ConfigError
from poolab.pooling import AvgTopKPool2d
from poolab.records import signature
from poolab.run_config import AdamConfig, FullMeasureConfig, PoolingConfig, RunConfig, SGDConfig, WandbConfig

GROUPS = ("pooling", "head", "backbone", "data", "optim", "trainer", "measure", "tracker")
CHOICES = [f"{group}={path.stem}" for group in GROUPS for path in sorted((config_dir() / group).glob("*.yaml"))]
WORDS = {
    "a source": ["recipe=finetune", "recipe.checkpoint=runs/0123456789ab"],
    "a task": ["task=segmentation"],
    "single slots": ["pooling.at.pool1=avg_topk", "pooling.at.pool1.k=3", "pooling.slots=[pool1]"],
    "one slot": ["pooling.slots=pool1"],
    "a matched control": ["backbone=resnet18_cifar", "backbone.match=parameters", "backbone.match_to={name: lip}"],
    "a library's network": ["backbone=timm/resnet18"],
    "numbers as they were written": ["optim.lr=1", "data.image_size=[16,24]", "trainer.devices=[0,2]"],
}


@pytest.mark.parametrize("words", [[choice] for choice in CHOICES] + list(WORDS.values()), ids=CHOICES + list(WORDS))
def test_what_goes_in_comes_out(words):
    tree = compose(words)
    config = RunConfig.from_tree(tree)
    assert config.tree() == tree
    assert signature(config.tree(), "x") == signature(tree, "x")
    assert RunConfig.from_tree(json.loads(json.dumps(config.tree()))) == config  # as another process reads it


def test_each_choice_has_its_own_type():
    config = RunConfig.from_tree(compose(["optim=sgd", "measure=full", "tracker=wandb_offline"]))
    assert type(config.optim) is SGDConfig
    assert type(config.measure) is FullMeasureConfig
    assert type(config.tracker) is WandbConfig
    assert type(RunConfig.from_tree(compose(["optim=adamw"])).optim) is AdamConfig


def test_nothing_can_be_changed():
    config = RunConfig.from_tree(compose([]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.trainer.epochs = 1


@pytest.mark.parametrize(
    ("group", "change", "message"),
    [
        ("trainer", {"epoch": 3}, "no setting epoch; did you mean epochs"),
        ("optim", {"name": "sdg"}, "sdg is not known: did you mean sgd"),
        ("tracker", {"mod": None}, "no setting mod; did you mean mode"),
    ],
)
def test_a_wrong_setting_is_named(group, change, message):
    tree = compose(["tracker=wandb_offline"])
    with pytest.raises(ConfigError, match=message):
        RunConfig.from_tree({**tree, group: {**tree[group], **change}})


def test_a_missing_setting_is_named():
    tree = compose([])
    trainer = {key: value for key, value in tree["trainer"].items() if key != "epochs"}
    with pytest.raises(ConfigError, match="TrainerConfig: epochs is missing"):
        RunConfig.from_tree({**tree, "trainer": trainer})


def test_an_option_reaches_the_formula_in_five_forms():
    """The command line's word, the composed tree, the typed settings, the layer's attribute, the formula's argument."""
    tree = compose(["pooling=avg_topk", "pooling.k=3"])
    config = RunConfig.from_tree(tree)
    size = {"in_channels": 3, "num_classes": 10, "image_size": 32}
    layer = create_backbone("keras_cnn", pooling=config.pooling, **size).slot_module("pool1")
    assert isinstance(layer, AvgTopKPool2d)
    assert (tree["pooling"]["k"], config.pooling.options["k"], layer.k, layer.arguments()["k"]) == (3, 3, 3, 3)


def test_a_pooling_says_what_fills_a_slot():
    pooling = PoolingConfig.from_tree({"name": "max", "slots": ["pool1"], "at": {"pool2": {"name": "avg"}}})
    assert pooling.filling("pool1") is pooling
    assert pooling.filling("pool2").name == "avg"
    assert pooling.filling("pool3") is None
    assert PoolingConfig("own").filling("pool1") is None
    assert PoolingConfig("max", slots="pool1").filling("pool10") is None  # a name, and no text that it lies in
