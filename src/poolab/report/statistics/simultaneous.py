"""Simultaneous max-t intervals: the level of each arm's interval with which all of them hold together."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

DRAWS = 20_000
# Many seeds and arms take fewer studies, so that no more numbers than these are drawn (32 MiB): 8,000 studies for 40
# arms with 25 seeds. The error of the level is then 5 % of it, that of an interval's width 1 %.
NUMBERS = 8_000_000
LEAST_DRAWS = 5_000


def comparison_alpha(differences: Floats, alpha: float = 0.05, draws: int = DRAWS) -> float:
    """Return the error that each arm's t interval may have so that all hold together with confidence 1 - alpha.

    The largest |t| of the arms is simulated under "no difference": normal differences with the arms' correlation over
    the seeds, the same seeds missing, each arm with its own standard deviation. The alpha-quantile of the smallest p
    value is the result. It lies between alpha / m (Bonferroni) and alpha. With few seeds the estimated correlation
    would promise too much (joint coverage 92 % with 3 seeds and 11 arms), so each is moved towards 0 by its own
    standard error (`shrunk_correlation`): Bonferroni at 3 seeds, nearly the correlation itself at 20.

    The principle: Hothorn, Bretz and Westfall (2008), doi:10.1002/bimj.200810425; the parametric bootstrap with a
    standard deviation for each arm: Hasler and Hothorn (2008), doi:10.1002/bimj.200710466.

    Args:
        differences: (seeds, arms), NaN where an arm lacks a seed; each arm has at least 2 values and they vary.
        alpha: the family's error.
        draws: simulated studies. Their seed is fixed: the same differences give the same result.

    >>> rng = np.random.default_rng(0)
    >>> similar = rng.normal(size=(8, 1)) + 0.3 * rng.normal(size=(8, 4))
    >>> unlike = rng.normal(size=(8, 4))
    >>> 0.0125 <= comparison_alpha(unlike) < comparison_alpha(similar) < 0.05
    True
    """
    arms = differences.shape[1]
    if arms < 2:
        return alpha
    smallest = _smallest_p(shrunk_correlation(differences), ~np.isnan(differences), draws)
    return float(np.clip(np.quantile(smallest, alpha), alpha / arms, alpha))


def shrunk_correlation(differences: Floats) -> Floats:
    """Return the arms' correlation over the seeds, each moved towards 0 by one standard error.

    r* = sign(r) tanh(max(0, artanh |r| - 1 / sqrt(n - 3))), the standard error being that of Fisher's z (Fisher 1921,
    Metron 1, 3-32); n are the seeds that both arms have, and up to 3 of them r* is 0.

    >>> shrunk_correlation(np.array([[1.0, 1.1], [2.0, 2.3], [3.0, 2.9], [4.0, 4.2], [5.0, 4.9]])).round(2)
    array([[1.  , 0.98],
           [0.98, 1.  ]])
    """
    there = ~np.isnan(differences)
    counts = there.sum(axis=0)
    centred = np.where(there, differences - np.nanmean(differences, axis=0), 0.0)
    scaled = centred / np.sqrt((centred**2).sum(axis=0) / (counts - 1))
    present = there.astype(float)
    shared = present.T @ present
    correlation = np.clip(scaled.T @ scaled / np.maximum(shared - 1, 1), -1, 1)
    size = np.arctanh(np.minimum(np.abs(correlation), 1 - 1e-12))
    error = 1 / np.sqrt(np.maximum(shared - 3, 1e-9))
    shrunk = np.sign(correlation) * np.tanh(np.maximum(size - error, 0.0))
    np.fill_diagonal(shrunk, 1.0)
    return np.asarray(shrunk)


def _smallest_p(correlation: Floats, there: NDArray[np.bool_], draws: int) -> Floats:
    """Return the smallest p value of the arms' t-tests in each simulated study without any difference."""
    seeds, arms = there.shape
    counts = there.sum(axis=0).astype(np.float32)
    draws = min(draws, max(LEAST_DRAWS, NUMBERS // (seeds * arms)))
    values = _normal(draws, seeds, arms) @ _square_root(correlation).astype(np.float32)
    if not there.all():
        values *= there
    mean = values.sum(axis=1) / counts
    values -= mean[:, None]
    if not there.all():
        values *= there
    variance = np.einsum("dsa,dsa->da", values, values) / (counts - 1)
    statistic = np.abs(mean, dtype=float) * np.sqrt(counts / np.maximum(variance, np.finfo(np.float32).tiny))
    if np.ptp(counts) == 0:
        return np.asarray(2 * special.stdtr(float(counts[0]) - 1, -statistic.max(axis=1)))
    return np.asarray((2 * special.stdtr(counts.astype(float) - 1, -statistic)).min(axis=1))


@lru_cache(maxsize=4)
def _normal(draws: int, seeds: int, arms: int) -> NDArray[np.float32]:
    return np.random.default_rng([seeds, arms]).standard_normal((draws, seeds, arms), dtype=np.float32)


def _square_root(correlation: Floats) -> Floats:
    """Return the symmetric square root; negative eigenvalues (from unequal seeds) count as 0, the diagonal stays 1."""
    values, vectors = np.linalg.eigh(correlation)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return np.asarray(root / np.sqrt((root**2).sum(axis=0)))
