"""The exponential that the C kernels write out, against float64 over the whole range of float32."""

import numpy as np
import torch

from poolab.pooling import WindowPool2d, use_backend


class ExpPool2d(WindowPool2d):
    formula = staticmethod(lambda windows: windows.taps(0.0)[0].exp())


class Expm1Pool2d(WindowPool2d):
    formula = staticmethod(lambda windows: windows.taps(0.0)[0].expm1())


class LogPool2d(WindowPool2d):
    formula = staticmethod(lambda windows: windows.taps(0.0)[0].log())


def errors(pool, x: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Errors in units of the last digit, where the result is a normal number."""
    with use_backend("fused"):
        found = pool(torch.from_numpy(x).view(1, 1, -1, 16)).flatten().numpy().astype(np.float64)
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


def test_exp_is_right_to_two_units_in_the_last_place():
    x = numbers()
    with np.errstate(all="ignore"):
        assert errors(ExpPool2d(1), x, np.exp(x.astype(np.float64))).max() < 2


def test_expm1_is_right_to_three_units_in_the_last_place():
    x = numbers()
    with np.errstate(all="ignore"):
        assert errors(Expm1Pool2d(1), x, np.expm1(x.astype(np.float64))).max() < 3


def test_log_is_right_to_two_units_in_the_last_place():
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
        assert errors(LogPool2d(1), x, np.log(x.astype(np.float64))).max() < 2
