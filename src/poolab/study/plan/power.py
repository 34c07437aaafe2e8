"""The smallest difference that a number of paired seeds can detect."""

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence

from poolab.records import NOT_IDENTITY, Record, Tree, below, content_of, own_settings

ALPHA = 0.05
POWER = 0.8
# The deviation of an arm's seeds where no record says it: half a point, and the arms scatter independently.
ASSUMED = 0.005


def detectable(seeds: int, deviation: float, comparisons: int = 1) -> float:
    """Return the smallest true difference that a paired t-test detects with 80 % power.

    Args:
        seeds: pairs of runs, at least 2.
        deviation: of the paired differences.
        comparisons: with the baseline; the first step of Holm's correction, which all others are easier than, divides
            0.05 by their number.

    >>> round(detectable(5, 0.01), 4), round(detectable(5, 0.01, comparisons=12), 4)
    (0.0168, 0.0331)
    """
    from poolab.report import detectable_difference, t_quantile

    return detectable_difference(deviation, seeds, t_quantile(1 - ALPHA / (2 * comparisons), seeds - 1))


def paired_deviation(records: Sequence[Record]) -> tuple[float, int] | None:
    """Return the deviation of the paired differences, pooled over all pairs of arms, and the number of arms.

    Two arms are compared if they differ in pooling and head only, on data and weights of the same content, over seeds
    that continue the same run. None if no two arms share two seeds.
    """
    settings: dict[str, dict[str, dict[tuple[int, str | None], float]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        score = record.value(record.headline)
        if record.completed and score is not None:
            setting, arm = _split(own_settings(record))
            content = content_of(record)
            settings[f"{setting} {content.shared}"][arm][record.seed, content.source] = score
    squares, freedom, arms = 0.0, 0, set()
    for setting, found in settings.items():
        for (one, first), (other, second) in itertools.combinations(found.items(), 2):
            differences = [first[seed] - second[seed] for seed in first.keys() & second.keys()]
            if len(differences) > 1:
                squares += statistics.variance(differences) * (len(differences) - 1)
                freedom += len(differences) - 1
                arms |= {(setting, one), (setting, other)}
    return (math.sqrt(squares / freedom), len(arms)) if freedom else None


def _split(settings: Tree) -> tuple[str, str]:
    """Return the settings that the arms of one comparison share, and those in which they differ."""
    kept = {key: value for key, value in settings.items() if not below(key, (*NOT_IDENTITY, "seed", "measure"))}
    arm = {key: value for key, value in kept.items() if below(key, ("pooling", "head"))}
    setting = {key: value for key, value in kept.items() if key not in arm}
    return str(sorted(setting.items(), key=str)), str(sorted(arm.items(), key=str))
