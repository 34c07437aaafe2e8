"""What stands in a slot is what was asked for, and nothing else changes."""

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from poolab.backbones import list_backbones
from poolab.errors import ConfigError
from poolab.pooling import AvgPool2d, AvgTopKPool2d, MaxPool2d

OWN = {
    "keras_cnn": [("pool1", "window", "max"), ("pool2", "window", "max"), ("head", "head", "flatten")],
    "lenet": [("pool1", "window", "max"), ("pool2", "window", "max"), ("head", "head", "flatten")],
    "torch_cnn": [("pool1", "window", "max"), ("pool2", "window", "avg"), ("head", "head", "global_avg")],
    "vgg_small": [(f"pool{i}", "window", "max") for i in (1, 2, 3)] + [("head", "head", "global_avg")],
    "resnet20": [(f"stage{i}", "strided_conv", "conv3x3/2") for i in (2, 3)] + [("head", "head", "global_avg")],
    "resnet18_cifar": [(f"stage{i}", "strided_conv", "conv3x3/2") for i in (2, 3, 4)]
    + [("head", "head", "global_avg")],
    "airbench94": [(f"pool{i}", "window", "max") for i in (1, 2, 3, 4)] + [("head", "head", "flatten")],
    "unet": [(f"pool{i}", "window", "max") for i in (1, 2, 3, 4)],
}


@pytest.mark.parametrize("name", list_backbones())
@pytest.mark.parametrize("pooling", [None, {"name": "own"}, {"name": "own", "slots": "all", "kernel_size": None}])
def test_own_pooling(build, name, pooling):
    slots = build(name, pooling=pooling, head=pooling and {"name": "own"}).slots
    assert [(slot.name, slot.kind, slot.own) for slot in slots.values()] == OWN[name]
    assert all(slot.pooling == slot.own for slot in slots.values())


def test_all_slots_but_the_head(build):
    slots = build("vgg_small", pooling={"name": "avg_topk", "k": 3}).slots
    assert [slot.pooling for slot in slots.values()] == ["avg_topk"] * 3 + ["global_avg"]


@pytest.mark.parametrize("slots", [["pool2"], "pool2", ("pool2",)])
def test_some_slots(build, slots):
    model = build("vgg_small", pooling={"name": "avg", "slots": slots})
    kinds = [type(model.slot_module(f"pool{i}")) for i in (1, 2, 3)]
    assert kinds == [MaxPool2d, AvgPool2d, MaxPool2d]


def test_geometry_overrides_and_options(build):
    pooling = OmegaConf.create(
        {"name": "avg_topk", "slots": ["pool1"], "kernel_size": [3, 2], "stride": None, "padding": 1, "k": 4}
    )
    model = build("keras_cnn", pooling=pooling)
    slot, layer = model.slots["pool1"], model.slot_module("pool1")
    assert (slot.kernel_size, slot.stride, slot.padding) == ((3, 2), (2, 2), (1, 1))
    assert isinstance(layer, AvgTopKPool2d)
    assert (layer.kernel_size, layer.stride, layer.padding, layer.k) == ((3, 2), (2, 2), (1, 1), 4)
    assert model.slots["pool2"].kernel_size == (2, 2)


def test_dilation_and_ceil_mode_reach_the_layer(build):
    layer = build("keras_cnn", pooling={"name": "max", "dilation": 2, "ceil_mode": True}).slot_module("pool1")
    assert (layer.dilation, layer.ceil_mode) == ((2, 2), True)


def test_slot_module_of_a_kept_strided_convolution(build):
    model = build("resnet20", pooling={"name": "max", "slots": ["stage3"]})
    kept, filled = model.slot_module("stage2"), model.slot_module("stage3")
    assert isinstance(kept, nn.Conv2d)
    assert kept.stride == (2, 2)
    assert isinstance(filled, MaxPool2d)
    assert model.stage3[0].conv1.stride == (1, 1)
    assert model.slots["stage3"].channels == 64


