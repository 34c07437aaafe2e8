"""The paired t: intervals and tests of one comparison, Holm's correction over several, and equivalence (TOST)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """An estimated difference with its standard error and degrees of freedom."""

    difference: float
    error: float
    freedom: float

    @property
    def p(self) -> float:
        """The two-sided p value of a difference of 0.

        >>> round(Estimate(0.02, 0.01, 4).p, 4)
        0.1161
        """
        return float(t_p_value(self.difference / self.error, self.freedom))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval of confidence 1 - alpha.

        >>> [round(end, 4) for end in Estimate(0.02, 0.01, 4).interval(0.05)]
        [-0.0078, 0.0478]
        """
        reach = t_quantile(1 - alpha / 2, self.freedom) * self.error
        return self.difference - reach, self.difference + reach

    def p_equivalence(self, margin: float) -> float:
        """Return the p value of two one-sided tests (TOST): small means that the difference lies within +-margin.

        The larger of P(T > (margin - d) / e) and P(T > (margin + d) / e) under their limits (Schuirmann 1987,
        doi:10.1007/BF01068419).

        >>> round(Estimate(0.0, 0.001, 9).p_equivalence(0.005), 5)
        0.00037
        """
        nearer = margin - abs(self.difference)
        return float(special.stdtr(self.freedom, -nearer / self.error))


def t_quantile(level: float, freedom: float) -> float:
    """Return the quantile of Student's t.

    >>> round(t_quantile(0.975, 7), 4)
    2.3646
    """
    return float(special.stdtrit(freedom, level))


def t_p_value(statistic: ArrayLike, freedom: ArrayLike) -> Floats:
    """Return the two-sided p value of Student's t.

    >>> round(float(t_p_value(2.3646, 7)), 4)
    0.05
    """
    return np.asarray(2 * special.stdtr(freedom, -np.abs(statistic)))


def paired_estimate(differences: Sequence[float] | Floats) -> Estimate:
    """Return the mean of paired differences, its standard error s / sqrt(n), and n - 1 degrees of freedom.

    Student (1908), doi:10.1093/biomet/6.1.1. Measured coverage of the 95 % interval: docs/report_statistics.md.

    Args:
        differences: at least 2, one a seed.

    >>> estimate = paired_estimate([0.01, 0.02, 0.03])
    >>> [round(end, 4) for end in estimate.interval(0.05)]
    [-0.0048, 0.0448]
    """
    values = np.asarray(differences, dtype=float)
    return Estimate(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)), len(values) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values: max over smaller ones of (m - rank + 1) p, at most 1.

    They control the family-wise error under any dependence (Holm 1979, Scandinavian Journal of Statistics 6, 65-70,
    jstor.org/stable/4615733).

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return [float(p) for p in adjusted]
