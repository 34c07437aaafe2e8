"""`width_mult` widens every layer of our own backbones, and 1.0 is the network as published."""

import pytest
import torch
from torch import nn

from poolab.backbones import list_backbones
from poolab.backbones.registry import takes_option

OWN = [name for name in list_backbones() if takes_option(name, "width_mult")]


def layers(model):
    return [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def inputs(layer):
    return layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features


def outputs(layer):
    return layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features


@pytest.mark.parametrize("name", OWN)
def test_a_width_of_one_changes_nothing(build, name):
    one, other = build(name, seed=3).state_dict(), build(name, seed=3, width_mult=1.0).state_dict()
    assert list(one) == list(other)
    assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("mult", [0.5, 1.25, 2])
def test_every_layer_has_its_share_of_channels(build, name, mult):
    with torch.device("meta"):
        model, whole = build(name, width_mult=mult).eval(), build(name)
    pairs = list(zip(layers(whole), layers(model), strict=True))
    fixed = [(inputs(plain), outputs(plain)) for plain, wide in pairs if outputs(plain) == outputs(wide)]
    # the class scores, and airbench94's whitening, whose filters are as many as a patch has directions
    assert len(fixed) == (2 if name == "airbench94" else 1)
    for plain, wide in pairs:
        if (inputs(plain), outputs(plain)) not in fixed:
            assert outputs(wide) == round(mult * outputs(plain))
    widths = zip(model.slots.values(), whole.slots.values(), strict=True)
    assert all(slot.channels == round(mult * plain.channels) for slot, plain in widths)
    assert model(torch.zeros(2, 3, 32, 32, device="meta")).shape[:2] == (2, 10)


@pytest.mark.parametrize("name", OWN)
def test_the_narrowest_network_runs(build, name):
    model = build(name, width_mult=1e-6, pooling={"name": "mixed", "learnable": True}).train()
    model(torch.randn(4, 3, 32, 32)).sum().backward()
    assert {slot.channels for slot in model.slots.values()} == {1}


def test_the_two_widths_of_vgg_small_multiply(build):
    one, other = build("vgg_small", width=48), build("vgg_small", width=32, width_mult=1.5)
    assert [value.shape for value in one.parameters()] == [value.shape for value in other.parameters()]
