"""Networks that earlier versions saved: whole ones, and their weights."""

from pathlib import Path

import pytest
import torch

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
