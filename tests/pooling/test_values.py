"""Identities of the poolings by value: GeM, log-mean-exp, Lehmer, MAM, adaPool, entropy weights."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from poolab.pooling import GeMPool2d, create_pool
from poolab.pooling import functional as P
from tests.pooling.support import CHANNELS, distinct, few
from tests.pooling.test_identities import cases, mean

INF = float("inf")


def window(*taps: float) -> Tensor:
    """One window 1 x n, in float64."""
    return torch.tensor(taps, dtype=torch.float64).view(1, 1, 1, -1)


def over(function, x: Tensor, **options) -> float:
    """The method over the whole of a window that `window` made."""
    return function(x, tuple(x.shape[2:]), **options).item()


# -- GeM


@given(cases(positive=True))
@few(20)
def test_gem_runs_from_the_geometric_mean_over_the_mean_to_the_maximum(case: tuple[Tensor, dict]):
    x, geometry = case
    largest = P.max_pool2d(x, **geometry)
    assert_close(P.gem_pool2d(x, **geometry, p=1.0), mean(x, geometry))
    assert_close(P.gem_pool2d(x, **geometry, p=1e-9), mean(x.log(), geometry).exp(), rtol=1e-6, atol=0)
    assert torch.equal(P.gem_pool2d(x, **geometry, p=INF), largest)
    assert_close(P.gem_pool2d(x, **geometry, p=1e5), largest, rtol=1e-3, atol=0)
    powers = [P.gem_pool2d(x, **geometry, p=p) for p in (0.01, 0.5, 1.0, 2.0, 4.0, 30.0, INF)]
    assert all((low <= high * (1 + 1e-12)).all() for low, high in pairwise(powers))


@given(cases(), st.floats(1, 9))
@few(20)
def test_gem_is_the_power_mean_of_the_clamped_taps(case: tuple[Tensor, dict], p: float):
    x, geometry = case
    assert_close(P.gem_pool2d(x, **geometry, p=p, eps=0.25), P.lp_pool2d(x.clamp(min=0.25), **geometry, p=p))


def test_gem_for_each_channel_has_a_power_for_each():
    pool = GeMPool2d(2, channels=2, per_channel=True).double()
    assert pool.log_p.shape == (2, 1, 1)
    with torch.no_grad():
        pool.log_p.copy_(torch.tensor([0.0, 1.5]).view(2, 1, 1))
    x = distinct(1, 2, 6, 6).abs() + 0.1
    expected = [P.gem_pool2d(x[:, c : c + 1], 2, p=pool.log_p[c].exp().item()) for c in (0, 1)]
    assert_close(pool(x), torch.cat(expected, 1))
    with pytest.raises(ValueError, match="GeMPool2d: per_channel=True needs channels"):
        GeMPool2d(2, per_channel=True)
    assert create_pool("gem", kernel_size=2, channels=3, dims=3, per_channel=True).log_p.shape == (3, 1, 1, 1)


# -- log-mean-exp


@given(cases())
@few(20)
def test_log_mean_exp_runs_from_the_mean_to_the_maximum(case: tuple[Tensor, dict]):
    x, geometry = case
    largest, average = P.max_pool2d(x, **geometry), mean(x, geometry)
    for small in (1e-12, 1e-7):
        assert_close(P.lse_pool2d(x, **geometry, r=small), average, rtol=0, atol=1e-5)
    for large in (1e7, 1e12):
        assert_close(P.lse_pool2d(x, **geometry, r=large), largest, rtol=0, atol=1e-5)
    sharper = [P.lse_pool2d(x, **geometry, r=r) for r in (0.01, 0.3, 1.0, 5.0, 50.0)]
    assert all((low <= high + 1e-9).all() for low, high in pairwise([average, *sharper, largest]))


def test_the_gradient_of_log_mean_exp_is_a_softmax():
    x = (5 * distinct(1, 1, 3, 3)).requires_grad_()
    (gradient,) = torch.autograd.grad(P.lse_pool2d(x, 3, r=2.0).sum(), x)
    assert_close(gradient, (2 * x.detach()).flatten().softmax(0).view_as(x))


def test_log_mean_exp_keeps_its_digits_where_it_is_nearly_the_mean():
    """log(mean(exp(r x))) / r in float32 is 0 for r = 1e-9; expm1 and log1p lose nothing."""
    x = window(1.0, 2.0, 4.0, 3.0).float()
    assert (1e-9 * x).exp().mean().log().item() == 0.0
    assert over(P.lse_pool2d, x, r=1e-9) == 2.5


# -- Lehmer


@given(cases())
@few(20)
def test_the_lehmer_mean_is_what_stochastic_pooling_evaluates(case: tuple[Tensor, dict]):
    x, geometry = case
    assert_close(P.lehmer_pool2d(x, **geometry, a=1.0), P.stochastic_pool2d(x, **geometry, training=False))


@given(cases(positive=True))
@few(20)
def test_the_lehmer_mean_runs_from_the_mean_to_the_maximum(case: tuple[Tensor, dict]):
    x, geometry = case
    average, largest = mean(x, geometry), P.max_pool2d(x, **geometry)
    assert_close(P.lehmer_pool2d(x, **geometry, a=0.0), average)
    assert_close(P.lehmer_pool2d(x, **geometry, a=1e-9), average, rtol=1e-6, atol=0)
    assert_close(P.lehmer_pool2d(x, **geometry, a=1e6), largest, rtol=1e-3, atol=0)
    steps = [P.lehmer_pool2d(x, **geometry, a=a) for a in (0.0, 0.5, 1.0, 3.0, 20.0)]
    assert all((low <= high + 1e-9).all() for low, high in pairwise([*steps, largest]))


def test_the_lehmer_mean_takes_negative_taps_as_zeros():
    assert over(P.lehmer_pool2d, window(1.0, -2.0, 3.0, 0.0)) == 2.5
    assert over(P.lehmer_pool2d, window(1.0, -2.0, 3.0, 0.0), a=0.0) == 1.0
    x = window(-1.0, -2.0, 0.0).requires_grad_()
    output = P.lehmer_pool2d(x, (1, 3), a=0.5)
    assert output.item() == 0.0
    assert torch.autograd.grad(output.sum(), x)[0].eq(0).all()


@pytest.mark.parametrize("a", [0.1, 0.5, 1.0, 2.0])
def test_the_lehmer_mean_has_a_finite_gradient_beside_zeros(a: float):
    """x^a has no finite slope at 0 for a < 1; a tap that is 0 has the gradient 0."""
    x = window(0.0, 1.0, -0.0, 2.0, -3.0).requires_grad_()
    power = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    gradients = torch.autograd.grad(lehmer(x, power), [x, power])
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert gradients[0].flatten()[[0, 2, 4]].eq(0).all()


def lehmer(x: Tensor, a: Tensor) -> Tensor:
    """The formula with a power that has a gradient, over one window."""
    pool = create_pool("lehmer", kernel_size=tuple(x.shape[2:]))
    return type(pool).compute(x, pool.geometry, a=a).sum()


# -- MAM


def test_mam_takes_the_range_where_it_is_above_the_mean():
    assert over(P.mam_pool2d, window(1.0, 2.0, 4.0, 3.0)) == 3.0
    assert over(P.mam_pool2d, window(3.0, 3.0, 4.0, 2.0)) == 3.5
    assert over(P.mam_pool2d, window(1.0, 3.0)) == 2.5  # the range is the mean: (max + mean) / 2
    for constant in (0.0, 2.5, INF):
        assert over(P.mam_pool2d, window(*[constant] * 4)) == constant
    for constant in (-0.5, -INF):
        assert over(P.mam_pool2d, window(*[constant] * 4)) == 0.0


# -- adaPool


@given(cases())
@few(20)
def test_adapool_is_softpool_at_one_end_and_a_blend_between(case: tuple[Tensor, dict]):
    x, geometry = case
    soft, alike = P.softpool_pool2d(x, **geometry), P.adapool_pool2d(x, **geometry, beta=1.0)
    assert torch.equal(P.adapool_pool2d(x, **geometry, beta=0.0), soft)
    assert_close(P.adapool_pool2d(x, **geometry, beta=0.3), 0.3 * alike + 0.7 * soft)


@given(cases(), st.floats(1e-3, 1e3))
@few(20)
def test_the_weights_by_likeness_do_not_depend_on_the_scale(case: tuple[Tensor, dict], factor: float):
    x, geometry = case
    y = P.adapool_pool2d(x, **geometry, beta=1.0)
    for scale in (factor, -factor):
        # a tap and a mean of exactly 0 are alike; a rounded mean is no 0, so integers times 2^k
        exact = 2.0 ** torch.tensor(scale).abs().log2().round().item() * (1 if scale > 0 else -1)
        assert_close(P.adapool_pool2d(exact * x, **geometry, beta=1.0), exact * y)


def test_the_likeness_weighs_the_taps_near_the_mean():
    """Taps 1, 1, 4 with mean 2: DSC 0.8 for each (2 * 1 * 2 / 5 and 2 * 4 * 2 / 20), so the mean itself."""
    assert over(P.adapool_pool2d, window(1.0, 1.0, 4.0), beta=1.0) == pytest.approx(2.0)
    e = torch.e
    assert over(P.adapool_pool2d, window(0.0, 1.0), beta=1.0) == pytest.approx(e**0.8 / (1 + e**0.8))


# -- entropy weights


def test_entropy_weights_by_hand():
    """Shares 1/4 and 3/4: weights 1/4 log 4 and 3/4 log(4/3)."""
    a, b = 0.25 * 1.3862943611198906, 0.75 * 0.28768207245178085
    assert over(P.weighted_pool2d, window(1.0, 3.0)) == pytest.approx((a + 3 * b) / (a + b))
    assert over(P.weighted_pool2d, window(-1.0, 3.0)) == pytest.approx((-a + 3 * b) / (a + b))


@given(cases())
@few(20)
def test_entropy_weights_are_those_of_each_taps_part_of_the_entropy(case: tuple[Tensor, dict]):
    """By whole maps: sums of |x| log|x| and the like, made by average pooling."""
    x, geometry = case
    whole = mean(x.abs(), geometry)
    plogp = lambda values: torch.special.xlogy(values, values)  # noqa: E731
    # sum p log p x = (sum |x| log|x| x - log S sum |x| x) / S with S = sum |x| = count * mean
    count = _counts(x, geometry)
    s = (count * whole).clamp(min=1e-300)
    top = mean(plogp(x.abs()) * x, geometry) - s.log() * mean(x.abs() * x, geometry)
    bottom = mean(plogp(x.abs()), geometry) - s.log() * whole
    certain = (bottom / whole.clamp(min=1e-300)).abs() < 1e-9
    expected = torch.where(certain, count * mean(x, geometry), top / bottom.masked_fill(certain, 1.0))
    assert_close(P.weighted_pool2d(x, **geometry), expected, rtol=1e-6, atol=1e-9)


def _counts(x: Tensor, geometry: dict) -> Tensor:
    return P.lp_pool2d(torch.ones_like(x), **geometry, p=1.0, norm="sum")


def test_a_tap_that_dwarfs_the_others_keeps_their_information():
    """In float32 the share of 1e4 beside 1e-4 rounds to 1, and -p log p by that to 0; its complement does not."""
    x = window(1e4, 1e-4)
    assert over(P.weighted_pool2d, x.float()) == pytest.approx(over(P.weighted_pool2d, x), rel=1e-5)
    assert over(P.weighted_pool2d, x) > 100


def test_channels_do_not_mix():
    x = distinct(1, CHANNELS, 6, 6)
    for name in ("gem", "lse", "lehmer", "mam", "adapool", "weighted"):
        pool = create_pool(name, kernel_size=2)
        assert_close(pool(x)[:, :1], pool(x[:, :1]))
