"""Numbers beside the inference: improvement, pairing, power."""

import math
from dataclasses import dataclass

import numpy as np

from poolab.report.statistics.family import Inference
from poolab.report.statistics.paired import Floats
from poolab.report.statistics.pairs import Pairs
from poolab.report.statistics.power import (
    detectable_difference,
    deviation_interval,
    seeds_to_decide,
    seeds_to_show,
)
from poolab.report.statistics.results import Interval, Shown


def probability_of_improvement(arm: Floats, baseline: Floats, higher_is_better: bool = True) -> float | None:
    """Return the chance that a run of the arm beats a run of the baseline, over all pairs of runs; ties count half.

    Agarwal et al. (2021), arXiv:2108.13264 (rliable); the Mann-Whitney statistic divided by its largest value.

    >>> probability_of_improvement(np.array([0.9, 0.8]), np.array([0.8, 0.7]))
    0.875
    """
    if not len(arm) or not len(baseline):
        return None
    sign = 1 if higher_is_better else -1
    gains = sign * (arm[:, None] - baseline[None])
    return float(((gains > 0) + 0.5 * (gains == 0)).mean())


def pairing(first: Floats, second: Floats) -> tuple[float | None, float | None]:
    """Return the correlation over shared seeds, and how many unpaired seeds one paired seed replaces.

    The gain is (s_a^2 + s_b^2) / s_difference^2, 1 / (1 - r) where both deviations are alike. None where a deviation
    is 0 or fewer than 3 seeds are shared.

    >>> correlation, gain = pairing(np.array([0.90, 0.92, 0.94]), np.array([0.91, 0.92, 0.95]))
    >>> round(correlation, 3), round(gain, 1)
    (0.961, 25.0)
    """
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None, None
    spread = float((first - second).var(ddof=1))
    correlation = float(np.corrcoef(first, second)[0, 1])
    return correlation, float(first.var(ddof=1) + second.var(ddof=1)) / spread if spread > 0 else None


def deviation(pair: Pairs, confidence: float) -> tuple[float | None, Interval | None]:
    """Return the standard deviation of the paired differences with its chi-square interval."""
    if len(pair.seeds) < 2:
        return None, None
    spread = float(pair.differences.std(ddof=1))
    return spread, None if pair.hardly_varies else deviation_interval(spread, len(pair.seeds), confidence)


def detectable(pair: Pairs, inference: Inference, confidence: float) -> tuple[float | None, Interval | None]:
    """Return the difference that these pairs show with 80 % power, and its range over the deviation's interval."""
    spread, interval = deviation(pair, confidence)
    if spread is None or interval is None:
        return None, None
    factor = detectable_difference(1.0, len(pair.seeds), inference.rule.critical(len(pair.seeds)))
    if math.isinf(factor):
        return None, None
    return factor * spread, (factor * interval[0], factor * interval[1])


def seeds_for_half(pair: Pairs, inference: Inference, difference: float | None) -> int | None:
    """Return the seeds that show half of the difference that these pairs show, with the same deviation and power."""
    spread = float(pair.differences.std(ddof=1)) if len(pair.seeds) > 1 else 0.0
    return seeds_to_show(difference / 2, spread, inference.rule.critical) if difference and spread > 0 else None


@dataclass(frozen=True)
class Needed:
    """Holds how many seeds would decide if the difference seen is the true one.

    Attributes:
        seeds: their number.
        ends: the range of this number, from the ends of the deviation's interval.
        shown: what they would show; None where it is not the same for all deviations of that interval.
    """

    seeds: int
    ends: tuple[int, int]
    shown: Shown | None


def seeds_needed(pair: Pairs, inference: Inference, confidence: float) -> Needed | None:
    """Return the seeds that would decide if the difference seen is the true one, with their range.

    None where the differences hardly vary over the seeds.
    """
    spread, interval = deviation(pair, confidence)
    if spread is None or interval is None:
        return None
    difference, rule = float(pair.differences.mean()), inference.rule
    spreads = (interval[0], spread, interval[1])
    least = [seeds_to_decide(difference, one, rule) for one in spreads]
    shown = {rule.shows(difference, one, seeds) for one, seeds in zip(spreads, least, strict=True)}
    shown.discard(None)  # MAX_SEEDS that do not suffice
    # What is undecided now needs at least one seed more, whatever its power is.
    low, needed, high = (max(one, len(pair.seeds) + 1) for one in least)
    return Needed(needed, (low, high), shown.pop() if len(shown) == 1 else None)
