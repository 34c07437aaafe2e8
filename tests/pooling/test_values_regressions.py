"""Known failures of public pooling code by value, rank and draw, each with its thread: poolab must not share them."""

import copy

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from poolab.pooling import AdaPool2d, GeMPool2d, LSEPool2d, create_pool
from poolab.pooling import functional as P
from tests.pooling.support import distinct

# -- one channel leaks into another


@pytest.mark.parametrize("channels", [1, 2, 8, 32])
def test_softpool_weighs_each_channel_by_itself(channels: int):
    """alexandrosstergiou/SoftPool#4, #31, #61; rentainhe/pytorch-pooling#2: exp is summed over the channels."""
    x = torch.randn(2, channels, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = P.softpool_pool2d(x, 2)
    assert torch.equal(y, torch.cat([P.softpool_pool2d(x[:, c : c + 1], 2) for c in range(channels)], 1))
    shared = x.exp().sum(1, keepdim=True)  # the published CPU path
    published = P.avg_pool2d(x * shared, 2) / P.avg_pool2d(shared, 2)
    assert ((published - y).abs().max() > 0.5) == (channels > 1), "the test would not see the fault"
    assert y.min() < 0, "the published path clamps at 0"


def test_softpool_with_a_stride_of_its_own_has_the_rows_of_the_window():
    """alexandrosstergiou/SoftPool#35: rows are mixed up where the stride is not the kernel size."""
    x = distinct(1, 2, 9, 9)
    y = P.softpool_pool2d(x, 3, 2)
    for i in range(4):
        taps = x[0, 0, 2 * i : 2 * i + 3, :3].flatten()
        assert_close(y[0, 0, i, 0], taps.softmax(0) @ taps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", [12.0, 100.0, 1e4, -120.0])
def test_means_by_exponentials_overflow_for_no_input(dtype: torch.dtype, size: float):
    """alexandrosstergiou/SoftPool#12 and haomo-ai/MotionSeg3D#9: NaN from exp; float16 has exp(12) = inf."""
    x = (size + torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])).to(dtype).requires_grad_()
    if size in (100.0, -120.0) and dtype == torch.float32:
        assert not ((x.exp() * x).sum() / x.exp().sum()).isfinite(), "the naive formula would do"
    for name in ("softpool", "lse", "adapool"):
        y = create_pool(name, kernel_size=2)(x)
        assert x.min() <= y.squeeze() <= x.max()
        assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()


# -- powers


@pytest.mark.parametrize("p", [1.5, 2.5, 3.0, 5.0])
def test_power_means_of_signed_input_are_finite(p: float):
    """pytorch/pytorch#184037; #6765, #6766 for the gradient of a window of zeros; davidsandberg/facenet#5."""
    x = torch.tensor([[[-1.0, -2.0, 0.0, 0.0], [0.5, -0.25, 0.0, 0.0]]], requires_grad=True)
    y = P.lp_pool2d(x, 2, p=p)
    assert_close(y[0, 0, 0], x[..., :2].abs().pow(p).mean().pow(1 / p))
    assert y[0, 0, 1] == 0
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.isfinite().all()
    assert gradient[..., 2:].eq(0).all()


@pytest.mark.parametrize("norm", ["mean", "sum"])
def test_a_window_that_ceil_mode_cuts_counts_its_own_taps(norm: str):
    """pytorch/pytorch, nn.functional.lp_pool2d: a corner tap of 1 gives 4 (2x2, p=1, ceil_mode), as a whole window.

    Read in the code; no thread found.
    """
    y = P.lp_pool2d(torch.ones(1, 3, 3), 2, p=1.0, norm=norm, ceil_mode=True)
    assert y.flatten().tolist() == ([1.0] * 4 if norm == "mean" else [4.0, 2.0, 2.0, 1.0])


@pytest.mark.parametrize("p", [0.0, -1.0])
def test_a_power_that_divides_by_zero_is_refused_by_name(p: float):
    """pytorch/pytorch#134841, #91593, #187861, #170771."""
    for name in ("lp", "gem"):
        with pytest.raises(ValueError, match=f"p must be a number .*found {p}"):
            create_pool(name, kernel_size=2, p=p)


def test_gem_in_half_precision_neither_vanishes_nor_loses_its_power():
    """filipradenovic/cnnimageretrieval-pytorch in float16: eps^3 = 0, so a dark window gives 0 and dy/dp is NaN.

    Read in the code; its issue 73 is about the clamp, no thread about half precision was found.
    """
    x = torch.full((1, 1, 2, 2), 1e-4, dtype=torch.float16)
    power = torch.tensor(3.0, dtype=torch.float16, requires_grad=True)
    naive = x.clamp(min=1e-6).pow(power).mean().pow(1 / power)
    assert naive == 0
    assert torch.autograd.grad(naive, power)[0].isnan()
    pool = GeMPool2d(2).half()
    y = pool(x)
    assert_close(y.squeeze(), x[0, 0, 0, 0])
    assert torch.autograd.grad(y.sum(), pool.log_p)[0].isfinite()


@pytest.mark.parametrize("p", [100.0, 200.0, 1e4])
def test_gem_with_a_large_power_is_nearly_the_maximum(p: float):
    """In float32 .27^200 is 0, and with it the published formula."""
    x = torch.tensor([[[0.27, 0.1], [0.2, 0.05]]])
    assert p == 100.0 or x.pow(p).mean().pow(1 / p) == 0
    assert 0.26 < P.gem_pool2d(x, 2, p=p).item() <= 0.27


