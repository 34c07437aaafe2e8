"""The results of a search's trials, from their runs' records and histories and the journal of attempts."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError, PoolabError, nearest
from poolab.records import Record, RunFolder
from poolab.study.runner.attempts import Attempt, last_attempts
from poolab.study.runner.journal import read_entry
from poolab.study.search.samplers import TrialResult
from poolab.study.search.trials import Trial
from poolab.study.sweep.sweep_file import Metric, Study


class Results:
    """The results of a study's trials in a folder of runs; results that cannot change any more are read once."""

    def __init__(self, study: Study, runs: Path):
        self.study, self.runs = study, runs
        self._final: dict[str, TrialResult] = {}
        self._rows: dict[str, tuple[tuple[int, int], list[float]]] = {}

    def of(self, trials: Sequence[Trial]) -> list[TrialResult]:
        """Return the results of trials, in the form that a sampler takes.

        Raises:
            ConfigError: the record of a completed run has no such metric.
        """
        attempts = last_attempts(self.study, self.runs)
        return [self._final.get(trial.cell) or self._of(trial, attempts.get(trial.cell)) for trial in trials]

    def _of(self, trial: Trial, attempt: Attempt | None) -> TrialResult:
        outcome = attempt.outcome if attempt else None
        told = TrialResult(trial.at, trial.attributes, "open")
        try:
            record = RunFolder(self.runs, trial.cell).result if self.study.trains and not trial.refused else None
        except PoolabError:  # damaged, which the runner says
            return told._replace(state="failed")
        if record is not None and record.finished:
            value = read_metric(record, self.study.metric) if record.completed and self.study.metric else None
            lacks = record.completed and value is None  # it is no number
            told = self._final[trial.cell] = told._replace(state="failed" if lacks else "complete", value=value)
        elif outcome == "stopped":
            told = told._replace(state="stopped", rows=self.rows(trial.cell))
        elif trial.refused or outcome in ("failed", "killed", "refused"):
            told = told._replace(state="failed")
        return told

    def rows(self, cell: str) -> list[float]:
        """Return the metric of a run after each epoch so far; epochs without a number are left out, as W&B does."""
        path = self.runs / cell / "history.jsonl"
        metric = self.study.metric
        try:
            stat = path.stat()
            found = self._rows.get(cell)
            if found is None or found[0] != (stat.st_mtime_ns, stat.st_ino):
                rows = [read_entry(line) or {} for line in path.read_bytes().split(b"\n")]
                values = [row[metric.name] for row in rows if metric and _number(row.get(metric.name))]
                found = self._rows[cell] = ((stat.st_mtime_ns, stat.st_ino), values)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return found[1]


def read_metric(record: Record, metric: Metric) -> float | None:
    """Return the metric of a completed run; None if it is not a number.

    Raises:
        ConfigError: there is no such metric.
    """
    if metric.name not in record.metrics:
        raise ConfigError(
            f"the search goes by {metric.name}, which the record {record.signature} does not have; "
            f"{nearest(metric.name, list(record.metrics))}mend metric.name in the file: what was run stays"
        )
    return record.value(metric.name)


def better(value: float, other: float, metric: Metric) -> bool:
    """Return True if a value of the metric is better than another."""
    return value > other if metric.goal == "maximize" else value < other


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
