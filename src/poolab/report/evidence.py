"""Holds what a report knows of the runs: settings with their arms, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from poolab.records import Record
from poolab.report.doubles import Doubled
from poolab.report.looks import Look


@dataclass(frozen=True)
class LeftOut:
    """A run that takes no part in the comparison, and why."""

    run: Record
    arm: str
    setting: str
    reason: str


@dataclass(frozen=True)
class Arm:
    """The runs of one arm in one setting, one for each seed, sorted by seed.

    `runs` are completed, `stopped` were interrupted or stopped by a search, `missing` are seeds without a run.
    """

    label: str
    runs: tuple[Record, ...] = ()
    diverged: tuple[Record, ...] = ()
    failed: tuple[Record, ...] = ()
    stopped: tuple[Record, ...] = ()
    missing: tuple[int, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def scores(self, metric: str) -> dict[int, float]:
        """Return a metric of the completed runs by seed; runs in which it is no number are absent."""
        values = {run.seed: run.value(metric) for run in self.runs}
        return {seed: value for seed, value in values.items() if value is not None}

    def values(self, metric: str) -> list[float]:
        """Return a metric of the completed runs, in the order of the seeds."""
        return list(self.scores(metric).values())


@dataclass(frozen=True)
class Setting:
    """One data set, network and way of training, with the arms that were run in it."""

    label: str
    facts: Mapping[str, Any]
    arms: tuple[Arm, ...]

    @property
    def runs(self) -> list[Record]:
        """All completed and diverged runs."""
        return [run for arm in self.arms for run in (*arm.runs, *arm.diverged)]


@dataclass(frozen=True)
class Evidence:
    """Everything that a report knows: settings with their arms, and what was left out.

    Args:
        planned: how many seeds the study file names; None without one, or for a search.
        tuned: the settings whose values were chosen for each arm, as declared.
        looked: the earlier looks at these arms, by the study's journal; None where there is no journal.
    """

    settings: tuple[Setting, ...]
    left_out: tuple[LeftOut, ...] = ()
    doubled: tuple[Doubled, ...] = ()
    faults: tuple[str, ...] = ()
    searched: bool = False
    planned: int | None = None
    looked: tuple[Look, ...] | None = None
    tuned: tuple[str, ...] = ()

    @property
    def runs(self) -> list[Record]:
        """All completed and diverged runs."""
        return [run for setting in self.settings for run in setting.runs]

    @property
    def arms(self) -> list[str]:
        """The labels of all arms, each once, in the order of the settings."""
        return list(dict.fromkeys(arm.label for setting in self.settings for arm in setting.arms))
