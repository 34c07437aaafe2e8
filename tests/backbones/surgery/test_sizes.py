"""A swapped convolution gives maps of its own size for every input, whatever the size of the example was."""

import pytest
import torch
from torch import nn

from poolab.backbones import swap_pooling
from poolab.pooling import create_pool, list_pools

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def sizes_of(conv, name, example, sides, **options):
    """The shapes that a convolution gives for maps of these sides, before and after the swap."""
    dims = conv.weight.dim() - 2
    maps = [torch.randn(2, conv.in_channels, *(side,) * dims) for side in sides]
    before = [tuple(conv(one).shape) for one in maps]
    net = nn.Sequential(conv)
    swap_pooling(net, name, example_input=torch.zeros(1, conv.in_channels, *(example,) * dims), slots="0", **options)
    return before, [tuple(net.eval()(one).shape) for one in maps]


@pytest.mark.parametrize("name", list_pools("window"))
def test_every_method_keeps_the_convolution_s_sizes(name):
    for example in (16, 17):
        before, after = sizes_of(nn.Conv2d(2, 4, 3, 2, 1), name, example, (16, 17, 18, 19))
        assert after == before


@pytest.mark.parametrize("name", list_pools("window"))
def test_where_nothing_is_rounded_ceil_mode_changes_no_bit(name):
    found = []
    for ceil_mode in (False, True):
        torch.manual_seed(0)
        pool = create_pool(name, kernel_size=2, channels=4, ceil_mode=ceil_mode)
        map_ = torch.randn(2, 4, 6, 8, requires_grad=True)
        output = pool(map_)
        output.square().sum().backward()
        found.append((output.detach(), map_.grad))
    for floor, ceil in zip(*found, strict=True):
        assert torch.equal(floor, ceil)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), [(2, 2, 0), (3, 2, 0), (5, 3, 2), (7, 2, 3), (4, 4, 1)])
def test_every_convolution_keeps_its_sizes(dims, kernel_size, stride, padding):
    for example in (16, 17, 18):
        conv = CONVOLUTIONS[dims](2, 3, kernel_size, stride, padding)
        before, after = sizes_of(conv, "avg_topk", example, range(12, 12 + 2 * stride))
        assert after == before


@pytest.mark.parametrize(("kernel_size", "padding"), [(3, 1), (4, 1), ((2, 3), (0, 1))])
def test_a_window_of_another_size_gets_the_rounding_that_fits(kernel_size, padding):
    # The last one needs ceil_mode for one axis alone, and fits even maps without it.
    sides = (16, 18) if kernel_size == (2, 3) else (16, 17, 18, 19)
    conv = nn.Conv2d(2, 4, 3, 2, 1)
    before, after = sizes_of(conv, "avg", 16, sides, kernel_size=kernel_size, padding=padding)
    assert after == before


def test_ceil_mode_of_the_caller_stays():
    before, after = sizes_of(nn.Conv2d(2, 4, 3, 2, 1), "avg", 16, (16, 17), ceil_mode=False)
    assert after[0] == before[0]
    assert after[1][2:] == (8, 8)


class Residual(nn.Module):
    """Two branches that halve the map; the second is a convolution of single pixels, which no pooling replaces."""

    def __init__(self):
        super().__init__()
        self.branch, self.shortcut = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(3, 4, 1, 2)

    def forward(self, x):
        return self.branch(x) + self.shortcut(x)


def test_branches_fit_at_sizes_that_the_example_had_not():
    net = nn.Sequential(Residual(), nn.ReLU(), nn.Conv2d(4, 3, 1), Residual())
    swap_pooling(net, "avg_topk", example_input=torch.zeros(1, 3, 16, 16), slots="strided_conv")
    for side in (16, 17, 18, 19):
        assert net(torch.randn(1, 3, side, side)).shape[2:] == (-(-side // 4),) * 2


def test_such_branches_are_exported_for_any_size():
    net = nn.Sequential(Residual(), nn.ReLU(), nn.Conv2d(4, 3, 1), Residual()).eval()
    swap_pooling(net, "avg_topk", example_input=torch.zeros(1, 3, 16, 16), slots="strided_conv")
    auto = torch.export.Dim.DYNAMIC
    program = torch.export.export(net, (torch.randn(2, 3, 16, 16),), dynamic_shapes=({0: auto, 2: auto, 3: auto},))
    for side in (17, 18, 22):
        images = torch.randn(3, 3, side, side)
        torch.testing.assert_close(program.module()(images), net(images))


@pytest.mark.parametrize(("example", "window"), [(16, "3x3/2 ceil"), (17, "3x3/2 p1")])
def test_a_layer_that_pads_by_the_size_of_the_map_is_told(example, window):
    pool2d_same = pytest.importorskip("timm.layers.pool2d_same", reason="needs timm: its layers pad as TensorFlow's do")
    net = nn.Sequential(nn.Conv2d(3, 4, 1), pool2d_same.MaxPool2dSame(3, 2), nn.MaxPool2d(3, 2, 1))
    (told,) = swap_pooling(net, "max", example_input=torch.zeros(1, 3, example, example)).notes
    assert told == (
        "1 was a MaxPool2dSame, which pads by the size of the map; the new layer has, for maps of any size, the window "
        f"that this was for the map of example_input: {window}"
    )
