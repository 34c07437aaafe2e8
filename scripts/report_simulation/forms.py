"""Stated power where the differences of the seeds are not normal: how often the difference is found all the same."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from poolab.report.statistics.paired import t_quantile
from poolab.report.statistics.power import POWER_OF_OTHER_FORMS, detectable_difference
from report_simulation.cells import ALPHA
from report_simulation.rows import Row

Floats = NDArray[np.float64]

# Each with mean 0 and deviation 1. The arm's gain is upwards.
FORMS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "rare large values of both signs (t3)": lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3),
    "rare gains (exponential)": lambda rng, shape: rng.exponential(size=shape) - 1,
    "rare losses (exponential)": lambda rng, shape: 1 - rng.exponential(size=shape),
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape) * math.sqrt(3),
    "two values, blurred": lambda rng, shape: (
        0.95 * rng.choice([-1.0, 1.0], shape) + math.sqrt(1 - 0.95**2) * rng.standard_normal(shape)
    ),
}
# A study is some differences of one arm, so that many more are drawn than of the other tables.
TIMES = 20


def rows(studies: int, seed: int = 0) -> list[Row]:
    """Return how often the difference is found that 80 % power is stated for, at Bonferroni's level of 1 and 11 arms.

    The level is that of one arm's interval; intervals of several arms together may be a little narrower.
    """
    found = []
    low, high = POWER_OF_OTHER_FORMS
    for arms in (1, 11):
        for seeds in (3, 5, 8, 20):
            critical = t_quantile(1 - ALPHA / arms / 2, seeds - 1)
            gain = detectable_difference(1.0, seeds, critical)
            for number, (name, draw) in enumerate(FORMS.items()):
                rng = np.random.default_rng([seed, arms, seeds, number])
                values = gain + draw(rng, (TIMES * studies, seeds))
                statistic = values.mean(axis=1) / values.std(axis=1, ddof=1) * math.sqrt(seeds)
                what = f"{name}: {seeds} seeds, {arms} arm{'s' * (arms > 1)}"
                share = float(np.mean(statistic > critical))
                found.append(Row(what, share, TIMES * studies, low=low, high=high))
    return found