def test_the_floor_of_gem_is_an_option():
    """filipradenovic/cnnimageretrieval-pytorch#73, open-mmlab/mmpretrain#677: the clamp could not be configured."""
    x = torch.tensor([[[-4.0, -2.0], [-1.0, -3.0]]])
    assert [P.gem_pool2d(x, 2, eps=eps).item() for eps in (0.5, 2.0)] == pytest.approx([0.5, 2.0])


# -- a learned sharpness


def test_a_learned_sharpness_never_reaches_zero():
    """VChristlein/dgmp#1: NaN with a learned r; at r = 0 the formula is 0/0."""
    x = distinct(2, 2, 6, 6, dtype=torch.float32)
    top, zero = x.amax((2, 3), keepdim=True), torch.zeros(())
    assert (top + (zero * (x - top)).exp().mean((2, 3), keepdim=True).log() / zero).isnan().all()
    pool = LSEPool2d(2, learnable=True)
    optimizer = torch.optim.SGD(pool.parameters(), lr=1e3)
    for _ in range(200):  # towards the mean, with steps that throw a free r far below 0
        optimizer.zero_grad()
        loss = (pool(x) - P.avg_pool2d(x, 2)).square().mean()
        loss.backward()
        optimizer.step()
        assert pool.arguments()["r"] >= 1e-4
    assert loss < 1e-6
    with torch.no_grad():
        pool.log_r.fill_(-1e4)  # exp gives 0 in float32
    assert_close(pool(x), P.avg_pool2d(x, 2), rtol=1e-3, atol=1e-3)
    gradients = torch.autograd.grad(pool(x.requires_grad_()).sum(), [x, pool.log_r])
    assert all(gradient.isfinite().all() for gradient in gradients)


# -- draws


def test_stochastic_pooling_does_not_draw_uniformly():
    """rentainhe/pytorch-pooling StochasticPool.py draws each tap with 1/n, in evaluation too (no thread found).

    What the draw has to be is asked in BVLC/caffe#1843.
    """
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]).expand(20_000, 1, 2, 2)
    pool = create_pool("stochastic", kernel_size=2, generator=torch.Generator().manual_seed(0))
    shares = [(pool(x) == value).double().mean().item() for value in (1.0, 2.0, 3.0, 4.0)]
    assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.015)
    assert pool.eval()(x[:1]).item() == 3.0


# -- adaPool


def test_adapool_takes_maps_of_any_size():
    """alexandrosstergiou/adaPool#5, #6, #13: beta had the size of one output map."""
    for sharing in ("layer", "channel"):
        pool = AdaPool2d(2, channels=3, sharing=sharing)
        state = copy.deepcopy(pool.state_dict())
        for size in (4, 7, 12):
            assert pool(torch.randn(1, 3, size, size)).shape == (1, 3, size // 2, size // 2)
        AdaPool2d(2, channels=3, sharing=sharing).load_state_dict(state, strict=True)


def test_adapool_of_zeros_is_zero_without_a_repair():
    """alexandrosstergiou/adaPool: DSC(0, 0) is 0/0, made 0 afterwards by nan_to_num, which also hides a true NaN."""
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    y = AdaPool2d(2, beta=1.0, learnable=False)(x)
    assert y.eq(0).all()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert_close(gradient, torch.full_like(x, 0.25))
    spoilt = torch.zeros(1, 1, 4, 4)
    spoilt[..., 0, 0] = torch.nan
    assert AdaPool2d(2)(spoilt).isnan().flatten().tolist() == [True, False, False, False]


def test_adapools_gradient_is_that_of_its_forward_and_not_the_weights_alone():
    """The published backward treats the weights as constants, so that it is never negative."""
    x = torch.tensor([[[0.0, 0.1], [0.2, 4.0]]], dtype=torch.float64, requires_grad=True)
    pool = AdaPool2d(2).double()
    assert torch.autograd.gradcheck(pool, distinct(1, 1, 4, 4).requires_grad_())
    assert torch.autograd.grad(pool(x).sum(), x)[0].min() < 0


# -- ranks


def test_the_median_of_an_even_window_is_not_the_lower_middle():
    """torch.median documents the lower of the two; timm's MedianPool2d takes it over for 2x2 windows."""
    x = torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])
    assert x.flatten().median().item() == 2.0
    assert P.median_pool2d(x, 2).item() == 2.5


@pytest.mark.parametrize("name", ["max", "min", "median", "avg_topk", "rank_weighted", "t_max_avg", "ordinal", "mixed"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_taps_do_not_multiply_the_gradient(name: str, value: float):
    """FluxML/NNlib.jl#86: each of several maxima got the whole gradient; y(x + c) = y(x) + c asks for a sum of 1."""
    pool = create_pool(name, kernel_size=3, stride=3, padding=1, channels=1).double()
    x = torch.full((1, 1, 8, 8), value, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(pool(x).sum(), x)
    assert_close(sums(gradient), torch.ones(3, 3, dtype=torch.float64))


def sums(gradient: Tensor) -> Tensor:
    """Over the windows of 3x3 with padding 1 on an 8x8 map: rows and columns 0-1, 2-4, 5-7."""
    rows = torch.stack([part.sum(0) for part in gradient[0, 0].split([2, 3, 3], 0)])
    return torch.stack([part.sum(1) for part in rows.split([2, 3, 3], 1)], 1)
