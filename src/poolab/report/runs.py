"""The runs that a report is made of: read from folders of runs and from files of records, each run once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from poolab.records import HEADLINES, STATUSES, flatten
from poolab.report.labels import CONTENT

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One run as its record tells it.

    `settings` is the resolved configuration with dotted keys, `content` what stands for the bytes of the data and
    weights that the run read, `source` for those of the run that it goes on from (each seed may have its own), `where`
    the folder or file that the record came from.
    """

    signature: str
    status: str
    reason: str
    seed: int
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    notes: Mapping[str, str]
    environment: Mapping[str, Any]
    started: str
    ended: str
    where: str
    content: tuple[tuple[str, str], ...] = ()
    source: str = ""
    record: Record = field(default_factory=dict, repr=False, compare=False)

    @property
    def completed(self) -> bool:
        """True if the run was trained and tested to its end."""
        return self.status == "completed"

    @property
    def task(self) -> str:
        """The task; records of before there were tasks are of classification."""
        return str(self.settings.get("task", "classification"))

    @property
    def headline(self) -> str:
        """The name of the test metric that runs of this task are compared by."""
        return f"test/{HEADLINES.get(self.task, 'accuracy')}"

    def value(self, metric: str) -> float | None:
        """Return a metric as a finite number, or None."""
        value = self.metrics.get(metric)
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if fits and value is not None else None


def run_of(record: Record, where: str) -> Run:
    """Read a record.

    Raises:
        ValueError: the record lacks something that a comparison needs; the message says what.
    """
    for name, kind in (("config", Mapping), ("metrics", Mapping), ("environment", Mapping), ("signature", str)):
        if not isinstance(record.get(name), kind):
            raise ValueError(f"it has no {name}")
    status = record.get("status")
    if not isinstance(status, str) or status not in STATUSES:
        raise ValueError(f"its status is {status!r}, which is none of {', '.join(STATUSES)}")
    seed = record.get("seed", record["config"].get("seed"))
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ValueError(f"its seed is {seed!r}")
    environment = record["environment"]
    return Run(
        signature=record["signature"],
        status=status,
        reason=str(record.get("reason") or ""),
        seed=seed,
        settings=flatten(record["config"]),
        metrics=record["metrics"],
        notes=record.get("notes") or {},
        environment=environment,
        started=str(record.get("started") or ""),
        ended=str(record.get("ended") or ""),
        where=where,
        content=tuple((name, str(environment[name])) for name in CONTENT if environment.get(name)),
        source=str(environment.get("source_sha256") or ""),
        record=record,
    )


@dataclass(frozen=True)
class Doubled:
    """A record that is left out because another one of the same run is taken."""

    run: Run
    taken: Run

    def __str__(self) -> str:
        """Return one sentence."""
        same = self.run.metrics == self.taken.metrics
        return (
            f"{self.run.signature} (seed {self.run.seed}) is in {self.run.where} and in {self.taken.where}, "
            f"{'with the same figures' if same else 'with other figures'}; the record in {self.taken.where} is taken"
        )


def without_doubles(runs: Iterable[Run]) -> tuple[list[Run], list[Doubled]]:
    """Keep one record for each signature: a completed one before others, then the one that started first."""
    best: dict[str, Run] = {}
    doubled: list[Doubled] = []
    for run in runs:
        other = best.setdefault(run.signature, run)
        if other is run:
            continue
        first, second = sorted((other, run), key=lambda one: (not one.completed, one.started))
        best[run.signature] = first
        doubled.append(Doubled(second, first))
    return list(best.values()), doubled


def read_runs(sources: Sequence[tuple[str, Sequence[Record]]]) -> tuple[list[Run], list[str]]:
    """Return the runs of named lists of records, and a sentence for each record that cannot be used."""
    runs, faults = [], []
    for where, records in sources:
        for number, record in enumerate(records, 1):
            try:
                runs.append(run_of(record, where))
            except ValueError as fault:
                name = (
                    record.get("signature", f"number {number}") if isinstance(record, Mapping) else f"number {number}"
                )
                faults.append(f"{where}: record {name} is left out: {fault}")
    return runs, faults
