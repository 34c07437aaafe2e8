"""The functions that the C kernels write out, against float64 over the whole range of float32."""

import numpy as np
import pytest
import torch

from poolab.pooling import WindowPool2d, use_backend

# Where the processor has no AVX-512, both are the same.
vectors = pytest.mark.parametrize("flags", ["-O3", "-mno-avx512f"], ids=["widest", "no-avx512"])


def pool_of(function: str) -> WindowPool2d:
    """A pooling that applies a function to each element; a class of its own, so that it has a kernel of its own."""
    of_window = {"formula": staticmethod(lambda windows: getattr(windows.taps(0.0)[0], function)())}
    return type(f"{function.title()}Pool2d", (WindowPool2d,), of_window)(1)


def errors(function: str, x: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Errors in units of the last digit, where the result is a normal number."""
    with use_backend("fused"):
        found = pool_of(function)(torch.from_numpy(x).view(1, 1, -1, 16)).flatten().numpy().astype(np.float64)
    normal = (np.abs(exact) < np.finfo(np.float32).max) & (np.abs(exact) > np.finfo(np.float32).tiny)
    assert np.array_equal(np.isnan(found), np.isnan(exact))
    assert np.all(np.isinf(found[exact > 3.5e38]))
    return np.abs(found - exact)[normal] / np.spacing(np.abs(exact[normal]).astype(np.float32))


def numbers() -> np.ndarray:
    rng = np.random.default_rng(0)
    near = rng.normal(size=2**17)
    spread = rng.uniform(-110, 95, size=2**17)
    tiny = rng.choice([-1, 1], 2**14) * 10.0 ** rng.uniform(-38, 0, 2**14)
    special = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        88.7,
        88.73,
        -87.3,
        -103.9,
        -104.1,
        1e38,
        -1e38,
        1.0,
        -1.0,
        0.5,
        -0.5,
    ]
    return np.concatenate([near, spread, tiny, special]).astype(np.float32)


@vectors
def test_exp_is_right_to_two_units_in_the_last_place(flags, monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", flags)
    x = numbers()
    with np.errstate(all="ignore"):
        assert errors("exp", x, np.exp(x.astype(np.float64))).max() < 2


@vectors
def test_expm1_is_right_to_three_units_in_the_last_place(flags, monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", flags)
    x = numbers()
    with np.errstate(all="ignore"):
        assert errors("expm1", x, np.expm1(x.astype(np.float64))).max() < 3


@vectors
def test_log_is_right_to_two_units_in_the_last_place(flags, monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", flags)
    rng = np.random.default_rng(1)
    near = 1 + rng.normal(scale=0.3, size=2**16)
    spread = 10.0 ** rng.uniform(-45, 38, size=2**17)
    special = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        -1.0,
        1.0,
        2.0,
        0.5,
        1e-45,
        1.1754942e-38,
        1.1754944e-38,
        3.4e38,
        1.4142135,
        0.70710678,
        3.0,
    ]
    x = np.abs(np.concatenate([near, spread])).astype(np.float32)
    x = np.concatenate([x, np.array(special, np.float32)])
    with np.errstate(all="ignore"):
        assert errors("log", x, np.log(x.astype(np.float64))).max() < 2


@vectors
def test_log1p_is_right_to_three_units_in_the_last_place(flags, monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", flags)
    rng = np.random.default_rng(2)
    near = rng.uniform(-1, 3, 2**17)
    tiny = rng.choice([-1, 1], 2**15) * 10.0 ** rng.uniform(-44, 0, 2**15)
    spread = 10.0 ** rng.uniform(0, 38, 2**15)
    special = [0.0, -0.0, -1.0, -0.99999994, -1.5, np.inf, -np.inf, np.nan, 1e-45, 3.4e38, 1.0, 2.0, -0.5, 0.25, 3.0, 7]
    x = np.concatenate([near, tiny, spread, special]).astype(np.float32)
    with np.errstate(all="ignore"):
        assert errors("log1p", x, np.log1p(x.astype(np.float64))).max() < 3


class SharesPool2d(WindowPool2d):
    """Give the first tap divided by the last, in a formula whose quotients become products with one reciprocal."""

    @staticmethod
    def formula(windows):
        *taps, divisor = windows.taps(0.0)
        first, second, third = [tap / divisor for tap in taps]
        return torch.where(taps[0].exp() < 0, second, torch.where(taps[1].exp() < 0, third, first))


class NoAvx512SharesPool2d(SharesPool2d):
    formula = staticmethod(lambda windows: SharesPool2d.formula(windows))


@vectors
def test_quotients_by_one_divisor_are_right_over_all_numbers(flags, monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", flags)
    rng = np.random.default_rng(3)
    sizes = 10.0 ** rng.uniform(-45, 38.5, (2**16, 2))
    pairs = np.concatenate([sizes * rng.choice([-1, 1], sizes.shape), rng.normal(size=(2**14, 2))])
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-40, 1.17549435e-38, 8.5e37, 3.4e38, 1.0, 3.0]
    pairs = np.concatenate([pairs, [(a, b) for a in special for b in special]]).astype(np.float32)
    x = np.stack([pairs[:, 0], pairs[:, 0], pairs[:, 0], pairs[:, 1]], -1)  # 2x2 windows, in raster order
    map = torch.from_numpy(x).view(-1, 2, 2).transpose(0, 1).reshape(1, 1, 2, -1)
    pool = (SharesPool2d if flags == "-O3" else NoAvx512SharesPool2d)(2)
    with use_backend("fused"):
        found = pool(map).flatten().numpy().astype(np.float64)
    with np.errstate(all="ignore"):
        exact = pairs[:, 0].astype(np.float64) / pairs[:, 1].astype(np.float64)
        rounded = exact.astype(np.float32).astype(np.float64)
    assert np.array_equal(np.isnan(found), np.isnan(rounded))
    unit = np.spacing(np.abs(rounded).clip(1e-38, 3.4e38).astype(np.float32)).astype(np.float64)
    ends = np.isinf(rounded) | np.isinf(found)
    finite = ~np.isnan(rounded) & ~ends
    assert (np.abs(found[finite] - exact[finite]) / unit[finite]).max() < 2
    assert np.all(np.sign(found[ends]) == np.sign(rounded[ends]))
    assert np.all(np.abs(exact[ends & np.isfinite(exact)]) > 3.4028e38)
    assert np.array_equal(np.signbit(found[rounded == 0]), np.signbit(rounded[rounded == 0]))


@vectors
def test_log_of_clamped_numbers_is_right_to_two_units_in_the_last_place(flags, monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", flags)
    tiny = float(np.finfo(np.float32).tiny)
    of_window = {"formula": staticmethod(lambda windows: windows.taps(0.0)[0].clamp(min=tiny).log())}
    pool = type("ClampedLogPool2d", (WindowPool2d,), of_window)(1)
    rng = np.random.default_rng(4)
    x = np.concatenate([10.0 ** rng.uniform(-45, 38, 2**16), 1 + rng.normal(scale=0.3, size=2**16), -np.ones(2)])
    x = np.concatenate([x, [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 1.1754944e-38, 3.4e38] * 2, [1e-40, 2.0] * 7])
    x = x.astype(np.float32)
    with use_backend("fused"):
        found = pool(torch.from_numpy(x).view(1, 1, -1, 16)).flatten().numpy().astype(np.float64)
    exact = np.log(np.maximum(x.astype(np.float64), tiny))
    assert np.array_equal(np.isnan(found), np.isnan(exact))
    assert np.array_equal(found == np.inf, exact == np.inf)
    finite = np.isfinite(exact)
    unit = np.spacing(np.abs(exact[finite]).astype(np.float32).clip(tiny))
    assert (np.abs(found - np.where(finite, exact, 0))[finite] / unit).max() < 2
