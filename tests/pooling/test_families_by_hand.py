"""Poolings by rank, by powers and by drawing one tap: bounds of their options, and values that are known by hand."""

import inspect
import math

import pytest
import torch

from poolab.pooling import create_pool, get_pool, list_pools

TAPS = [1.0, 2.0, 4.0, 3.0]
INF = math.inf


def beyond(bound):
    """The next number away from 0."""
    return math.nextafter(bound, math.copysign(INF, bound))


def within(bound):
    """The next number towards 0."""
    return math.nextafter(bound, 0)


def pooled(name, taps, **options):
    """The output of one 2x2 window."""
    pool = create_pool(name, kernel_size=2, **options).eval()
    return pool(torch.tensor(taps, dtype=torch.float64).view(1, 1, 2, 2)).item()


@pytest.mark.parametrize("name", list_pools("window"))
def test_a_formula_called_by_itself_has_the_defaults_of_the_options(name):
    cls = get_pool(name)
    own = inspect.signature(cls.formula).parameters
    told = {one: own[one].default for one in cls.options if one in own and own[one].default is not inspect._empty}
    assert told == {one: cls.options[one].default for one in told}


@pytest.mark.parametrize(("name", "option", "allowed", "refused"), [
    ("avg_topk", "k", [1, 4], [0, 5, 1.5]),
    ("rank_avg", "t", [1, 4], [0, 5]),
    ("rank_weighted", "alpha", [1e-9, 0.5, 1, 1.0], [0, -0.1, beyond(1), INF]),
    ("rank_weighted", "normalize", [True, False], [1, None]),
    ("t_max_avg", "k", [1, 4], [0, 5]),
    ("t_max_avg", "threshold", [-1e12, 0, 1e12, INF], [beyond(-1e12), beyond(1e12), -INF]),
    ("t_max_avg", "rule", ["all", "max", "mean"], ["any", None]),
    ("lp", "p", [1, 1e12, INF], [within(1), beyond(1e12)]),
    ("lp", "norm", ["mean", "sum"], ["max"]),
    ("gem", "p", [1e-12, 1e12, INF], [0, beyond(1e12), within(1e-12)]),
    ("gem", "eps", [1e-12, 1e12], [within(1e-12), INF, beyond(1e12)]),
    ("lehmer", "a", [0, 1e12], [-1e-9, beyond(1e12), INF]),
])  # fmt: skip
def test_the_bounds_of_an_option(name, option, allowed, refused):
    more = {"learnable": False} if "learnable" in get_pool(name).options else {}
    more |= {"k": 2} if name == "t_max_avg" and option != "k" else {}
    for value in allowed:
        create_pool(name, kernel_size=2, **{**more, option: value})
    for value in refused:
        with pytest.raises(ValueError, match=f"{option}.* must be"):
            create_pool(name, kernel_size=2, **{**more, option: value})


@pytest.mark.parametrize(("name", "options", "expected"), [
    ("avg_topk", {}, 3.5), ("avg_topk", {"k": 1}, 4), ("avg_topk", {"k": 3}, 3), ("avg_topk", {"k": 4}, 2.5),
    ("rank_avg", {}, 3.5), ("rank_avg", {"t": 3}, 3),
    ("rank_weighted", {}, (4 * 8 + 3 * 4 + 2 * 2 + 1) / 15),
    ("rank_weighted", {"normalize": False}, (4 * 8 + 3 * 4 + 2 * 2 + 1) / 16),
    ("rank_weighted", {"alpha": 1.0}, 4),
    ("median", {}, 2.5),
    ("t_max_avg", {}, 4), ("t_max_avg", {"threshold": 2}, 4), ("t_max_avg", {"threshold": 2.01}, 3),
    ("t_max_avg", {"threshold": 4, "rule": "max"}, 4), ("t_max_avg", {"threshold": 4.01, "rule": "max"}, 3),
    ("t_max_avg", {"threshold": 3, "rule": "mean"}, 4), ("t_max_avg", {"threshold": 3.01, "rule": "mean"}, 3),
    ("t_max_avg", {"threshold": INF}, 3), ("t_max_avg", {"threshold": 3.5, "k": 2}, 3.5),
    ("lp", {}, math.sqrt(30 / 4)), ("lp", {"norm": "sum"}, math.sqrt(30)), ("lp", {"p": 1}, 2.5),
    ("lp", {"p": INF}, 4), ("lp", {"p": INF, "norm": "sum"}, 4),
    ("lp", {"p": 3.5}, (sum(x**3.5 for x in TAPS) / 4) ** (1 / 3.5)),
    ("gem", {}, 25 ** (1 / 3)), ("gem", {"p": 1}, 2.5), ("gem", {"p": 0.5}, (sum(x**0.5 for x in TAPS) / 4) ** 2),
    ("gem", {"eps": 3.0}, ((27 * 3 + 64) / 4) ** (1 / 3)), ("gem", {"p": INF, "eps": 5.0, "learnable": False}, 5),
    ("lehmer", {}, 3), ("lehmer", {"a": 0}, 2.5), ("lehmer", {"a": 2}, 100 / 30),
    ("lehmer", {"a": 0.5}, sum(x**1.5 for x in TAPS) / sum(x**0.5 for x in TAPS)),
    ("stochastic", {}, 3),
])  # fmt: skip
def test_a_window_by_hand(name, options, expected):
    assert pooled(name, TAPS, **options) == pytest.approx(expected, rel=1e-6)
    if "threshold" not in options and "eps" not in options and name != "t_max_avg":
        assert pooled(name, [1e3 * x for x in TAPS], **options) == pytest.approx(1e3 * expected, rel=1e-6)


