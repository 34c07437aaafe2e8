"""Every option that is allowed, and whatever a step makes of a free number, gives finite values and gradients."""

import math
import re

import pytest
import torch
from torch import Tensor

from poolab.pooling import MixedPool2d, Pool, S3Pool2d, create_pool, get_pool, list_pools
from poolab.pooling.core.options import Real
from tests.pooling.support import CHANNELS, distinct

WITH_A_HEAD = ["gem", "lp", "lse"]
# The options of the means by powers and exponentials: the method, the option, its ends, whether it may be inf.
RANGES = [
    *[(f"{where}gem", "p", 1e-12, 1e12, True) for where in ("", "global_")],
    *[(f"{where}gem", "eps", 1e-12, 1e12, False) for where in ("", "global_")],
    *[(f"{where}lp", "p", 1.0, 1e12, True) for where in ("", "global_")],
    *[(f"{where}lse", "r", 1e-12, 1e12, False) for where in ("", "global_")],
    ("softpool", "temperature", 1e-12, 1e12, False),
    ("lehmer", "a", 0.0, 1e12, False),
    ("simpool", "gamma", 0.01, 1e6, False),
]
LEARNED = sorted(name for name in list_pools() if get_pool(name).learned)


def build(name: str, **options) -> Pool:
    """Over windows of 2x2, or the whole map."""
    cls = get_pool(name)
    size = {"kernel_size": 2} if cls.role == "window" else {}
    fixed = {"learnable": False} if "learnable" in cls.options else {}
    return create_pool(name, channels=CHANNELS, **{**size, **fixed, **options})


