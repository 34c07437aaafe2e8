"""Gates and trees, detail-preserving pooling: what they contain, where they start, what other code got wrong."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from poolab.pooling import create_pool
from poolab.pooling import functional as P
from tests.pooling.support import CHANNELS, SHAPE, distinct, few, make
from tests.pooling.test_identities import cases, mean


def pool_for(name: str, geometry: dict, **options) -> nn.Module:
    return create_pool(name, channels=CHANNELS, **geometry, **options).double()


# -- gated


@given(cases(), st.sampled_from(["layer", "channel"]))
@few(30)
def test_a_gate_starts_as_the_half_and_half_mixture(case: tuple[Tensor, dict], sharing: str):
    x, geometry = case
    assert_close(pool_for("gated", geometry, sharing=sharing)(x), P.mixed_pool2d(x, **geometry, alpha=0.5))


@given(cases(positive=True))
@few(20)
def test_a_gate_that_is_open_gives_the_maximum_and_one_that_is_shut_the_mean(case: tuple[Tensor, dict]):
    x, geometry = case
    pool = pool_for("gated", geometry)
    nn.init.constant_(pool.weight, 1e4)
    assert_close(pool(x), P.max_pool2d(x, **geometry))
    nn.init.constant_(pool.weight, -1e4)
    assert_close(pool(x), mean(x, geometry))


def test_the_gates_gradient_is_that_of_the_paper():
    """g s (1-s) (max - mean) w + s 1{x = max} + (1 - s) / n."""
    pool, x = make("gated", dtype=torch.float64), distinct(1, 1, 3, 3).requires_grad_()
    pool = create_pool("gated", kernel_size=3).double()
    nn.init.normal_(pool.weight, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(pool(x).sum(), x)
    w, taps = pool.weight.detach(), x.detach()[0, 0]
    s = (w * taps).sum().sigmoid()
    expected = s * (1 - s) * (taps.max() - taps.mean()) * w + s * (taps == taps.max()) + (1 - s) / 9
    assert_close(gradient[0, 0], expected)


def test_equal_maxima_share_one_gradient():
    """chl260/general-pooling gives each tap that equals the maximum the whole of its gradient, so that they add up."""
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(create_pool("gated", kernel_size=2)(x).sum(), x)
    assert_close(gradient.flatten(), torch.tensor([0.5 + 0.125, 0.125, 0.125, 0.125]))


def test_each_channel_has_a_gate_of_its_own_where_it_is_asked_for():
    assert create_pool("gated", kernel_size=(2, 3)).weight.shape == (2, 3)
    pool = create_pool("gated", channels=2, sharing="channel", kernel_size=2)
    assert pool.weight.shape == (2, 2, 2)
    with torch.no_grad():
        pool.weight.copy_(torch.tensor([1e4, -1e4]).view(2, 1, 1).expand(2, 2, 2))
    x = distinct(1, 2, 4, 4, dtype=torch.float32).abs()
    assert_close(pool(x)[:, 0], F.max_pool2d(x, 2)[:, 0])
    assert_close(pool(x)[:, 1], F.avg_pool2d(x, 2)[:, 1])


@pytest.mark.parametrize("weight", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("infinity", [torch.inf, -torch.inf])
def test_an_infinite_tap_decides_the_gate_and_makes_no_nan(weight: float, infinity: float):
    pool = create_pool("gated", kernel_size=2)
    nn.init.constant_(pool.weight, weight)
    y = pool(torch.tensor([[[1.0, infinity], [2.0, 3.0]]])).item()
    # -inf shuts the gate of a positive weight (the mean, -inf), opens that of a negative one (the maximum, 3)
    assert y == (3.0 if infinity < 0 and weight < 0 else infinity)


def test_a_gate_learns_to_tell_windows_apart():
    """The maximum where the sum is positive, else the mean: the fixed mixtures cannot."""
    torch.manual_seed(0)
    x = torch.randn(64, 1, 4, 4, dtype=torch.float64)
    average = F.avg_pool2d(x, 2)
    target = torch.where(average > 0, F.max_pool2d(x, 2), average)
    pool = create_pool("gated", kernel_size=2).double()
    start = F.mse_loss(pool(x), target).item()
    optimizer = torch.optim.Adam(pool.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = F.mse_loss(pool(x), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < start / 10
    assert (pool.weight > 1).all()


# -- tree


@pytest.mark.parametrize(("levels", "leaves", "gates"), [(2, 2, 1), (3, 4, 3), (4, 8, 7)])
def test_a_tree_has_the_published_number_of_masks(levels: int, leaves: int, gates: int):
    tree = create_pool("tree", kernel_size=3, levels=levels)
    assert tree.leaves.shape == (leaves, 3, 3)
    assert tree.gates.shape == (gates, 3, 3)


@given(cases(), st.integers(2, 4))
@few(20)
def test_equal_leaves_are_a_linear_filter_whatever_the_gates(case: tuple[Tensor, dict], levels: int):
    x, geometry = case
    tree, conv = pool_for("tree", geometry, levels=levels), pool_for("strided_conv", geometry, groups=2, bias=False)
    with torch.no_grad():
        tree.leaves.copy_(tree.leaves[0].clone().expand_as(tree.leaves))
        conv.conv.weight.copy_(tree.leaves[0].expand_as(conv.conv.weight))
    assert_close(tree(x), conv(x))


def test_a_tree_without_gates_is_the_mean_of_its_leaves_and_one_with_steep_gates_a_choice():
    x, tree = distinct(1, 1, 2, 2).abs(), create_pool("tree", kernel_size=2, levels=3).double()
    leaves = (tree.leaves * x[0, 0]).sum((1, 2))
    nn.init.zeros_(tree.gates)
    assert_close(tree(x).flatten(), leaves.mean().view(1))
    with torch.no_grad():
        tree.gates.copy_(torch.tensor([1e4, -1e4, 1e4]).view(3, 1, 1).expand(3, 2, 2))
    assert_close(tree(x).flatten(), leaves[1:2])  # left, then right: the second of four


def test_equal_leaves_would_never_part():
    """Why the tree has a random start: one gradient for both leaves, none for the gate."""
    x, tree = distinct(1, 1, 2, 2), create_pool("tree", kernel_size=2).double()
    nn.init.constant_(tree.leaves, 0.25)
    nn.init.zeros_(tree.gates)
    leaves, gates = torch.autograd.grad(tree(x).sum(), [tree.leaves, tree.gates])
    assert torch.equal(leaves[0], leaves[1])
    assert not gates.any()
    assert len({leaf.sum().item() for leaf in create_pool("tree", kernel_size=2, levels=3).leaves}) == 4


# -- detail-preserving


@given(cases(), st.sampled_from(["lite", "full"]), st.booleans())
@few(30)
def test_no_power_or_a_large_constant_is_the_mean(case: tuple[Tensor, dict], variant: str, symmetric: bool):
    x, geometry = case
    pool = pool_for("dpp", geometry, variant=variant, symmetric=symmetric)
    nn.init.constant_(pool.log_lambda, -40.0)
    assert_close(pool(x), mean(x, geometry))
    nn.init.constant_(pool.log_lambda, 1.0)
    nn.init.constant_(pool.log_alpha, 10.0)
    assert_close(pool(x), mean(x, geometry), rtol=0, atol=2e-2)  # exp(10) = 22026 against powers up to n^(e/2)


@given(cases(), st.booleans())
@few(20)
def test_the_full_variant_starts_as_the_lite_one(case: tuple[Tensor, dict], symmetric: bool):
    x, geometry = case
    full, lite = (pool_for("dpp", geometry, variant=v, symmetric=symmetric) for v in ("full", "lite"))
    full.load_state_dict(lite.state_dict(), strict=False)
    assert_close(full(x), lite(x))


@given(cases())
@few(30)
def test_details_above_draw_the_mean_up_and_the_symmetric_kind_is_odd(case: tuple[Tensor, dict]):
    x, geometry = case
    up, both = (pool_for("dpp", geometry, symmetric=symmetric) for symmetric in (False, True))
    assert (up(x) >= mean(x, geometry) - 1e-9).all()
    assert (up(x) <= P.max_pool2d(x, **geometry) + 1e-9).all()
    assert_close(both(-x), -both(x))
    assert_close(both(x + 3), both(x) + 3)


@pytest.mark.parametrize("symmetric", [True, False])
def test_two_by_two_is_the_published_pipeline(symmetric: bool):
    """visinf/dpp's lite graphs step by step: box average and its nearest upsampling in place of windows."""
    pool, x = make("dpp", symmetric=symmetric, dtype=torch.float64), distinct(2, CHANNELS, 6, 8)
    pool = create_pool("dpp", channels=CHANNELS, kernel_size=2, symmetric=symmetric).double()
    box = lambda map: F.interpolate(F.avg_pool2d(map, 2), scale_factor=2.0, mode="nearest")  # noqa: E731
    apart = x - box(x)
    detail = (apart if symmetric else apart.relu()).square() + 1e-3
    weights = (detail / box(detail)) ** (pool.log_lambda.exp() / 2) + pool.log_alpha.exp()
    assert_close(pool(x), F.avg_pool2d(x * weights, 2) / F.avg_pool2d(weights, 2))


