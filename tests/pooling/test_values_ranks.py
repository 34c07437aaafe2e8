"""Identities of the poolings by rank and by draw: median, T-Max-Avg, ordinal, mixed by draw, max dropout."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from poolab.pooling import MaxDropoutPool2d, MedianPool2d, MixedRandomPool2d, OrdinalPool2d, create_pool
from poolab.pooling import functional as P
from tests.pooling.support import CHANNELS, distinct, few
from tests.pooling.test_identities import cases, mean, taps_of

INF = float("inf")

# -- median


@given(cases())
@few(15)
def test_the_median_commutes_with_every_monotone_function_of_odd_windows(case: tuple[Tensor, dict]):
    x, geometry = case
    odd = geometry | {"kernel_size": (3, 3), "padding": (0, 0), "dilation": (1, 1), "ceil_mode": False}
    if min(x.shape[2:]) >= 3:
        assert_close(P.median_pool2d(x.pow(3) + x, **odd), (lambda y: y.pow(3) + y)(P.median_pool2d(x, **odd)))
    assert torch.equal(P.median_pool2d(-x, **geometry), -P.median_pool2d(x, **geometry))


def test_the_median_of_an_even_window_is_the_mean_of_its_middle_taps():
    x = torch.tensor([[[9.0, 1.0, 2.0, 4.0]]], requires_grad=True)
    y = MedianPool2d((1, 4))(x)
    assert y.item() == 3.0
    assert torch.autograd.grad(y.sum(), x)[0].flatten().tolist() == [0.0, 0.0, 0.5, 0.5]


# -- T-Max-Avg


@given(cases(), st.integers(1, 9), st.sampled_from(["all", "max", "mean"]))
@few(20)
def test_t_max_avg_is_the_maximum_below_every_threshold_and_avg_topk_above(
    case: tuple[Tensor, dict], k: int, rule: str
):
    x, geometry = case
    k = min(k, taps_of(geometry))
    relu = x.relu()
    for threshold in (0.0, -1.0):
        low = P.t_max_avg_pool2d(relu, **geometry, k=k, threshold=threshold, rule=rule)
        assert torch.equal(low, P.max_pool2d(relu, **geometry))
    high = P.t_max_avg_pool2d(x, **geometry, k=k, threshold=INF, rule=rule)
    assert torch.equal(high, P.avg_topk_pool2d(x, **geometry, k=k))


@given(cases(), st.integers(1, 9), st.floats(-3, 3))
@few(15)
def test_t_max_avg_is_stricter_for_all_than_for_the_mean_than_for_the_maximum(
    case: tuple[Tensor, dict], k: int, threshold: float
):
    x, geometry = case
    k = min(k, taps_of(geometry))
    rules = [P.t_max_avg_pool2d(x, **geometry, k=k, threshold=threshold, rule=r) for r in ("all", "mean", "max")]
    assert (rules[0] <= rules[1]).all()
    assert (rules[1] <= rules[2]).all()


def test_t_max_avg_at_a_border_asks_the_taps_that_are_there():
    """A corner of 3x3 with padding 1 has four taps; all of them pass, although they are fewer than k = 6."""
    x = distinct(1, 1, 4, 4).abs() + 1
    passing, failing = (P.t_max_avg_pool2d(x, 3, 2, 1, k=6, threshold=t)[0, 0, 0, 0] for t in (1.0, 9.0))
    assert passing == x[0, 0, :2, :2].max()
    assert_close(failing, x[0, 0, :2, :2].mean())


@pytest.mark.parametrize(("rule", "share"), [("all", 0.54), ("mean", 0.84), ("max", 0.96)])
def test_the_three_published_rules_are_three_methods(rule: str, share: float):
    """Uniform numbers, 3x3 windows, k = 3, T = 0.7: the share of the windows that give their maximum."""
    x = torch.rand(1, 1, 300, 300, generator=torch.Generator().manual_seed(0))
    is_max = P.t_max_avg_pool2d(x, 3, rule=rule) == P.max_pool2d(x, 3)
    assert is_max.float().mean().item() == pytest.approx(share, abs=0.015)


# -- ordinal


def ordinal(geometry: dict, weights: list[float]) -> OrdinalPool2d:
    """One set of weights for the layer; 0 becomes e^-800, which is 0 in float64."""
    pool = OrdinalPool2d(**geometry, sharing="layer").double()
    with torch.no_grad():
        pool.logits.copy_(torch.tensor([math.log(w) if w > 0 else -800.0 for w in weights]))
    return pool


@given(cases())
@few(15)
def test_ordinal_pooling_contains_the_methods_by_rank(case: tuple[Tensor, dict]):
    x, geometry = case
    n = taps_of(geometry)
    unit = torch.eye(n).tolist()
    assert_close(ordinal(geometry, [1.0] * n)(x), mean(x, geometry))
    assert_close(ordinal(geometry, unit[0])(x), P.max_pool2d(x, **geometry))
    alpha = [0.3 * 0.7**r for r in range(n)]
    assert_close(ordinal(geometry, alpha)(x), P.rank_weighted_pool2d(x, **geometry, alpha=0.3))
    k = (n + 1) // 2
    assert_close(ordinal(geometry, [float(r < k) for r in range(n)])(x), P.avg_topk_pool2d(x, **geometry, k=k))
    whole = geometry | {"padding": (0, 0), "ceil_mode": False}
    pool = ordinal(whole, unit[n - 1])
    if min(pool.geometry.output_size(*x.shape[2:])) > 0:
        assert_close(pool(x), P.min_pool2d(x, **whole))
        middle = [float(r in ((n - 1) // 2, n // 2)) for r in range(n)]
        assert_close(ordinal(whole, middle)(x), P.median_pool2d(x, **whole))


def test_a_border_window_takes_the_first_weights_however_small():
    """All weight on the last rank: a window of four real taps of nine still has a mean of its own, not 0/0."""
    geometry = {"kernel_size": 3, "stride": 2, "padding": 1}
    x = distinct(1, 1, 4, 4)
    corner = ordinal(geometry, [0.0] * 8 + [1.0])(x)[0, 0, 0, 0]
    assert_close(corner, x[0, 0, :2, :2].mean())  # the weights of ranks 1 to 4 are equal


@pytest.mark.parametrize("sharing", ["channel", "layer"])
@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_ordinal_pooling_starts_as_it_says(sharing: str, kernel: int):
    n, x = kernel * kernel, distinct(1, CHANNELS, 6, 6)
    shape = (CHANNELS, n) if sharing == "channel" else (n,)
    made = {
        init: OrdinalPool2d(kernel, channels=CHANNELS, init=init, sharing=sharing).double()
        for init in ("uniform", "avg", "max")
    }
    for pool in made.values():
        pool.reset_parameters()
        assert pool.logits.shape == shape
    assert_close(made["avg"](x), P.avg_pool2d(x, kernel))
    first = made["max"].logits.softmax(-1)[..., 0]
    assert_close(first, torch.full_like(first, 0.99 if n > 1 else 1.0))
    drawn = made["uniform"].logits.detach().clone()
    assert drawn.isfinite().all()
    assert ((drawn > math.log(1e-3) - 1e-6) & (drawn < 0)).all()
    torch.manual_seed(3)
    made["uniform"].reset_parameters()
    again = made["uniform"].logits.detach().clone()
    assert not torch.equal(again, drawn)
    torch.manual_seed(3)
    made["uniform"].reset_parameters()
    assert torch.equal(made["uniform"].logits, again)
    assert sharing == "layer" or not torch.equal(again[0], again[1])


def test_ordinal_pooling_learns_a_median():
    torch.manual_seed(0)
    x = torch.randn(4, CHANNELS, 12, 12, dtype=torch.float64)
    pool = OrdinalPool2d(3, channels=CHANNELS).double()
    optimizer = torch.optim.Adam(pool.parameters(), lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (pool(x) - P.median_pool2d(x, 3)).square().mean()
        loss.backward()
        optimizer.step()
    assert (pool.logits.softmax(-1)[:, 4] > 0.9).all()


def test_ordinal_pooling_stays_finite_after_large_steps():
    x = distinct(2, CHANNELS, 7, 8, dtype=torch.float32).requires_grad_()
    pool = OrdinalPool2d(3, 2, 1, channels=CHANNELS)
    for step in (50.0, -200.0, 1e4):
        with torch.no_grad():
            pool.logits[:, ::2] += step
        output = pool(x)
        gradients = torch.autograd.grad(output.square().sum(), [x, pool.logits])
        assert output.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients)


# -- mixed by draw


@given(cases(), st.sampled_from(["layer", "channel", "region"]))
@few(15)
def test_a_drawn_mixture_is_the_maximum_or_the_mean(case: tuple[Tensor, dict], sharing: str):
    x, geometry = case
    largest, average = P.max_pool2d(x, **geometry), mean(x, geometry)
    y = P.mixed_random_pool2d(x, **geometry, sharing=sharing)
    assert ((y == largest) | (y == average)).all()
    for p, expected in ((1.0, largest), (0.0, average)):
        assert torch.equal(P.mixed_random_pool2d(x, **geometry, p=p, sharing=sharing), expected)


def test_a_draw_is_shared_as_it_says():
    x = distinct(16, 8, 8, 8)
    largest = P.max_pool2d(x, 2)
    kinds = {}
    for sharing in ("layer", "channel", "region"):
        torch.manual_seed(0)
        chosen = P.mixed_random_pool2d(x, 2, sharing=sharing) == largest
        kinds[sharing] = [
            torch.equal(chosen, chosen.narrow(dim, 0, 1).expand_as(chosen)) for dim in (0, 1, 2)
        ]  # over the samples, the channels, the places
    assert kinds == {
        "layer": [False, True, True],
        "channel": [False, False, True],
        "region": [False, False, False],
    }


@given(cases(), st.sampled_from([0.0, 0.2, 0.499, 0.5, 0.501, 0.9, 1.0]))
@few(15)
def test_a_drawn_mixture_evaluates_as_the_more_frequent_or_as_the_blend(case: tuple[Tensor, dict], p: float):
    x, geometry = case
    majority = P.mixed_random_pool2d(x, **geometry, p=p, training=False)
    assert torch.equal(majority, P.max_pool2d(x, **geometry) if p >= 0.5 else mean(x, geometry))
    blend = P.mixed_random_pool2d(x, **geometry, p=p, training=False, eval_mode="expectation")
    assert torch.equal(blend, P.mixed_pool2d(x, **geometry, alpha=p))


@pytest.mark.parametrize("sharing", ["layer", "channel", "region"])
def test_the_mean_of_the_draws_is_the_expectation(sharing: str):
    x = distinct(1, CHANNELS, 4, 4)
    pool = MixedRandomPool2d(2, p=0.3, sharing=sharing, eval_mode="expectation")
    torch.manual_seed(0)
    draws = pool(x.expand(20_000, -1, -1, -1))
    error = (draws.mean(0) - pool.eval()(x)[0]).abs() / (draws.std(0) / 20_000**0.5)
    assert error.max() < 4.5


# -- max dropout


@given(cases(), st.floats(0.05, 0.95))
@few(15)
def test_max_dropout_evaluates_as_published_rank_weights(case: tuple[Tensor, dict], retain: float):
    x, geometry = case
    y = P.max_dropout_pool2d(x, **geometry, retain=retain, training=False)
    assert torch.equal(y, P.rank_weighted_pool2d(x, **geometry, alpha=retain, normalize=False))
    whole = P.max_dropout_pool2d(x, **geometry, retain=1.0)
    assert torch.equal(whole, P.max_pool2d(x, **geometry))


def test_max_dropout_draws_each_rank_with_its_probability():
    """For signed taps too: 3 with p, -1 with p q, -2 with p q^2, -5 with p q^3 and 0 with q^4."""
    x = torch.tensor([[[3.0, -1.0], [-5.0, -2.0]]], dtype=torch.float64).expand(40_000, 1, 2, 2)
    torch.manual_seed(0)
    y = MaxDropoutPool2d(2, retain=0.4)(x)
    values = {3.0: 0.4, -1.0: 0.24, -2.0: 0.144, -5.0: 0.0864, 0.0: 0.1296}
    assert set(y.unique().tolist()) == set(values)
    for value, probability in values.items():
        found = (y == value).double().mean().item()
        assert abs(found - probability) < 4.5 * (probability * (1 - probability) / 40_000) ** 0.5


def test_a_dropped_element_is_dropped_for_all_windows_that_hold_it():
    """The unit is dropped before the pooling, as dropout does, not once for each window."""
    x = torch.zeros(1, 1, 1, 400)
    x[..., ::2] = 1.0  # every pair of neighbours shares one element that is not 0 with the next pair
    torch.manual_seed(0)
    y = MaxDropoutPool2d((1, 2), 1)(x).flatten()
    assert torch.equal(y[1:-1:2], y[2::2]), "windows 1 and 2 share element 2"
    assert 100 < (y == 0).sum() < 300


def test_a_kept_minus_infinity_is_no_empty_window():
    x = torch.full((1, 1, 2, 2), -INF)
    torch.manual_seed(0)
    y = MaxDropoutPool2d(2)(x.expand(200, 1, 2, 2))
    assert set(y.unique().tolist()) == {-INF, 0.0}


# -- the same in one and three dimensions


@pytest.mark.parametrize("dims", [1, 3])
def test_the_learned_and_random_siblings_run(dims: int):
    x = distinct(2, CHANNELS, *(6,) * dims).requires_grad_()
    for name in ("ordinal", "mixed_random", "max_dropout"):
        pool = create_pool(name, dims=dims, channels=CHANNELS, kernel_size=3, stride=2, padding=1).double()
        y = pool(x)
        assert y.shape == (2, CHANNELS, *(3,) * dims)
        assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()
