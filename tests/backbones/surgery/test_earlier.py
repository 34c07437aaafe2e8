"""Networks that earlier versions saved: whole ones, and their weights."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from poolab.backbones import swap_pooling
from tests.backbones.surgery.networks import Functions, Shared, Strided

# Written by poolab 0.1 when it replaced a forward by its graph: the network, its state_dict, its output.
EARLIER = Path(__file__).parent / "earlier"
KINDS = {"functions": Functions, "strided": Strided, "shared": Shared}


@pytest.mark.parametrize("name", KINDS)
def test_a_pickled_network_loads_and_computes_what_it_did(name):
    saved = torch.load(EARLIER / f"{name}.pt", weights_only=False)
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(saved["net"](images), saved["output"])


@pytest.mark.parametrize("name", KINDS)
def test_a_state_dict_loads_into_a_network_that_is_swapped_now(name):
    saved = torch.load(EARLIER / f"{name}.pt", weights_only=False)
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    net = KINDS[name]().eval()
    slots = "strided_conv" if name == "strided" else "window"
    swap_pooling(net, "mixed", slots=slots, example_input=images, learnable=True, sharing="channel")
    net.load_state_dict(saved["state"])
    with torch.no_grad():
        torch.testing.assert_close(net(images), saved["output"])


def test_a_pickled_network_can_be_swapped_again():
    saved = torch.load(EARLIER / "functions.pt", weights_only=False)
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    report = swap_pooling(saved["net"], "avg_topk", example_input=images)
    assert [place.name for place in report.replaced] == ["max_pool2d_1", "avg_pool2d_1", "max_pool2d_2"]


def test_weights_of_a_sequential_with_one_pool_twice_load():
    """Earlier, the layers of its two calls were `1_1` and `1_2`."""

    def build():
        pool = nn.MaxPool2d(2)
        net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), pool, nn.Conv2d(8, 4, 3, padding=1), pool)
        swap_pooling(net, "mixed", learnable=True, sharing="channel", example_input=torch.zeros(1, 3, 16, 16))
        return net

    saved = build()
    with torch.no_grad():
        for value in saved.parameters():
            value.normal_()
    now = saved.state_dict()
    earlier = {name.replace("1.", "1_1.").replace("3.", "1_2."): value for name, value in now.items()}
    assert earlier.keys() != now.keys()
    for state in (earlier, now):
        for net in (build(), copy.deepcopy(build())):
            net.load_state_dict(state)
            assert all(torch.equal(net.state_dict()[name], value) for name, value in now.items())
    whole, prefixed = nn.ModuleDict({"body": build()}), {f"body.{name}": value for name, value in earlier.items()}
    whole.load_state_dict(prefixed)
    assert all(torch.equal(whole["body"].state_dict()[name], value) for name, value in now.items())
