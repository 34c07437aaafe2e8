"""The poolings by value and by rank beside torch's, timm's and kornia's, where these have the method."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from poolab.pooling import LSEPool2d, MedianPool2d, create_pool
from poolab.pooling import functional as P
from tests.pooling.support import CHANNELS, distinct, few, random_map

TORCH = {1: nn.LPPool1d, 2: nn.LPPool2d, 3: nn.LPPool3d}

# -- torch


@given(st.integers(0, 1000), st.sampled_from([1, 2, 3]), st.integers(1, 3), st.integers(1, 3), st.floats(1, 6))
@few(30)
def test_the_power_sum_is_torchs_in_every_dimension_on_positive_input(
    seed: int, dims: int, kernel: int, stride: int, p: float
):
    x = torch.from_numpy(random_map(seed, 1, 2, *(6, 5, 4)[:dims])).abs() + 0.1
    ours = create_pool("lp", dims=dims, kernel_size=kernel, stride=stride, p=p, norm="sum")(x)
    assert_close(ours, TORCH[dims](p, kernel, stride)(x))


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("p", [1.5, 3.0])
def test_torchs_power_sum_of_signed_input_is_nan(dims: int, p: float):
    """torch takes x^p and not |x|^p (pytorch/pytorch#184037, open; true of 2.13 and 2.15). Once mended, it is ours."""
    x = -distinct(1, 1, *(2,) * dims).abs()
    torchs, ours = TORCH[dims](p, 2)(x), create_pool("lp", dims=dims, kernel_size=2, p=p, norm="sum")(x)
    assert ours.isfinite().all()
    assert torchs.isnan().all() or torch.allclose(torchs, ours)


def test_torchs_power_sum_of_an_odd_power_can_be_negative_where_ours_is_not():
    """p = 1 in torch is the plain sum, of the signed taps."""
    x = torch.tensor([[[-1.0, -2.0], [0.5, -0.25]]])
    assert nn.LPPool2d(1, 2)(x).item() in (-2.75, 3.75)  # 3.75 once torch takes absolute values
    assert P.lp_pool2d(x, 2, p=1.0, norm="sum").item() == 3.75


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_torchs_power_sum_scales_cut_windows_as_whole_ones(dims: int):
    """The mean over the real taps times the taps of a whole window: 2^dims for one corner tap; ours is 1."""
    x = torch.ones(1, 1, *(3,) * dims)
    torchs = TORCH[dims](1, 2, ceil_mode=True)(x)
    ours = create_pool("lp", dims=dims, kernel_size=2, p=1.0, norm="sum", ceil_mode=True)(x)
    assert torchs.shape == ours.shape
    assert torchs.flatten()[-1].item() == 2.0**dims
    assert ours.flatten()[-1].item() == 1.0
    assert torchs.flatten()[0] == ours.flatten()[0] == 2.0**dims


def test_torchs_power_sum_overflows_and_vanishes_where_ours_does_not():
    for size, torchs in ((1e25, float("inf")), (1e-25, 0.0)):
        x = torch.full((1, 2, 2), size)
        assert nn.LPPool2d(2, 2)(x).item() == torchs
        assert P.lp_pool2d(x, 2, norm="sum").item() == pytest.approx(2 * size)


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 5))
@few(20)
def test_the_median_of_odd_windows_is_torchs(seed: int, height: int, width: int):
    """An even window differs: torch.median takes the lower of the two middle taps, ours is their mean."""
    x = torch.from_numpy(random_map(seed, 1, 1, height, width))
    low = x.flatten().median()
    high = -(-x).flatten().median()
    assert_close(P.median_pool2d(x, (height, width)).squeeze(), (low + high) / 2)
    assert height * width % 2 == 0 or low == high


# -- timm


@given(st.integers(0, 1000), st.floats(0.5, 20))
@few(20)
def test_log_mean_exp_over_the_map_is_timms(seed: int, r: float):
    pools = pytest.importorskip("timm.layers.other_pool")
    x = torch.from_numpy(random_map(seed, 2, CHANNELS, 5, 6))
    theirs = pools.LsePlus2d(r=r, r_learnable=False, flatten=False, dtype=torch.float64)
    assert_close(LSEPool2d((5, 6), r=r)(x), theirs(x))


def test_timms_learned_sharpness_is_a_number_that_can_be_zero():
    """timm's r is the parameter itself: at 0 its output is NaN. Ours is 0.0001 + exp(rho)."""
    pools = pytest.importorskip("timm.layers.other_pool")
    x, theirs = distinct(1, CHANNELS, 4, 4, dtype=torch.float32), pools.LsePlus2d()
    assert [name for name, _ in theirs.named_parameters()] == ["r"]
    with torch.no_grad():
        theirs.r.zero_()
    assert theirs(x).isnan().all()
    ours = LSEPool2d(4, learnable=True)
    with torch.no_grad():
        ours.log_r.fill_(-1e4)
    assert ours(x).isfinite().all()


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_median_of_complete_windows_is_timms_for_odd_counts_alone(kernel: int, stride: int):
    """For 2x2 timm takes the second largest from below (torch.median), so it is never above ours."""
    median_pool = pytest.importorskip("timm.layers.median_pool")
    x = distinct(2, CHANNELS, 7, 8)
    theirs, ours = median_pool.MedianPool2d(kernel, stride)(x), MedianPool2d(kernel, stride)(x)
    if kernel == 3:
        assert_close(ours, theirs)
    else:
        assert (theirs < ours).all()
        assert_close(ours, (theirs - median_pool.MedianPool2d(kernel, stride)(-x)) / 2)


def test_the_median_at_a_border_is_of_the_real_taps_and_not_of_a_reflection():
    """timm pads by reflection: a corner of 3x3 with padding 1 counts element (1, 1) four times; ours has 4 taps."""
    median_pool = pytest.importorskip("timm.layers.median_pool")
    x = distinct(1, 1, 5, 5)
    theirs, ours = median_pool.MedianPool2d(3, 1, 1)(x), MedianPool2d(3, 1, 1)(x)
    assert_close(ours[..., 1:-1, 1:-1], theirs[..., 1:-1, 1:-1])
    assert ours[0, 0, 0, 0] != theirs[0, 0, 0, 0]
    assert_close(ours[0, 0, 0, 0], x[0, 0, :2, :2].flatten().quantile(0.5))


def test_half_a_mixture_over_the_map_is_timms_avgmax():
    adaptive = pytest.importorskip("timm.layers.adaptive_avgmax_pool")
    x = distinct(2, CHANNELS, 5, 6)
    assert_close(P.mixed_pool2d(x, (5, 6), alpha=0.5), adaptive.SelectAdaptivePool2d(1, "avgmax")(x))


# -- kornia


def test_the_median_inside_a_map_is_kornias():
    """kornia's filter pads with zeros, so that the border of a positive map is darker; ours ranks the real taps."""
    kornia = pytest.importorskip("kornia")
    x = distinct(1, CHANNELS, 7, 8).abs()
    theirs, ours = kornia.filters.median_blur(x, (3, 3)), MedianPool2d(3, 1, 1)(x)
    assert_close(ours[..., 1:-1, 1:-1], theirs[..., 1:-1, 1:-1])
    assert (theirs[..., 0, 0] < ours[..., 0, 0]).all()