@pytest.mark.parametrize("name", ["resnet20", "resnet18_cifar"])
def test_a_filled_strided_convolution_pools_the_same_convolution(build, name):
    """Plain subsampling after a stride-1 convolution is the strided convolution: the swap changes nothing else."""
    own, filled = (build(name, seed=1, pooling={"name": pooling}).eval() for pooling in ("own", "subsample"))
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(own(images), filled(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [9, 15, 17, 32, (13, 30)])
@pytest.mark.parametrize("pooling", [{"name": "own"}, {"name": "avg"}, {"name": "max", "ceil_mode": True}])
@pytest.mark.parametrize("name", ["resnet20", "resnet18_cifar"])
def test_resnet_shortcut_follows_odd_sizes(build, name, size, pooling):
    model = build(name, image_size=size, pooling=pooling, width_mult=0.25).eval()
    assert model(torch.zeros(2, 3, *model.image_size)).shape == (2, 10)


def test_option_a_shortcut_subsamples_and_pads_with_zeros(build):
    block = build("resnet20", pooling={"name": "avg"}).stage2[0]
    x = torch.randn(1, 16, 7, 7)
    shortcut = block.shortcut(x, torch.empty(1, 32, 3, 3))
    assert torch.equal(shortcut[:, :16], x[:, :, :6:2, :6:2])
    assert not shortcut[:, 16:].any()


def test_option_b_shortcut_projects_what_the_main_path_keeps(build):
    block = build("resnet18_cifar", pooling={"name": "avg"}, width_mult=0.25).stage2[0].train()
    x = torch.randn(2, 16, 7, 7)
    conv, norm = block.projection
    shortcut = block.shortcut(x, torch.empty(2, 32, 3, 3))
    torch.testing.assert_close(shortcut, norm(conv(x[:, :, :6, :6])))
    assert block.shortcut(x, torch.empty(2, 32, 4, 4)).shape[-2:] == (4, 4)


def test_option_b_shortcut_follows_the_stride_of_the_pooling(build):
    model = build("resnet18_cifar", pooling={"name": "max", "stride": 4, "slots": ["stage2"]}, width_mult=0.1).eval()
    assert model.stage2[0].projection[0].stride == (4, 4)
    assert model.features(torch.zeros(1, 3, 32, 32)).shape[-2:] == (2, 2)


def test_a_pooling_that_changes_its_size_needs_a_head_for_any_size(build):
    with pytest.raises(ConfigError, match=r"keras_cnn: diffstride in slot pool1, pool2 changes .*head=global_avg"):
        build("keras_cnn", pooling={"name": "diffstride"})
    model = build("keras_cnn", pooling={"name": "diffstride"}, head={"name": "global_avg"})
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        model.slot_module("pool1").strides.fill_(1.5)
    assert model.features(images).shape[-1] > 6  # 6x6 at the start
    assert model(images).shape == (2, 10)


def test_methods_without_windows_in_a_slot(build):
    same = build("torch_cnn", pooling={"name": "pixel_pyramid", "project": True, "slots": ["pool1"]})
    assert same(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert same.slots["pool1"].stride == (1, 1)
    with pytest.raises(ConfigError, match=r"pixel_pyramid turns the 32 channels .* into 128.*pooling.project=true"):
        build("torch_cnn", pooling={"name": "pixel_pyramid"})
    with pytest.raises(ConfigError, match=r"inter_map turns the 32 channels of slot pool1 into 16.*choose another\.$"):
        build("torch_cnn", pooling={"name": "inter_map"})
    with pytest.raises(ConfigError, match=r"InterMapPool2d: no option kernel_size"):
        build("torch_cnn", pooling={"name": "inter_map", "kernel_size": 3})


def test_a_pooling_for_each_slot(build):
    at = {"pool2": "avg", "pool3": {"name": "avg_topk", "k": 3, "kernel_size": [3, 2]}}
    model = build("vgg_small", pooling={"name": "softpool", "kernel_size": 3, "at": at})
    assert [slot.pooling for slot in model.slots.values()] == ["softpool", "avg", "avg_topk", "global_avg"]
    assert [model.slots[f"pool{i}"].kernel_size for i in (1, 2, 3)] == [(3, 3), (2, 2), (3, 2)]  # each for itself
    assert model.slot_module("pool3").k == 3
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_a_slot_can_keep_its_own_and_a_network_can_have_one_slot_filled(build):
    kept = build("torch_cnn", pooling={"name": "min", "at": {"pool2": "own"}}).slots
    assert [kept[name].pooling for name in ("pool1", "pool2")] == ["min", "avg"]
    one = build("torch_cnn", pooling={"name": "own", "at": {"pool2": "min"}}).slots
    assert [one[name].pooling for name in ("pool1", "pool2")] == ["max", "min"]
    both = build("torch_cnn", pooling={"name": "min", "slots": ["pool2"], "at": {"pool2": "softpool"}}).slots
    assert [both[name].pooling for name in ("pool1", "pool2")] == ["max", "softpool"]


def test_single_strided_convolutions(build):
    pooling = OmegaConf.create({"name": "own", "at": {"stage3": {"name": "blur"}}})
    model = build("resnet20", pooling=pooling)
    assert [slot.pooling for slot in model.slots.values()] == ["conv3x3/2", "blur", "global_avg"]
    assert (model.stage2[0].conv1.stride, model.stage3[0].conv1.stride) == ((2, 2), (1, 1))


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ({"pol1": "avg"}, ["keras_cnn has no pooling slot pol1: did you mean pool1", "pooling.at: pool1, pool2."]),
        ({"head": "avg"}, ["no pooling slot head: the head is chosen with head="]),
        ({"pool1": "avgg", "pool2": "global_gem"}, ["at.pool1.name=avgg", "did you mean avg", "write head=global_gem"]),
        ({"pool1": {"name": "avg_topk", "k": 9}}, ["avg_topk cannot fill slot pool1", "found 9"]),
        ({"pool1": {"name": "max", "slots": ["pool2"]}}, ["pooling.at.pool1 is for that slot alone", "no slots"]),
        ({"pool1": {"name": "own", "k": 2}}, ["pooling.at.pool1.name=own", "got k"]),
        ({"pool1": {"name": "max", "channels": 3}}, ["pooling.at.pool1: the network itself states channels"]),
        ({"pool1": {"k": 3}}, ["pooling.at.pool1.k=3 has no pooling: add pooling.at.pool1=NAME"]),
        ({"pool1": None}, ["pooling.at.pool1=None has no name of a pooling"]),
        ({"pool1": {}}, ["pooling.at.pool1={} has no name of a pooling"]),
        ("avg", ["pooling.at='avg' has no slot"]),
    ],
    ids=str,
)
def test_what_a_slot_is_refused(build, at, words):
    with pytest.raises(ConfigError) as told:
        build("keras_cnn", pooling={"name": "max", "at": at})
    assert all(word in str(told.value) for word in words), told.value
