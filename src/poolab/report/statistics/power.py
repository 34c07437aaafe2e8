"""Power: what a number of paired seeds can show, and how many are needed.

All of it supposes that the differences of the seeds are normal with the deviation that is given. Their form cannot be
told from a few seeds: a smoothed bootstrap of the differences seen took away at most half a point of the 4 to 7 points
by which the power is higher where they have rare large values (t with 3 degrees of freedom, 3 to 20 seeds).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from poolab.report.statistics.paired import t_quantile
from poolab.report.statistics.results import Interval, Shown

POWER = 0.8
MAX_SEEDS = 1000
# Power of a difference that 80 % was stated for, over simulated differences of other forms: docs/report_statistics.md.
POWER_OF_OTHER_FORMS: Interval = (0.73, 0.96)


def deviation_interval(deviation: float, pairs: int, confidence: float = 0.95) -> Interval:
    """Return the chi-square interval of a standard deviation from so many pairs: s sqrt((n - 1) / quantile).

    >>> [round(end, 4) for end in deviation_interval(0.01, 3)]
    [0.0052, 0.0628]
    """
    freedom = pairs - 1
    tail = (1 - confidence) / 2
    high, low = special.chdtri(freedom, 1 - tail), special.chdtri(freedom, tail)
    return deviation * math.sqrt(freedom / low), deviation * math.sqrt(freedom / high)


def difference_power(difference: float, deviation: float, pairs: int, critical: float) -> float:
    """Return the chance that the interval of so many pairs excludes 0 on the right side.

    By the noncentral t with the noncentrality |difference| sqrt(n) / deviation.

    Args:
        difference: the true one.
        deviation: the true one, of the paired differences.
        pairs: at least 2.
        critical: the |t| that the interval's half-width is made of.

    >>> round(difference_power(0.01, 0.01, 10, t_quantile(0.975, 9)), 3)
    0.803
    """
    if math.isinf(critical):
        return 0.0
    return _exceeds(critical, pairs - 1, abs(difference) * math.sqrt(pairs) / deviation)


def _exceeds(critical: float, freedom: int, effect: float) -> float:
    """Return the chance that a noncentral t exceeds a value; scipy.stats.nct does the same in fifty times the time."""
    return float(1 - special.nctdtr(freedom, effect, critical))


def equivalence_power(difference: float, deviation: float, pairs: int, margin: float, critical: float) -> float:
    """Return the chance that the interval of so many pairs lies within +-margin.

    E over the sample deviation s of P(|mean| < margin - critical s / sqrt(n)), mean and s being independent (Phillips
    1990, doi:10.1007/BF01063556), by the midpoint rule over the quantiles of s.

    Args:
        critical: the |t| that the interval's half-width is made of; for TOST at alpha the quantile at 1 - alpha.

    >>> round(equivalence_power(0.0, 0.005, 12, margin=0.005, critical=t_quantile(0.95, 11)), 3)
    0.889
    """
    if math.isinf(critical):
        return 0.0
    error = deviation / math.sqrt(pairs)
    room = margin - critical * error * _chi_midpoints(pairs - 1)
    chance = special.ndtr((room - difference) / error) - special.ndtr((-room - difference) / error)
    return float(np.where(room > 0, chance, 0.0).mean())


@lru_cache(maxsize=MAX_SEEDS)
def _chi_midpoints(freedom: int) -> NDArray[np.float64]:
    """Quantiles of sample deviation / true deviation, in the middle of 400 equally likely parts."""
    levels = (np.arange(400) + 0.5) / 400
    return np.asarray(np.sqrt(2 * special.gammaincinv(freedom / 2, levels) / freedom))


def detectable_difference(deviation: float, pairs: int, critical: float, power: float = POWER) -> float:
    """Return the least true difference that the interval of so many pairs shows with this power.

    >>> round(detectable_difference(0.01, 5, t_quantile(0.975, 4)), 4)
    0.0168
    >>> round(detectable_difference(0.01, 5, t_quantile(1 - 0.025 / 12, 4)), 4)
    0.0331
    """
    if math.isinf(critical):
        return math.inf

    def missing(effect: float) -> float:
        return _exceeds(critical, pairs - 1, effect) - power

    reach = critical + 1
    while missing(reach) < 0:
        reach *= 1.5
    return float(optimize.brentq(missing, 0.0, reach)) * deviation / math.sqrt(pairs)


def seeds_to_show(difference: float, deviation: float, critical: Callable[[int], float]) -> int:
    """Return the least number of paired seeds whose interval shows a true difference with 80 % power.

    Args:
        difference: the true one.
        deviation: of the paired differences, above 0.
        critical: the |t| of the interval, as a function of the pairs.

    Returns:
        At most MAX_SEEDS, which then means that many or more.

    >>> seeds_to_show(0.0169, 0.01, lambda pairs: t_quantile(0.975, pairs - 1))
    5
    >>> seeds_to_show(0.0084, 0.01, lambda pairs: t_quantile(0.975, pairs - 1))
    14
    """
    return _least(lambda pairs: difference_power(difference, deviation, pairs, critical(pairs)) >= POWER)


@dataclass(frozen=True)
class Rule:
    """Holds how an arm is decided: the |t| of its interval and of its equivalence test, as functions of the pairs."""

    margin: float
    critical: Callable[[int], float]
    critical_margin: Callable[[int], float]

    def shows(self, difference: float, deviation: float, pairs: int) -> Shown | None:
        """Return what so many pairs show with 80 % power, or None where that is nothing.

        >>> rule = fixed_rule(0.005, 0.05, 0.05)
        >>> rule.shows(0.01, 0.01, 10), rule.shows(0.0, 0.01, 36), rule.shows(0.0, 0.01, 10)
        ('difference', 'equivalence', None)
        """
        if difference_power(difference, deviation, pairs, self.critical(pairs)) >= POWER:
            return "difference"
        within = equivalence_power(difference, deviation, pairs, self.margin, self.critical_margin(pairs))
        return "equivalence" if within >= POWER else None

    def decides(self, difference: float, deviation: float, pairs: int) -> bool:
        """Return True if so many pairs show a difference or equivalence with 80 % power."""
        return self.shows(difference, deviation, pairs) is not None


def fixed_rule(margin: float, alpha: float, alpha_margin: float) -> Rule:
    """Return the rule of paired t intervals at 1 - alpha and TOST at alpha_margin.

    >>> round(fixed_rule(0.005, 0.05, 0.05).critical(8), 3)
    2.365
    """
    return Rule(
        margin,
        lambda pairs: t_quantile(1 - alpha / 2, pairs - 1),
        lambda pairs: t_quantile(1 - alpha_margin, pairs - 1),
    )


def seeds_to_decide(difference: float, deviation: float, rule: Rule) -> int:
    """Return the least number of paired seeds with which a difference or equivalence is shown with 80 % power.

    Args:
        difference: taken as the true one.
        deviation: of the paired differences, above 0.
        rule: how it is decided.

    Returns:
        At most MAX_SEEDS, which then means that many or more.

    >>> seeds_to_decide(0.01, 0.01, fixed_rule(0.005, 0.05, 0.05))
    10
    >>> seeds_to_decide(0.0, 0.01, fixed_rule(0.005, 0.05, 0.05))
    36
    """
    return _least(lambda pairs: rule.decides(difference, deviation, pairs))


def _least(suffices: Callable[[int], bool]) -> int:
    """Return the least number of pairs from 2 to MAX_SEEDS that suffices; power grows with the pairs."""
    low, high = 1, 2
    while high < MAX_SEEDS and not suffices(high):
        low, high = high, min(high * 2, MAX_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