@pytest.mark.parametrize("name", ["lp", "gem", "lehmer", "stochastic"])
def test_signs_zeros_infinities_and_nan(name):
    signed = {
        "lp": math.sqrt((1 + 4 + 16 + 9) / 4),
        "gem": ((8 + 64) / 4) ** (1 / 3),
        "lehmer": 20 / 6,
        "stochastic": 20 / 6,
    }
    assert pooled(name, [-1, 2, 4, -3]) == pytest.approx(signed[name], rel=1e-5)
    assert pooled(name, [0, 0, 0, 0]) == pytest.approx(1e-6 if name == "gem" else 0, rel=1e-5)
    assert pooled(name, [1, INF, 2, 3]) == INF
    assert pooled(name, [INF, INF, 2, 3]) == INF
    assert math.isnan(pooled(name, [1, math.nan, 2, 3]))
    assert pooled(name, [-1, -2, -3, -INF]) == pytest.approx(
        INF if name == "lp" else 1e-6 if name == "gem" else 0, rel=1e-5
    )


@pytest.mark.parametrize(
    ("name", "options"), [("lp", {}), ("lp", {"p": 1.5}), ("lehmer", {}), ("lehmer", {"a": 0.5}), ("stochastic", {})]
)
def test_a_window_of_zeros_has_no_gradient_and_a_zero_beside_others_a_finite_one(name, options):
    pool = create_pool(name, kernel_size=2, **options).eval()
    x = torch.zeros(1, 1, 2, 4, dtype=torch.float64)
    x[..., 2:] = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    x.requires_grad_()
    pool(x).sum().backward()
    assert x.grad[..., :2].eq(0).all()
    assert x.grad[..., 2:].isfinite().all()
    assert x.grad[0, 0, 1, 3] > 0


@pytest.mark.parametrize("name", ["lp", "gem", "lehmer"])
def test_the_power_can_be_learned_and_starts_where_it_is_told(name):
    power = {"lp": "p", "gem": "p", "lehmer": "a"}[name]
    default = get_pool(name)(kernel_size=2)
    assert bool(list(default.parameters())) is (name == "gem")
    learned = create_pool(name, kernel_size=2, learnable=True, **{power: 2.5})
    assert len(list(learned.parameters())) == 1
    x = torch.tensor(TAPS).view(1, 1, 2, 2)
    fixed = create_pool(name, kernel_size=2, learnable=False, **{power: 2.5})
    assert learned(x).item() == pytest.approx(fixed(x).item(), rel=1e-5)
    learned(x).sum().backward()
    step = 1e-4
    rise = [pooled(name, TAPS, learnable=False, **{power: 2.5 + sign * step}) for sign in (-1, 1)]
    assert math.copysign(1, next(learned.parameters()).grad.item()) == math.copysign(1, rise[1] - rise[0])


def test_one_power_for_each_channel_needs_channels_and_learning():
    pool = create_pool("gem", kernel_size=2, per_channel=True, channels=3)
    assert next(pool.parameters()).numel() == 3
    with pytest.raises(ValueError, match="per_channel=True is one p to learn for each channel: it needs learnable"):
        create_pool("gem", kernel_size=2, per_channel=True, learnable=False, channels=3)
    assert next(create_pool("gem", kernel_size=2).parameters()).numel() == 1


def test_half_precision_does_not_lose_a_small_gain():
    """x^p - 1 of a share just below 1, where only expm1 has all its digits."""
    taps = [1.0, 1.0 + 1e-9, 1.0 + 2e-9, 1.0 + 3e-9]
    found = pooled("gem", taps, p=1e-6, learnable=False)
    assert found - 1 == pytest.approx(1.5e-9, rel=1e-4)


def drawn(taps, count=20_000):
    """The outputs in training of so many windows that are alike."""
    pool = create_pool("stochastic", kernel_size=2)
    torch.manual_seed(0)
    x = torch.tensor(taps).view(1, 1, 2, 2).repeat(1, 1, 1, count)
    return pool.train()(x).flatten()


def test_a_tap_is_drawn_as_often_as_its_share():
    found = drawn([1.0, 5.0, 0.0, -4.0])
    assert set(found.tolist()) == {1.0, 5.0}
    assert (found == 5.0).double().mean().item() == pytest.approx(5 / 6, abs=0.01)
    found = drawn(TAPS)
    assert [(found == x).double().mean().item() for x in TAPS] == pytest.approx([x / 10 for x in TAPS], abs=0.012)


def test_what_is_drawn_of_odd_windows():
    assert set(drawn([0.0, -1.0, -2.0, 0.0], 50).tolist()) == {0.0}
    assert drawn([1.0, math.nan, 2.0, 3.0], 50).isnan().all()
    assert set(drawn([1.0, INF, 2.0, 3.0], 50).tolist()) == {INF}
    assert get_pool("stochastic").random


@pytest.mark.parametrize(("name", "learns", "channels"), [
    ("lp", "option", "never"), ("gem", "option", "option"), ("lehmer", "option", "never"),
    ("avg_topk", "never", "never"),
])  # fmt: skip
def test_what_a_method_says_of_its_parameters(name, learns, channels):
    assert (get_pool(name).learns, get_pool(name).uses_channels) == (learns, channels)


def test_padding_reaches_no_threshold():
    pool = create_pool("t_max_avg", kernel_size=2, stride=2, padding=1, k=2, threshold=2.0)
    x = torch.tensor([[[[3.0, 1.0], [1.0, 5.0]]]])
    assert pool(x).flatten().tolist() == [3.0, 1.0, 1.0, 5.0], "each window has one tap, and k is cut to it"
    wide = create_pool("t_max_avg", kernel_size=3, stride=3, padding=1, k=2, threshold=2.0)
    assert wide(torch.tensor([[[[3.0, 1.0], [1.0, 1.0]]]])).item() == 2.0, "one tap of four passes"
