"""A measured quantity: its median, a bootstrap interval of the median, its spread, and whether it may be shown."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log, sqrt
from statistics import median, quantiles

LIMIT = 0.10  # an interquartile range over this share of the median refuses a figure
LEVEL = 0.95


@dataclass(frozen=True)
class Figure:
    """Seconds of one call, or a ratio, over the rounds.

    Attributes:
        median: of the rounds.
        low: the lower end of the median's 95 % interval.
        high: its upper end.
        iqr: the interquartile range.
        rounds: how many there were.
        refused: whether `iqr` is over a tenth of the median, so that the figure is not to be quoted.
    """

    median: float
    low: float
    high: float
    iqr: float
    rounds: int
    refused: bool


def figure(values: Sequence[float]) -> Figure:
    """Return the median, the quartiles and the interval of the values.

    >>> figure([1.00, 1.02, 1.01, 1.03, 0.99])
    Figure(median=1.01, low=0.99, high=1.03, iqr=0.02, rounds=5, refused=False)
    >>> figure([1.0, 1.0, 2.0, 2.0]).refused
    True
    """
    first, _, third = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    middle, (low, high), iqr = median(values), interval(values), round(third - first, 12)
    return Figure(middle, low, high, iqr, len(values), iqr > LIMIT * middle)


def paired(numerators: Mapping[int, float], denominators: Mapping[int, float]) -> Figure | None:
    """Compute the ratio within each round that has both; None where no round has.

    A slow spell of the machine hits both sides of a round and cancels; it would not in a quotient of two medians.

    >>> paired({0: 2.0, 1: 8.0}, {0: 1.0, 1: 4.0, 2: 9.0}).median
    2.0
    """
    ratios = [value / denominators[key] for key, value in numerators.items() if denominators.get(key)]
    return figure(ratios) if ratios else None


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Compute the percentile-bootstrap interval of the median.

    The distribution of a resample's median is known in closed form (Efron 1979, section 3): it is at most the k-th
    smallest of n values if at least half of n draws fall among the first k. So nothing is drawn, and the interval is
    that of infinitely many resamples. With an even n the two middle values bound it from either side.

    >>> interval(range(1, 16))
    (4, 12)
    """
    ordered = sorted(values)
    low, high = _ends(len(ordered), level)
    return ordered[low - 1], ordered[high - 1]


def quotient(new: Figure, old: Figure) -> tuple[float, float, float]:
    """Compute new over old with its interval, from the intervals of two independent figures.

    The ends' distances add as squares on the logarithmic scale (MOVER: Zou and Donner 2008, doi:10.1002/sim.3095).

    >>> old, new = figure([2.0, 2.0, 2.0]), figure([1.0, 1.0, 1.0])
    >>> quotient(new, old)
    (0.5, 0.5, 0.5)
    """
    ratio = new.median / old.median
    down = sqrt(log(new.median / new.low) ** 2 + log(old.high / old.median) ** 2)
    up = sqrt(log(new.high / new.median) ** 2 + log(old.median / old.low) ** 2)
    return ratio, ratio * exp(-down), ratio * exp(up)


@lru_cache  # each extra round asks for every unsteady case
def _ends(n: int, level: float) -> tuple[int, int]:
    """Return which of n ordered values, counted from 1, are the interval's ends."""
    tail, places = (1 - level) / 2, range(1, n + 1)
    low = bisect_right(places, tail, key=lambda k: _at_least((n + 1) // 2, n, k / n))
    high = bisect_left(places, 1 - tail, key=lambda k: _at_least(n // 2 + 1, n, k / n))
    return places[low], places[high]


def _at_least(wanted: int, n: int, p: float) -> float:
    """Compute the probability of `wanted` or more successes in n trials."""
    if p >= 1:
        return 1.0
    chances = (
        lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1) + j * log(p) + (n - j) * log(1 - p)
        for j in range(wanted, n + 1)
    )
    return sum(map(exp, chances))
