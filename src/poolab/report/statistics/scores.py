"""Holds what the statistics read: the scores of one arm in one setting, by seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from poolab.errors import ConfigError


@dataclass(frozen=True)
class ArmScores:
    """The outcome of one arm's runs in one setting (data set and backbone).

    Args:
        name: the arm.
        scores: seed -> test metric, of completed runs only. None, NaN and infinite values count as `unscored` and are
            left out.
        diverged: the seeds of runs that diverged. A diverged run is an outcome and has no score here.
        failed: how many runs ended with an error that is not divergence.
        missing: how many planned runs were never made or never ended.
        correct: seed -> one value per test example (1 correct, 0 wrong), bool or uint8, the same examples in the same
            order for every run of the setting; or the same packed by `numpy.packbits`, then `examples` is needed.
            Give it only where the metric is the share of correct examples.
        examples: the number of test examples. Without `correct` it tells the metric's resolution (one example).

    Raises:
        ConfigError: a seed that has a score and diverged, or arrays of unequal or impossible length.

    >>> arm = ArmScores("max", {0: 0.91, 1: 0.93, 2: None}, diverged=(3,))
    >>> arm.n, arm.unscored, arm.runs
    (2, 1, 3)
    """

    name: str
    scores: Mapping[int, float | None]
    diverged: Sequence[int] = ()
    failed: int = 0
    missing: int = 0
    correct: Mapping[int, NDArray[np.uint8] | NDArray[np.bool_]] | None = field(default=None, repr=False)
    examples: int | None = None

    def __post_init__(self) -> None:
        both = sorted(set(self.diverged) & set(self.scores))
        if both:
            raise ConfigError(
                f"arm {self.name}: the seeds {both} have a score and are named as diverged; a run is one or the other: "
                "leave them out of `scores`, or out of `diverged`"
            )
        if self.failed < 0 or self.missing < 0:
            raise ConfigError(f"arm {self.name}: failed={self.failed}, missing={self.missing}; counts are 0 or more")
        for seed, array in (self.correct or {}).items():
            self._check(seed, np.asarray(array))

    def _check(self, seed: int, array: NDArray[np.generic]) -> None:
        allowed = {len(array)} if self.examples is None else {self.examples, math.ceil(self.examples / 8)}
        if array.ndim != 1 or array.dtype not in (np.uint8, np.bool_) or len(array) not in allowed:
            raise ConfigError(
                f"arm {self.name}, seed {seed}: correctness of shape {array.shape} and type {array.dtype}; allowed are "
                f"bool or uint8 of length {' or '.join(map(str, sorted(allowed)))} (examples, or packed by "
                "numpy.packbits)"
            )

    @cached_property
    def valid(self) -> dict[int, float]:
        """The finite scores, by seed in ascending order."""
        return {
            seed: float(score)
            for seed, score in sorted(self.scores.items())
            if score is not None and math.isfinite(score)
        }

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the finite scores, ascending."""
        return tuple(self.valid)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The finite scores in the order of the seeds."""
        return np.array(list(self.valid.values()))

    @property
    def n(self) -> int:
        """The number of completed runs with a score."""
        return len(self.valid)

    @property
    def unscored(self) -> int:
        """The number of completed runs whose score is None, NaN or infinite."""
        return len(self.scores) - self.n

    @property
    def runs(self) -> int:
        """The number of runs that trained or diverged: what the divergence rate divides by."""
        return self.n + len(set(self.diverged))

    @property
    def test_examples(self) -> int | None:
        """The number of test examples, where it is known."""
        if self.examples is not None or not self.correct:
            return self.examples
        return len(next(iter(self.correct.values())))

    def outcomes(self, seed: int) -> NDArray[np.int8] | None:
        """Return one value per test example (1 correct, 0 wrong) for a seed, or None where it is not there."""
        found = None if self.correct is None else self.correct.get(seed)
        if found is None:
            return None
        array = np.asarray(found, dtype=np.uint8)
        if self.examples is not None and len(array) != self.examples:
            array = np.unpackbits(array, count=self.examples)
        return array.astype(np.int8)
