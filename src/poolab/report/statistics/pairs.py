"""An arm's runs paired with the baseline's by seed, and the estimate that they allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from poolab.errors import ConfigError
from poolab.report.statistics.images import Components, components, examples_estimate, new_images_estimate
from poolab.report.statistics.paired import Estimate, Floats, paired_estimate
from poolab.report.statistics.results import Reason
from poolab.report.statistics.scores import ArmScores

# Scores are often float32: below this share of their size, two differences are one.
RELATIVE_ROUNDING = 5e-7
# A share of correct examples and its score may differ by float32's rounding and a little more.
SCORE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Pairs:
    """An arm and the baseline over the seeds that both have."""

    arm: ArmScores
    baseline: ArmScores

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The shared seeds, ascending."""
        if self.arm.seeds == self.baseline.seeds:
            return self.arm.seeds
        return tuple(sorted(self.arm.valid.keys() & self.baseline.valid.keys()))

    @cached_property
    def first(self) -> Floats:
        """The arm's scores of the shared seeds."""
        return self._scores(self.arm)

    @cached_property
    def second(self) -> Floats:
        """The baseline's scores of the shared seeds."""
        return self._scores(self.baseline)

    def _scores(self, arm: ArmScores) -> Floats:
        # Forty arms have 780 pairs, mostly of the same seeds.
        return arm.values if arm.seeds == self.seeds else np.array([arm.valid[seed] for seed in self.seeds])

    @cached_property
    def differences(self) -> Floats:
        """Arm minus baseline."""
        return self.first - self.second

    @cached_property
    def hardly_varies(self) -> bool:
        """True if the paired differences vary so little that their t interval cannot be trusted (`hardly_varies`)."""
        size = max(np.abs(self.first).max(), np.abs(self.second).max())
        known = [one.test_examples for one in (self.arm, self.baseline) if one.test_examples]
        return hardly_varies(self.differences, float(size), 1 / min(known) if known else 0.0)

    @cached_property
    def by_seeds(self) -> Estimate | None:
        """The paired t; None below two pairs or where the differences hardly vary."""
        if len(self.seeds) < 2 or self.hardly_varies:
            return None
        return paired_estimate(self.differences)

    @cached_property
    def by_examples(self) -> Estimate | None:
        """Return what replaces the paired t where the differences hardly vary; None without per-example outcomes."""
        if len(self.seeds) < 2 or not self.hardly_varies or self.components is None:
            return None
        return examples_estimate(float(self.differences.mean()), self.components)

    @property
    def estimate(self) -> Estimate | None:
        """The estimate that the verdict uses."""
        return self.by_seeds or self.by_examples

    @property
    def basis(self) -> Literal["seeds", "examples"]:
        """Return what its standard error was made of."""
        return "examples" if self.by_seeds is None and self.by_examples is not None else "seeds"

    @cached_property
    def new_images(self) -> Estimate | None:
        """The estimate for new test images; None without per-example outcomes or below two pairs."""
        if len(self.seeds) < 2 or self.components is None:
            return None
        if self.hardly_varies:
            return self.by_examples
        return new_images_estimate(float(self.differences.mean()), self.components)

    @cached_property
    def components(self) -> Components | None:
        """The variance components of the per-example differences; None where a shared seed lacks its outcomes.

        Raises:
            ConfigError: outcomes of unequal length, or whose share of correct ones is not the score.
        """
        rows = [self._row(seed) for seed in self.seeds]
        found = [row for row in rows if row is not None]
        if not found or len(found) < len(rows):
            return None
        return components(np.array(found))

    def _row(self, seed: int) -> Floats | None:
        outcomes = [one.outcomes(seed) for one in (self.arm, self.baseline)]
        if outcomes[0] is None or outcomes[1] is None:
            return None
        if len(outcomes[0]) != len(outcomes[1]):
            raise ConfigError(
                f"seed {seed}: arm {self.arm.name} has {len(outcomes[0])} outcomes, {self.baseline.name} has "
                f"{len(outcomes[1])}; runs that are compared need the same test examples: leave `correct` out"
            )
        difference = outcomes[0].astype(float) - outcomes[1].astype(float)
        score = self.arm.valid[seed] - self.baseline.valid[seed]
        # For an error rate the outcomes' difference has the opposite sign.
        if min(abs(difference.mean() - score), abs(difference.mean() + score)) > SCORE_TOLERANCE:
            raise ConfigError(
                f"seed {seed}, arms {self.arm.name} and {self.baseline.name}: the shares of correct examples differ by "
                f"{difference.mean():.5f} and the scores by {score:.5f}; `correct` fits only a metric that is the "
                "share of correct (or wrong) examples: leave it out for another metric"
            )
        return difference

    def reason_without_estimate(self) -> Reason | None:
        """Return why there is no estimate, or None where there is one."""
        if self.baseline.n == 0:
            return Reason.NO_BASELINE
        if self.arm.n == 0:
            return Reason.ALL_DIVERGED if self.arm.diverged else Reason.NO_RUNS
        if len(self.seeds) < 2:
            return Reason.TOO_FEW_PAIRS
        return Reason.ZERO_VARIANCE if self.estimate is None else None


def hardly_varies(differences: Floats, size: float, resolution: float) -> bool:
    """Return True if paired differences vary too little for a t interval.

    So it is where they are all equal, or deviate by less than one test example: the metric moves in steps then, and a
    zero-width interval would be taken for certainty. Where the number of examples is unknown, it is also so where three
    pairs or more take only two values.

    Args:
        differences: at least 2.
        size: of the scores, for the rounding.
        resolution: of the metric, one test example; 0 where unknown.

    >>> hardly_varies(np.array([0.01, 0.01, 0.01]), 0.9, 0.0), hardly_varies(np.array([0.01, 0.02, 0.03]), 0.9, 0.0)
    (True, False)
    >>> hardly_varies(np.array([0.001, 0.002, 0.003]), 0.9, 1 / 364)
    True
    """
    steps = set(np.round(differences / max(RELATIVE_ROUNDING * size, 1e-300)).tolist())
    if not resolution:
        return len(steps) < min(3, len(differences))
    return len(steps) < 2 or bool(differences.std(ddof=1) < resolution)


def difference_matrix(pairs: Sequence[Pairs]) -> Floats:
    """Return the differences as (seeds, arms), NaN where an arm lacks a seed.

    >>> base = ArmScores("b", {0: 0.5, 1: 0.5})
    >>> arms = [ArmScores("a", {0: 0.6, 1: 0.7}), ArmScores("c", {1: 0.4})]
    >>> difference_matrix([Pairs(arm, base) for arm in arms]).round(1)
    array([[ 0.1,  nan],
           [ 0.2, -0.1]])
    """
    seeds = sorted({seed for pair in pairs for seed in pair.seeds})
    matrix = np.full((len(seeds), len(pairs)), np.nan)
    for column, pair in enumerate(pairs):
        matrix[[seeds.index(seed) for seed in pair.seeds], column] = pair.differences
    return matrix
