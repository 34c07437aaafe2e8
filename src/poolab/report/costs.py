"""Reads what an arm costs: time of a training step, latency, memory, parameters; each with its spread over the runs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poolab.records import Record
from poolab.report.evidence import Arm


@dataclass(frozen=True)
class Cost:
    """A cost: its name, its unit, how many of the record's units are one of it, and how many decimals are shown."""

    name: str
    unit: str
    metric: str
    scale: float
    decimals: int

    @property
    def title(self) -> str:
        """The name with its unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def of(self, run: Record) -> float | None:
        """Return the cost of a run in `unit`, or None where it was not measured."""
        value = run.value(self.metric)
        if value is None:
            return None
        if self.metric == TRAIN_SPEED:
            batch = run.settings.get("data.batch_size")
            fits = isinstance(batch, int | float) and value > 0
            return 1000 * batch / value if fits and batch is not None else None
        return value * self.scale

    def written(self, value: float | None) -> str:
        """Write a cost without its unit."""
        return "-" if value is None else f"{value:,.{self.decimals}f}"


TRAIN_SPEED = "speed/train_images_per_s"
COSTS: Mapping[str, Cost] = {
    "step_ms": Cost("training step", "ms", TRAIN_SPEED, 1.0, 1),
    "latency_ms": Cost("latency", "ms", "speed/infer_latency_ms_median", 1.0, 2),
    "peak_memory_mb": Cost("peak memory", "MB", "cost/peak_memory_bytes", 1e-6, 1),
    "parameters": Cost("parameters", "", "cost/parameters", 1.0, 0),
}
# These are counted and the same in every run; the others are measured.
COUNTED = ("parameters",)


@dataclass(frozen=True)
class Spread:
    """The median of a cost over the runs of an arm, and the least and the largest value."""

    median: float
    least: float
    most: float


def spreads(arm: Arm) -> dict[str, Spread]:
    """Return the costs of an arm that were measured, by their names in `COSTS`."""
    found = {}
    for name, cost in COSTS.items():
        values = [value for run in arm.runs if (value := cost.of(run)) is not None]
        if values:
            found[name] = Spread(statistics.median(values), min(values), max(values))
    return found


def is_comparable(runs: Sequence[Record]) -> bool:
    """Return True if the speeds of runs may be compared: all of one machine, measured while nothing else ran.

    Records tell it by `load`, the cores that other processes kept busy during the run (another run of the same study is
    one of them). Records without it were measured under unknown conditions.
    """
    if not runs:
        return False
    machines = {
        tuple(str(run.environment.get(name)) for name in ("processor", "device", "threads", "platform")) for run in runs
    }
    return len(machines) == 1 and all(_was_idle(run) for run in runs)


QUIET = 0.25  # cores of others: a shared machine is never wholly idle


def _was_idle(run: Record) -> bool:
    load = run.environment.get("load")
    return isinstance(load, int | float) and not isinstance(load, bool) and load <= QUIET
