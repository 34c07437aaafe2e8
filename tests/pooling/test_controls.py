"""The control arms: what they are to each other."""

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.testing import assert_close

from poolab.pooling import create_pool
from poolab.pooling import functional as P
from tests.pooling.support import CHANNELS, distinct, few
from tests.pooling.test_identities import cases


@given(cases())
@few(30)
def test_space_to_depth_with_its_projection_is_a_strided_convolution(case: tuple[Tensor, dict]):
    """LabSAINT/SPD-Conv#5 asks for the difference: there is none, whatever the geometry."""
    x, geometry = case
    deep, conv = (create_pool(n, channels=CHANNELS, **geometry).double() for n in ("space_to_depth", "strided_conv"))
    with torch.no_grad():
        conv.conv.weight.copy_(deep.projection.weight.view_as(conv.conv.weight))
        conv.conv.bias.copy_(deep.projection.bias)
    assert_close(deep(x), conv(x))


def test_both_start_from_one_distribution():
    deep = create_pool("space_to_depth", channels=64, kernel_size=2).projection.weight
    conv = create_pool("strided_conv", channels=64, kernel_size=2).conv.weight
    assert_close(deep.std(), conv.std(), rtol=0.05, atol=0)
    assert deep.abs().max() <= 1 / 16 >= conv.abs().max()


@given(cases())
@few(20)
def test_the_projection_is_that_of_the_taps(case: tuple[Tensor, dict]):
    """The layer computes it as a convolution, which holds no copy of the taps."""
    x, geometry = case
    whole = create_pool("space_to_depth", channels=CHANNELS, **geometry).double()
    taps = create_pool("space_to_depth", channels=CHANNELS, project=False, **geometry)
    assert taps(x).shape[1] == taps.out_channels(CHANNELS) == CHANNELS * taps.geometry.taps
    assert whole.out_channels(CHANNELS) == CHANNELS
    assert not list(taps.parameters())
    assert_close(whole(x), whole.projection(taps(x)))


@pytest.mark.parametrize("size", [5, 6, 7])
def test_subsampling_has_the_size_of_max_pooling(size: int):
    """A slice of an odd map keeps its last row; with ceil_mode so does the layer."""
    x = distinct(1, CHANNELS, size, size)
    assert torch.equal(P.subsample_pool2d(x, 2), x[..., : size // 2 * 2 : 2, : size // 2 * 2 : 2])
    assert torch.equal(P.subsample_pool2d(x, 2, ceil_mode=True), x[..., ::2, ::2])
    assert torch.equal(P.subsample_pool2d(x, 1, 2), torch.nn.functional.max_pool2d(x, 1, 2))
