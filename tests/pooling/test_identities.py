"""What the methods are to each other: identities and bounds that hold for any map."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from poolab.pooling import create_pool, get_pool
from poolab.pooling import functional as P
from tests.pooling.oracles import Shape
from tests.pooling.support import CHANNELS, HEADS, WINDOWS, distinct, few, fits, make, random_map

# A convex mean of its window's real taps: between the smallest and the largest, and a constant stays that constant.
CONVEX = ["max", "min", "mixed", "softpool", "avg_topk", "rank_avg", "rank_weighted", "rank_stochastic"]
CONVEX += ["median", "lse", "mixed_random", "adapool", "weighted", "t_max_avg"]
SHIFTED = [name for name in CONVEX if name not in ("adapool", "weighted", "t_max_avg")]  # y(x + c) = y(x) + c
SCALED = ["max", "avg", "min", "lp", "mixed", "avg_topk", "rank_weighted", "stochastic"]  # y(a x) = a y(x), a > 0
SCALED += ["median", "lehmer", "mam", "weighted", "mixed_random", "max_dropout"]


@st.composite
def cases(draw: st.DrawFn, positive: bool = False) -> tuple[Tensor, dict]:
    """A map and a geometry that fits on it."""
    kernel, padding = draw(st.integers(1, 4)), draw(st.integers(0, 2))
    shape = Shape(
        *[(kernel,) * 2, (draw(st.integers(1, 3)),) * 2, (min(padding, kernel // 2),) * 2],
        dilation=(draw(st.integers(1, 2)),) * 2,
        ceil_mode=draw(st.booleans()),
    )
    height, width = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda size: fits(shape, *size)))
    x = torch.from_numpy(random_map(draw(st.integers(0, 1000)), 1, CHANNELS, height, width))
    return (x.abs() + 0.1 if positive else x), shape.arguments


def taps_of(geometry: dict) -> int:
    return geometry["kernel_size"][0] * geometry["kernel_size"][1]


def mean(x: Tensor, geometry: dict) -> Tensor:
    return P.avg_pool2d(x, **geometry, count_include_pad=False)


# -- order statistics


@given(cases())
@few(40)
def test_the_means_of_the_largest_run_from_the_maximum_to_the_mean(case: tuple[Tensor, dict]):
    x, geometry = case
    previous = P.max_pool2d(x, **geometry)
    assert_close(P.avg_topk_pool2d(x, **geometry, k=1), previous)
    assert_close(P.avg_topk_pool2d(x, **geometry, k=taps_of(geometry)), mean(x, geometry))
    for k in range(2, taps_of(geometry) + 1):
        ranked = P.avg_topk_pool2d(x, **geometry, k=k)
        assert torch.equal(P.rank_avg_pool2d(x, **geometry, t=k), ranked)
        assert (ranked <= previous + 1e-9).all()
        previous = ranked


@given(cases())
@few(40)
def test_min_is_the_negated_max_of_the_negated(case: tuple[Tensor, dict]):
    x, geometry = case
    assert torch.equal(P.min_pool2d(x, **geometry), -P.max_pool2d(-x, **geometry))


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_the_published_rank_weights_sum_to_less_than_one(alpha: float, kernel: int):
    ones = torch.ones(1, 1, 6, 6, dtype=torch.float64)
    output = P.rank_weighted_pool2d(ones, kernel, alpha=alpha, normalize=False)
    assert_close(output, torch.full_like(output, 1 - (1 - alpha) ** (kernel * kernel)))
    assert_close(P.rank_weighted_pool2d(ones, kernel, alpha=alpha), torch.ones_like(output))


@given(cases())
@few(30)
def test_rank_weights_go_to_the_maximum_and_to_the_mean(case: tuple[Tensor, dict]):
    x, geometry = case
    largest = P.max_pool2d(x, **geometry)
    assert torch.equal(P.rank_weighted_pool2d(x, **geometry, alpha=1.0), largest)
    assert torch.equal(P.rank_stochastic_pool2d(x, **geometry, alpha=1.0), largest)
    assert_close(P.rank_weighted_pool2d(x, **geometry, alpha=1 - 1e-9), largest, rtol=0, atol=1e-6)
    assert_close(P.rank_weighted_pool2d(x, **geometry, alpha=1e-6), mean(x, geometry), rtol=0, atol=1e-3)


@given(cases())
@few(30)
def test_a_drawn_rank_is_a_tap_and_its_expectation_the_weighted_mean(case: tuple[Tensor, dict]):
    x, geometry = case
    assert torch.equal(P.rank_stochastic_pool2d(x, **geometry, training=False), P.rank_weighted_pool2d(x, **geometry))
    drawn = P.rank_stochastic_pool2d(x, **geometry, generator=torch.Generator().manual_seed(0))
    assert torch.isin(drawn, x).all()


# -- stochastic


@given(cases(positive=True))
@few(40)
def test_stochastic_pooling_lies_between_mean_and_maximum(case: tuple[Tensor, dict]):
    x, geometry = case
    y = P.stochastic_pool2d(x, **geometry, training=False)
    assert (y >= mean(x, geometry) - 1e-9).all()
    assert (y <= P.max_pool2d(x, **geometry) + 1e-9).all()
    n = mean(torch.ones_like(x), geometry)  # n cancels: the evaluation is the mean square over the mean
    assert_close(y, mean(x.square(), geometry) / mean(x, geometry) * n)


@given(cases())
@few(30)
def test_stochastic_pooling_draws_positive_taps_and_zero_where_there_are_none(case: tuple[Tensor, dict]):
    x, geometry = case
    drawn = P.stochastic_pool2d(x, **geometry, generator=torch.Generator().manual_seed(0))
    assert torch.isin(drawn[drawn != 0], x[x > 0]).all()
    assert torch.equal(drawn == 0, P.max_pool2d(x, **geometry) <= 0)


# -- softpool


@given(cases(), st.floats(0.05, 20))
@few(40)
def test_softpool_lies_between_mean_and_maximum(case: tuple[Tensor, dict], temperature: float):
    x, geometry = case
    y = P.softpool_pool2d(x, **geometry, temperature=temperature)
    assert (y >= mean(x, geometry) - 1e-9).all()
    assert (y <= P.max_pool2d(x, **geometry) + 1e-9).all()


@given(cases())
@few(30)
def test_softpool_goes_to_the_maximum_and_to_the_mean(case: tuple[Tensor, dict]):
    x, geometry = case
    for cold in (1e-6, 1e-12):
        assert_close(P.softpool_pool2d(x, **geometry, temperature=cold), P.max_pool2d(x, **geometry), rtol=0, atol=1e-5)
    for hot in (1e7, 1e12):
        assert_close(P.softpool_pool2d(x, **geometry, temperature=hot), mean(x, geometry), rtol=0, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_softpools_gradient_is_the_true_one(temperature: float):
    x = (5 * distinct(1, 1, 3, 3)).requires_grad_()
    y = P.softpool_pool2d(x, 3, temperature=temperature)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    weights = (x.detach() / temperature).flatten().softmax(0).view_as(x)
    assert_close(gradient, weights * (1 + (x.detach() - y.detach()) / temperature))
    assert (gradient < 0).any(), "the published kernel's gradient, the weights alone, is never negative"


# -- power means


@given(cases())
@few(40)
def test_power_means_run_from_the_mean_to_the_maximum_of_the_absolute_values(case: tuple[Tensor, dict]):
    x, geometry = case
    assert_close(P.lp_pool2d(x, **geometry, p=1.0), mean(x.abs(), geometry))
    largest = P.max_pool2d(x.abs(), **geometry)
    assert torch.equal(P.lp_pool2d(x, **geometry, p=float("inf")), largest)
    assert_close(P.lp_pool2d(x, **geometry, p=1e5), largest, rtol=1e-3, atol=1e-12)
    powers = [P.lp_pool2d(x, **geometry, p=p) for p in (1.0, 1.5, 2.0, 4.0, 30.0, float("inf"))]
    assert all((low <= high + 1e-9).all() for low, high in pairwise(powers))


@given(cases(), st.floats(1, 8))
@few(30)
def test_the_power_sum_is_the_power_mean_times_the_root_of_the_count(case: tuple[Tensor, dict], p: float):
    x, geometry = case
    n = P.lp_pool2d(torch.ones_like(x), **geometry, p=1.0, norm="sum")
    assert_close(
        P.lp_pool2d(x, **geometry, p=p, norm="sum"), n ** (1 / p) * P.lp_pool2d(x, **geometry, p=p), rtol=1e-9, atol=0
    )


@given(st.integers(0, 1000), st.integers(1, 3), st.integers(1, 3), st.floats(1, 6))
@few(30)
def test_the_power_sum_is_torchs_on_positive_complete_windows(seed: int, kernel: int, stride: int, p: float):
    x = torch.from_numpy(random_map(seed, 1, 2, 7, 8)).abs() + 0.1
    assert_close(P.lp_pool2d(x, kernel, stride, p=p, norm="sum"), nn.LPPool2d(p, kernel, stride)(x))


# -- mixtures, controls


@given(cases(), st.floats(0, 1))
@few(40)
def test_mixed_runs_from_the_mean_to_the_maximum(case: tuple[Tensor, dict], alpha: float):
    x, geometry = case
    largest, average = P.max_pool2d(x, **geometry), mean(x, geometry)
    assert torch.equal(P.mixed_pool2d(x, **geometry, alpha=1.0), largest)
    assert torch.equal(P.mixed_pool2d(x, **geometry, alpha=0.0), average)
    assert_close(P.mixed_pool2d(x, **geometry, alpha=alpha), alpha * largest + (1 - alpha) * average)


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))
@few(30)
def test_subsampling_is_a_slice(seed: int, stride: int, more_rows: int, more_columns: int):
    x = torch.from_numpy(random_map(seed, 1, 2, 2 * stride + more_rows, 3 * stride + more_columns))
    y = P.subsample_pool2d(x, stride)
    assert torch.equal(y, x[..., ::stride, ::stride][..., : y.shape[-2], : y.shape[-1]])


@given(cases())
@few(30)
def test_a_strided_convolution_is_torchs(case: tuple[Tensor, dict]):
    x, geometry = case
    if geometry["ceil_mode"]:
        geometry = geometry | {"ceil_mode": False}
    torch.manual_seed(0)
    pool = create_pool("strided_conv", channels=CHANNELS, **geometry).double()
    g = pool.geometry
    if min(g.output_size(*x.shape[-2:])) > 0:
        expected = nn.functional.conv2d(x, pool.conv.weight, pool.conv.bias, g.stride, g.padding, g.dilation)
        assert_close(pool(x), expected)


@given(cases(), st.booleans())
@few(30)
def test_average_pooling_is_torchs(case: tuple[Tensor, dict], count_include_pad: bool):
    x, geometry = case
    if geometry["dilation"] == (1, 1):
        torchs = {name: value for name, value in geometry.items() if name != "dilation"}
        expected = nn.AvgPool2d(**torchs, count_include_pad=count_include_pad)(x)
        assert torch.equal(P.avg_pool2d(x, **geometry, count_include_pad=count_include_pad), expected)


# -- heads


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9))
@few(30)
def test_one_bin_is_the_whole_map_and_a_bin_for_each_position_the_map(seed: int, height: int, width: int):
    x = torch.from_numpy(random_map(seed, 2, CHANNELS, height, width))
    for kind in ("avg", "max"):
        adaptive, whole = getattr(P, f"adaptive_{kind}_pool2d"), getattr(P, f"global_{kind}_pool2d")
        assert_close(adaptive(x, output_size=1), whole(x))
        assert torch.equal(adaptive(x, output_size=(height, width)), x)
    assert_close(P.global_avg_pool2d(x), P.avg_pool2d(x, (height, width)))
    assert_close(P.global_max_pool2d(x), P.max_pool2d(x, (height, width)))


def test_a_ties_gradient_goes_to_the_first_element_of_the_map():
    x = torch.zeros(1, 1, 3, 3, requires_grad=True)
    for pool in (make("global_max"), make("adaptive_max")):
        (gradient,) = torch.autograd.grad(pool(x).sum(), x)
        assert gradient.flatten().tolist() == [1.0] + [0.0] * 8


# -- bounds and symmetries


@pytest.mark.parametrize("name", CONVEX)
def test_a_convex_mean_stays_within_its_window(name: str):
    @given(cases())
    @few(20)
    def check(case: tuple[Tensor, dict]):
        x, geometry = case
        pool = create_pool(name, **geometry, **shrunk(name, geometry)).eval()
        y = pool(x)
        assert (y <= P.max_pool2d(x, **geometry) + 1e-9).all()
        assert (y >= P.min_pool2d(x, **geometry) - 1e-9).all()
        assert_close(pool(torch.full_like(x, -1.25)), torch.full_like(y, -1.25))

    check()


@pytest.mark.parametrize("name", SHIFTED)
def test_a_shift_of_the_input_shifts_the_output(name: str):
    @given(cases(), st.floats(-50, 50))
    @few(20)
    def check(case: tuple[Tensor, dict], shift: float):
        x, geometry = case
        pool = create_pool(name, **geometry, **shrunk(name, geometry)).eval()
        assert_close(pool(x + shift), pool(x) + shift)

    check()


@pytest.mark.parametrize("name", SCALED)
def test_a_positive_factor_comes_out_as_it_went_in(name: str):
    x, pool = torch.from_numpy(random_map(2, 1, CHANNELS, 7, 7)), make(name, dtype=torch.float64)
    for factor in (1e-3, 3.0, 1e6):
        assert_close(pool(factor * x), factor * pool(x))


FEATURES = {"bilinear", "compact_bilinear", "spp"}  # their outputs are no channels
# Matrix products over the whole batch: a row's sum is rounded by where the row stands (seen with torch 2.14's oneMKL).
PRODUCTS = {"flc", "spectral"}


@pytest.mark.parametrize("name", [n for n in WINDOWS + HEADS if get_pool(n).learns != "always" and n not in FEATURES])
def test_each_sample_and_channel_is_pooled_for_itself(name: str):
    x, pool = torch.from_numpy(random_map(2, 3, 4, 7, 7)), make(name, dtype=torch.float64)
    order = np.array([2, 0, 3, 1])
    for own, all_at_once in ((pool(x[:, order]), pool(x)[:, order]), (pool(x[1:2]), pool(x)[1:2])):
        if name in PRODUCTS:
            assert_close(own, all_at_once, rtol=1e-14, atol=1e-14)
        else:
            assert torch.equal(own, all_at_once)
    if name in PRODUCTS:  # to the last bit at its own place, whatever stands beside it
        others = torch.from_numpy(random_map(3, 3, 4, 7, 7))
        others[1, 2] = x[1, 2]
        assert torch.equal(pool(others)[1, 2], pool(x)[1, 2])


def shrunk(name: str, geometry: dict) -> dict:
    """Two of the largest taps, or one where the window has no more."""
    return {option: min(2, taps_of(geometry)) for option in {"k", "t"} & set(get_pool(name).options)}


def test_a_missing_tap_ranks_behind_a_real_minus_infinity():
    """At a border the window of avg_topk has four real taps of nine; its real -inf counts, the padding does not."""
    x = torch.tensor([[[1.0, -torch.inf], [2.0, 3.0]]], dtype=torch.float64)
    for k in (3, 4, 5):
        corner = P.avg_topk_pool2d(x, 3, 2, 1, k=k)[0, 0, 0].item()
        assert corner == (2.0 if k == 3 else -torch.inf)
