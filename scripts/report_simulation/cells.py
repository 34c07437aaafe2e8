"""Studies of one setting: do intervals, verdicts and stated power hold?"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from poolab.report.statistics import family
from poolab.report.statistics.family import Inference, infer
from poolab.report.statistics.paired import Estimate, t_quantile
from poolab.report.statistics.pairs import Pairs
from poolab.report.statistics.power import detectable_difference, difference_power
from poolab.report.statistics.results import Verdict
from poolab.report.statistics.scores import ArmScores
from poolab.report.statistics.verdicts import decide

Floats = NDArray[np.float64]

ALPHA = 0.05
# The level of the intervals is itself simulated; fewer draws than the report takes, as the noise averages out here.
DRAWS = 2000
DEVIATION = 0.005
MARGIN = 0.005


@dataclass(frozen=True)
class Cell:
    """One kind of study. `arms` counts the baseline; `missing` is the chance that a run is not there."""

    arms: int
    seeds: int
    correlation: float
    tails: str = "normal"
    missing: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Shares over the studies of a cell, and how many studies they are of."""

    cell: Cell
    studies: int
    single: float
    joint: float
    false_verdicts: float
    false_equivalent: float
    power: float
    stated_power: float


def noise(cell: Cell, studies: int, rng: np.random.Generator) -> Floats:
    """Return (studies, seeds, arms): a seed's effect, which arms feel by half to one and a half, and their own noise.

    The differences to the baseline do not all vary alike then, and the seed's effect does not cancel.
    """

    def draw(*shape: int) -> Floats:
        if cell.tails == "normal":
            return rng.standard_normal(shape)
        return rng.standard_t(3, shape) / math.sqrt(3)

    felt = np.concatenate([[1.0], np.linspace(0.5, 1.5, cell.arms - 1)])
    common = draw(studies, cell.seeds, 1) * felt
    own = draw(studies, cell.seeds, cell.arms)
    return DEVIATION * (math.sqrt(cell.correlation) * common + math.sqrt(1 - cell.correlation) * own)


def difference_deviations(cell: Cell) -> Floats:
    """Return the true deviation of each arm's differences to the baseline."""
    felt = np.linspace(0.5, 1.5, cell.arms - 1) - 1
    return DEVIATION * np.sqrt(cell.correlation * felt**2 + 2 * (1 - cell.correlation))


def there(cell: Cell, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which runs of a study exist; two seeds always do."""
    found = rng.random((cell.seeds, cell.arms)) >= cell.missing
    found[:2] = True
    return found


def study(values: Floats, present: NDArray[np.bool_]) -> list[Pairs]:
    """Return each arm with the baseline (the first column)."""
    arms = [
        ArmScores(str(arm), {int(seed): float(values[seed, arm]) for seed in np.flatnonzero(present[:, arm])})
        for arm in range(values.shape[1])
    ]
    pairs = [Pairs(arm, arms[0]) for arm in arms[1:]]
    # Two differences may be equal to the last digit that counts; such an arm is undecided and cannot be wrong.
    return [pair for pair in pairs if pair.estimate is not None]


def run_cell(cell: Cell, studies: int, seed: int = 0) -> Outcome:
    """Simulate the studies of a cell, and judge each by the report's own functions.

    Three things are asked of the same noise: without any difference, do the intervals hold 0 and is no arm called
    better or worse; with every difference at the margin, is no arm called equivalent; with a difference that 80 %
    power was stated for (by Bonferroni's level), how often is it found, and what does the report's own level state.
    A study in which no arm can be judged is not counted.
    """
    numbers = [seed, cell.arms, cell.seeds, int(10 * cell.correlation), int(100 * cell.missing), cell.tails == "t3"]
    rng = np.random.default_rng(numbers)
    # At the margin, every other arm lies above and every other below.
    margins = MARGIN * np.where(np.arange(cell.arms - 1) % 2, -1.0, 1.0)
    counts, judged = np.zeros(6), 0
    for values in 0.8 + noise(cell, studies, rng):
        present = there(cell, rng)
        pairs = study(values, present)
        if not pairs:
            continue
        judged += 1
        found = infer(pairs, MARGIN, ALPHA, "max_t", DRAWS)
        estimates = [(pair.estimate, margins[int(pair.arm.name) - 1]) for pair in pairs]
        at_margin = [Estimate(one.difference + shift, one.error, one.freedom) for one, shift in estimates if one]
        counts += [
            float(np.mean([_holds(pair.estimate.interval(ALPHA)) for pair in pairs if pair.estimate])),
            all(_holds(line.interval) for line in found if line.interval),
            any(decide(*both)[0] in (Verdict.BETTER, Verdict.WORSE) for both in zip(pairs, found, strict=True)),
            min(family.equivalence(at_margin, MARGIN)[1], default=1.0) <= ALPHA,
            *_power(cell, pairs, found),
        ]
    return Outcome(cell, judged, *(float(share) for share in counts / judged))


def _holds(interval: tuple[float, float]) -> bool:
    return interval[0] <= 0 <= interval[1]


@lru_cache
def _detectable(pairs: int, level: float) -> float:
    """Return the difference, in standard deviations, that is found with 80 % power."""
    return detectable_difference(1.0, pairs, t_quantile(level, pairs - 1))


def _power(cell: Cell, pairs: list[Pairs], found: list[Inference]) -> tuple[float, float]:
    """Return the share of the arms whose difference is found, and the power that is stated for it."""
    level = 1 - ALPHA / (cell.arms - 1) / 2
    seen, stated = [], []
    deviations = difference_deviations(cell)
    for pair, line in zip(pairs, found, strict=True):
        count, deviation = len(pair.seeds), deviations[int(pair.arm.name) - 1]
        gain = float(deviation) * _detectable(count, level)
        seen.append(line.interval is not None and line.interval[0] + gain > 0)
        stated.append(difference_power(gain, float(deviation), count, line.rule.critical(count)))
    return float(np.mean(seen)), float(np.mean(stated))
