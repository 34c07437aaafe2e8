"""Every wrong request is one clear error at construction."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from poolab.backbones import VanishError, create_backbone, list_backbones
from poolab.backbones.registry import BACKBONES
from poolab.errors import ConfigError
from poolab.pooling import WindowPool2d, get_pool, list_pools
from poolab.pooling.registry import POOLS

WRONG = {
    "unknown backbone": ({"name": "keras_cn"}, ["did you mean keras_cnn", "vgg_small"]),
    "option of no use": ({"width": 8}, ["keras_cnn has no option width", "Allowed: width_mult"]),
    "mistyped option": ({"name": "vgg_small", "widht": 8}, ["no option widht", "did you mean width"]),
    "wrong width": ({"name": "vgg_small", "width": 0}, ["vgg_small: width=0"]),
    "no width": ({"width_mult": 0}, ["width_mult=0", "must be a number >= 1e-06 and <= 10000"]),
    "width that is no number": ({"width_mult": "2"}, ["width_mult='2'", "must be a number >= 1e-06 and <= 10000"]),
    "width without end": ({"width_mult": float("inf")}, ["width_mult=inf"]),
    "unknown pooling": ({"pooling": {"name": "avgtopk"}}, ["did you mean avg_topk", "softpool"]),
    "no pooling name": ({"pooling": {"k": 2}}, ["pooling.name=None"]),
    "not a mapping": ({"pooling": "max"}, ["mapping", "'max'"]),
    "head as pooling": ({"pooling": {"name": "global_avg"}}, ["global_avg is a head", "head=global_avg"]),
    "pyramid as pooling": ({"pooling": {"name": "spp"}}, ["spp is a head", "write head=spp"]),
    "class as pooling": ({"pooling": {"name": "AvgTopKPool2d"}}, ["did you mean avg_topk?"]),
    "class of a head": ({"pooling": {"name": "GlobalAvgPool2d"}}, ["did you mean global_avg? It belongs in head."]),
    "what the network states": ({"pooling": {"name": "ordinal", "channels": 5}}, ["states channels", "leave it out"]),
    "labels in a network": (
        {"head": {"name": "superpixel", "regions": 4}},
        ["labels is missing", "In a network no labels come, so leave regions null there and choose grid"],
    ),
    "pooling as head": ({"head": {"name": "max"}}, ["max is no head", "belongs in pooling", "pooling=max"]),
    "unknown head": ({"head": {"name": "global_av"}}, ["did you mean global_avg"]),
    "own head with options": ({"head": {"name": "own", "output_size": 2}}, ["head.name=own", "output_size"]),
    "own pooling with options": ({"pooling": {"name": "own", "p": 2}}, ["pooling.name=own", "got p"]),
    "no slot": ({"pooling": {"name": "avg", "slots": []}}, ["changes nothing", "pooling.name=own"]),
    "unknown slot": (
        {"pooling": {"name": "avg", "slots": ["pool1", "pool3"]}},
        ["keras_cnn has no pooling slot pool3", "did you mean pool2", "all, pool1, pool2"],
    ),
    "head among the slots": ({"pooling": {"name": "avg", "slots": ["head"]}}, ["head="]),
    "k above the window": ({"pooling": {"name": "avg_topk", "k": 5}}, ["keras_cnn", "slot pool1", "k", "4"]),
    "unknown key": ({"pooling": {"name": "avg_topk", "kk": 2}}, ["slot pool1", "kk"]),
    "unknown head key": ({"head": {"name": "adaptive_avg", "size": 2}}, ["slot head", "size"]),
    "kernel that is no number": ({"pooling": {"name": "max", "kernel_size": "3"}}, ["pooling.kernel_size='3'"]),
    "padding beyond the window": ({"pooling": {"name": "max", "padding": 2}}, ["slot pool1", "padding"]),
    "no pixels": ({"image_size": 0}, ["image_size=0"]),
    "three sides": ({"image_size": (3, 32, 32)}, ["image_size=(3, 32, 32)"]),
    "no channels": ({"in_channels": 0}, ["in_channels=0"]),
    "no classes": ({"num_classes": 0}, ["num_classes=0"]),
    "shortcut that cannot follow": (
        {"name": "resnet20", "pooling": {"name": "max", "padding": 1}},
        ["resnet20 cannot run on 32x32", "17x17", "16x16"],
    ),
    "projection that cannot follow": (
        {"name": "resnet18_cifar", "pooling": {"name": "max", "padding": 1}},
        ["resnet18_cifar cannot run on 32x32", "17x17", "16x16", "use less padding"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_request(build, case):
    settings, words = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        build(**{"name": "keras_cnn", **settings})
    for word in words:
        assert word in str(caught.value)


# name, pooling, image size: where it vanishes, the map there, the smallest image
VANISHING = [
    ("keras_cnn", "own", 9, "slot pool2", "1x1", 10),
    ("keras_cnn", "own", 5, "conv2", "1x1", 10),
    ("keras_cnn", "own", (40, 5), "conv2", "19x1", 10),
    ("keras_cnn", "own", 2, "conv1", "2x2", 10),
    ("torch_cnn", "avg_topk", 9, "slot pool2", "1x1", 10),
    ("vgg_small", "own", 7, "slot pool3", "1x1", 8),
    ("vgg_small", "strided_conv", 7, "slot pool3", "1x1", 8),
    ("resnet20", "avg", 3, "slot stage3", "1x1", 4),
    ("resnet18_cifar", "avg", 7, "slot stage4", "1x1", 8),
    ("airbench94", "own", 24, "slot pool4", "2x2", 25),
    ("airbench94", "own", 1, "whiten", "1x1", 25),
]


@pytest.mark.parametrize(("name", "pooling", "size", "place", "map_size", "smallest"), VANISHING)
def test_vanishing_map_names_the_place(build, name, pooling, size, place, map_size, smallest):
    with pytest.raises(VanishError) as caught:
        build(name, image_size=size, pooling={"name": pooling})
    assert caught.value.smallest == smallest
    for word in (name, place, f"where it is {map_size}", f"{smallest}x{smallest}"):
        assert word in str(caught.value)
    model = build(name, image_size=smallest, pooling={"name": pooling}).eval()
    assert model(torch.zeros(1, 3, smallest, smallest)).shape == (1, 10)


@pytest.mark.parametrize("name", ["resnet20", "resnet18_cifar"])
def test_own_resnet_takes_a_single_pixel(build, name):
    assert build(name, image_size=1).eval()(torch.zeros(1, 3, 1, 1)).shape == (1, 10)


@pytest.mark.parametrize("pooling", list_pools("window"))
@pytest.mark.parametrize("name", ["keras_cnn", "resnet20"])
def test_every_window_pooling_fits(build, name, pooling):
    head = {"name": "global_avg"} if get_pool(pooling).resizes else None
    model = build(name, image_size=(19, 22), pooling={"name": pooling}, head=head, seed=0)
    model(torch.randn(2, 3, 19, 22)).sum().backward()
    assert model.conv1.weight.grad.isfinite().all()
    assert {slot.pooling for slot in model.slots.values() if slot.kind != "head"} == {pooling}


@pytest.mark.parametrize("head", list_pools("global"))
@pytest.mark.parametrize("name", list_backbones("classification"))
def test_every_head_fits(build, name, head):
    model = build(name, head={"name": head}).eval()
    assert model.slots["head"].pooling == head
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_head_options_decide_the_features(build):
    model = build("torch_cnn", head={"name": "adaptive_max", "output_size": [2, 3]})
    assert model.features_out == model.classifier.in_features == 64 * 6


def test_a_pooling_that_changes_the_channels_is_refused(build, monkeypatch):
    class Doubling(WindowPool2d):
        name = "doubling"

        def out_channels(self, channels):
            return 2 * channels

    monkeypatch.setitem(POOLS, "doubling", Doubling)
    with pytest.raises(ConfigError, match="32 channels of slot pool1 into 64"):
        build("keras_cnn", pooling={"name": "doubling"})


def test_a_new_backbone_needs_one_class(build, monkeypatch):
    from poolab.backbones import Backbone

    class Tiny(Backbone):
        def __init__(self, slots, *, in_channels, num_classes, image_size):
            super().__init__(slots, in_channels=in_channels, num_classes=num_classes, image_size=image_size)
            self.pool = slots.fill("pool", channels=in_channels, own="max", kernel_size=4)
            self.head = slots.fill_head(channels=in_channels)
            self.classifier = torch.nn.Linear(self.close(slots), num_classes)

        def features(self, images):
            return self.pool(images)

    monkeypatch.setitem(BACKBONES, "tiny", Tiny)
    model = create_backbone("tiny", in_channels=2, num_classes=3, image_size=8, pooling={"name": "min"})
    assert model(torch.zeros(1, 2, 8, 8)).shape == (1, 3)


@pytest.mark.parametrize("name", list_backbones())
def test_its_configuration_builds_it(name):
    path = Path(__file__).parents[2] / "conf" / "backbone" / f"{name}.yaml"
    assert path.read_text().startswith("# ")
    model = create_backbone(**OmegaConf.load(path), in_channels=1, num_classes=3, image_size=32)
    assert model.name == name
    for slot in model.slots:
        assert slot in path.read_text()