def test_the_numbers_start_within_the_published_bounds_and_are_capped():
    torch.manual_seed(0)
    pool = create_pool("dpp", channels=400, kernel_size=2)
    for number in (pool.log_alpha, pool.log_lambda):
        assert number.shape == (400, 1, 1)
        assert 0.04 < number.abs().max() <= 1 / math.sqrt(400)
    x = distinct(1, 400, 4, 4, dtype=torch.float32)
    for number in (pool.log_alpha, pool.log_lambda):
        nn.init.constant_(number, 10.0)
        capped = pool(x)
        nn.init.constant_(number, 1e6)
        assert torch.equal(pool(x), capped)


def test_a_steep_power_takes_the_tap_that_stands_out():
    pool = create_pool("dpp", channels=1, kernel_size=2)
    nn.init.constant_(pool.log_alpha, -60.0)
    nn.init.constant_(pool.log_lambda, 6.0)
    assert_close(pool(torch.tensor([[[0.0, 0.1], [-9.0, 0.2]]])), torch.tensor([[[-9.0]]]))
    upward = create_pool("dpp", channels=1, kernel_size=2, symmetric=False)
    upward.load_state_dict(pool.state_dict())
    assert upward(torch.tensor([[[0.0, 0.1], [-9.0, 0.2]]])).item() > 0


def test_an_odd_map_and_padding_are_allowed():
    """The published layer needs even height and width."""
    assert make("dpp", SHAPE)(torch.zeros(1, CHANNELS, 7, 5)).shape == (1, CHANNELS, 4, 3)
