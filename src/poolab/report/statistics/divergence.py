"""Divergence is an outcome: its rate, and the comparison in which diverged runs count."""

from collections.abc import Sequence

import numpy as np
from scipy import special

from poolab.report.statistics.paired import paired_estimate
from poolab.report.statistics.results import PairedLine, Rate
from poolab.report.statistics.scores import ArmScores


def clopper_pearson(count: int, total: int, confidence: float = 0.95) -> Rate:
    """Return a share with its exact interval (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404).

    >>> found = clopper_pearson(0, 8)
    >>> found.rate, [round(end, 4) for end in found.interval]
    (0.0, [0.0, 0.3694])
    >>> clopper_pearson(0, 0)
    Rate(count=0, total=0, rate=None, interval=None)
    """
    if total == 0:
        return Rate(0, 0, None, None)
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(count, total - count + 1, tail)) if count else 0.0
    high = float(special.betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
    return Rate(count, total, count / total, (low, high))


def rates_differ(arm: ArmScores, baseline: ArmScores) -> bool:
    """Return True if the shares of diverged runs differ by more than one run of the smaller group.

    >>> eight = {seed: 0.9 for seed in range(8)}
    >>> rates_differ(ArmScores("a", eight, diverged=(8,)), ArmScores("b", eight | {8: 0.9}))
    False
    >>> rates_differ(ArmScores("a", eight, diverged=(8, 9)), ArmScores("b", eight | {8: 0.9, 9: 0.9}))
    True
    """
    if not arm.runs or not baseline.runs:
        return False
    rates = [len(set(one.diverged)) / one.runs for one in (arm, baseline)]
    return abs(rates[0] - rates[1]) * min(arm.runs, baseline.runs) > 1 + 1e-9


def worst_case(arm: ArmScores, baseline: ArmScores, worst: float, alpha: float) -> PairedLine | None:
    """Return the paired difference where each diverged run counts as the worst score; None where none diverged.

    Lachin (1999), worst-rank scores, doi:10.1016/S0197-2456(99)00022-7; here with the score itself.

    >>> arm = ArmScores("a", {0: 0.92, 1: 0.94}, diverged=(2,))
    >>> line = worst_case(arm, ArmScores("b", {0: 0.91, 1: 0.91, 2: 0.90}), worst=0.1, alpha=0.05)
    >>> line.pairs, round(line.difference, 3)
    (3, -0.253)
    """
    if not arm.diverged and not baseline.diverged:
        return None
    first, second = _filled(arm, worst), _filled(baseline, worst)
    differences = [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]
    if not differences:
        return None
    varies = len(differences) > 1 and np.ptp(differences) > 0
    interval = paired_estimate(differences).interval(alpha) if varies else None
    return PairedLine(len(differences), float(np.mean(differences)), interval)


def _filled(arm: ArmScores, worst: float) -> dict[int, float]:
    return arm.valid | dict.fromkeys(arm.diverged, worst)


def worst_score(arms: Sequence[ArmScores], higher_is_better: bool) -> float:
    """Return the worst score that any completed run of the setting has.

    >>> worst_score([ArmScores("a", {0: 0.9}), ArmScores("b", {0: 0.8})], higher_is_better=True)
    0.8
    """
    scores = [score for arm in arms for score in arm.valid.values()]
    if not scores:
        return 0.0
    return min(scores) if higher_is_better else max(scores)