def maps(dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Ordinary, large, tiny, constant and empty maps, and one with a padding of zeros."""
    x = distinct(2, CHANNELS, 6, 6, dtype=torch.float32)
    half = x.clone()
    half[..., :3] = 0
    made = [x, 1e4 * x, 1e-6 * x, torch.full_like(x, 0.7), torch.full_like(x, -0.7), torch.zeros_like(x), half]
    return [one.to(dtype) for one in made]


def assert_finite(pool: Pool, x: Tensor) -> None:
    x = x.clone().requires_grad_()
    output = pool(x)
    gradients = torch.autograd.grad(output.float().sum(), [x, *pool.parameters()], allow_unused=True)
    assert output.isfinite().all(), f"{pool}: output"
    assert all(g is None or g.isfinite().all() for g in gradients), f"{pool}: gradients"


# -- one rule for the windows and for the whole map


@pytest.mark.parametrize("name", WITH_A_HEAD)
def test_a_window_method_and_its_head_have_one_rule(name: str):
    window, head = get_pool(name), get_pool(f"global_{name}")
    assert window.options is head.options
    assert window.learned is head.learned
    rule, x = window.learned, distinct(2, CHANNELS, 5, 6, dtype=torch.float32)
    pools = [window(kernel_size=(5, 6), learnable=True), head(learnable=True)]
    for free in (-90.0, -5.0, 0.0, 2.0, 90.0):
        with torch.no_grad():
            for pool in pools:
                getattr(pool, rule.parameter).fill_(free)
        torch.testing.assert_close(pools[0](x), pools[1](x))


@pytest.mark.parametrize("name", ["gem", "global_gem"])
def test_an_exponent_for_each_channel_is_one_to_learn(name: str):
    with pytest.raises(ValueError, match=r"per_channel=True .* it needs learnable=True"):
        build(name, per_channel=True)
    with pytest.raises(ValueError, match="per_channel=True needs channels"):
        get_pool(name)(**({"kernel_size": 2} if name == "gem" else {}), per_channel=True)
    assert build(name, learnable=True, per_channel=True).log_p.shape == (CHANNELS, 1, 1)


def test_a_small_exponent_of_the_whole_map_keeps_its_digits():
    """The mean of powers that all round to 1 has none left: in float32 p = 1e-6 would be off by a tenth."""
    x = distinct(1, CHANNELS, 20, 20).abs() + 0.1
    exact = x.log().mean((2, 3), keepdim=True).exp().float()
    for p in (1e-6, 1e-12):
        torch.testing.assert_close(build("global_gem", p=p)(x.float()), exact, rtol=1e-5, atol=0)
    naive = x.float().pow(1e-6).mean((2, 3), keepdim=True).pow(1e6)
    assert ((naive - exact).abs() > 1e-2 * exact).any()


def test_a_large_exponent_of_a_large_map_keeps_its_digits():
    """One bright element among 10 000: the mean of the powers is near 0, where log(1 + gain) has no digits left."""
    x = torch.full((1, CHANNELS, 100, 100), 1e-3)
    x[..., 50, 50] = 1.0
    torch.testing.assert_close(build("global_gem")(x), build("global_gem")(x.double()).float(), rtol=1e-6, atol=0)


# -- options


@pytest.mark.parametrize(("name", "option", "least", "most", "infinite"), RANGES)
def test_each_end_of_an_option_is_finite_and_what_is_beyond_is_refused(
    name: str, option: str, least: float, most: float, infinite: bool
):
    for value in (least, most, *([math.inf] if infinite else [])):
        pool = build(name, **{option: value})
        for x in maps():
            assert_finite(pool, x)
    below = 1e-46 if least else -1e-46  # which is 0 in float32
    for value in (below, 1e39, *([] if infinite else [math.inf]), -math.inf, math.nan):
        with pytest.raises(ValueError, match=rf"{option} must be a number .*found {re.escape(str(value))}"):
            build(name, **{option: value})


def test_infinity_may_be_allowed_beside_an_upper_bound():
    rule = Real(1.0, most=10.0, infinite=True)
    assert all(rule.fault(value, None) is None for value in (10.0, math.inf))
    assert all(rule.fault(value, None) for value in (11.0, -math.inf))
    assert Real(1.0).fault(math.inf, None)


# -- free numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", LEARNED)
def test_any_free_number_gives_finite_values_and_gradients(name: str, dtype: torch.dtype):
    pool = build(name, learnable=True).to(dtype)
    parameter = getattr(pool, pool.learned.parameter)
    for free in (-3e4, -90.0, -14.0, 14.0, 90.0, 3e4):
        with torch.no_grad():
            parameter.fill_(free)
        for x in maps(dtype)[:: 1 if dtype == torch.float32 else 3]:  # 1e4 is the end of float16
            assert_finite(pool, x)


@pytest.mark.parametrize("name", [name for name in LEARNED if not get_pool(name).learned.parameter.endswith("_logit")])
def test_a_free_number_beyond_its_bounds_can_come_back(name: str):
    pool = build(name, learnable=True)
    rule, parameter = pool.learned, getattr(pool, pool.learned.parameter)
    for free, end in ((2e6, rule.most), (-2e6, rule.least)):
        with torch.no_grad():
            parameter.fill_(free)
        value = rule.current(pool)
        assert value.item() == pytest.approx(end, rel=1e-5)
        assert torch.autograd.grad(value.sum(), parameter)[0] > 0
    optimizer = torch.optim.Adam([parameter], lr=1.0)
    with torch.no_grad():
        parameter.fill_(-90.0)
    for _ in range(200):  # from there to 2
        optimizer.zero_grad()
        (rule.current(pool) - 2).square().sum().backward()
        optimizer.step()
    assert rule.current(pool).item() == pytest.approx(2.0, rel=0.2)


@pytest.mark.parametrize("name", LEARNED)
def test_a_start_outside_the_bounds_is_told_and_one_inside_is_kept(name: str):
    rule = get_pool(name).learned
    for start in (rule.least, rule.most):
        with pytest.raises(ValueError, match=f"a learnable {rule.option} starts between .* both left out, found"):
            build(name, learnable=True, **{rule.option: start})
    for start in (rule.least + 0.01 * (1 - math.exp(-rule.most)), min(0.99 * rule.most, 1e5)):
        kept = build(name, learnable=True, **{rule.option: start})
        assert rule.current(kept).item() == pytest.approx(start, rel=1e-5)


# -- simpool


@pytest.mark.parametrize("gamma", [0.01, 1.25, 2.0, 8.0, 20.0, 1000.0])
def test_simpool_of_a_constant_map_has_a_finite_gradient(gamma: float):
    """The values above their least one are all 1e-6, of which the 20th power is 0 in float32."""
    torch.manual_seed(0)
    pool = create_pool("simpool", channels=4, heads=2, gamma=gamma)
    assert_finite(pool, torch.randn(2, 4, 1, 1).expand(2, 4, 5, 5))
    torch.testing.assert_close(pool(torch.ones(1, 4, 5, 5)), torch.full((1, 4, 1, 1), 1e-6), rtol=2e-3, atol=0)


# -- options that do nothing, and what they may not


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_s3_strips_smaller_than_the_stride_are_refused(dims: int):
    """There is one row to draw from each, so that training and evaluation would differ for nothing."""
    with pytest.raises(ValueError, match=rf"S3Pool{dims}d: grid_size=2 must be at least the stride along every axis"):
        create_pool("s3", dims=dims, kernel_size=3, grid_size=2)
    create_pool("s3", dims=dims, kernel_size=3, grid_size=3)
    create_pool("s3", dims=dims, kernel_size=3, stride=2, grid_size=2)


def test_s3_looks_at_every_axis_and_says_a_wrong_geometry_alone():
    with pytest.raises(ValueError, match=r"grid_size=2 must be at least the stride along every axis, \(2, 3\)"):
        S3Pool2d(3, stride=(2, 3), grid_size=2)
    with pytest.raises(ValueError, match=r"kernel_size must") as caught:
        S3Pool2d(0, grid_size=1)
    assert "grid_size" not in str(caught.value)


@pytest.mark.parametrize("name", ["mixed", "adapool"])
def test_sharing_nothing_needs_no_channels(name: str):
    x = distinct(1, 2, 6, 6)
    pool = create_pool(name, kernel_size=2, learnable=False, sharing="channel")
    assert torch.equal(pool(x), create_pool(name, kernel_size=2, learnable=False)(x))
    with pytest.raises(ValueError, match="sharing='channel' needs channels"):
        MixedPool2d(2, learnable=True, sharing="channel")
    assert create_pool(name, kernel_size=2, channels=2, learnable=True, sharing="channel")(x).shape == (1, 2, 3, 3)
