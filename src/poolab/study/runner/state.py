"""The state of a running study, and the interface of those who watch it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from poolab.study.runner.jobs import Held, Job
from poolab.study.runner.outcomes import Ending
from poolab.study.runner.sources import JobSource


@dataclass
class State:
    """The state of a study. `ended` has the last outcome of each job by its key; `earlier` had one before."""

    source: JobSource
    running: dict[str, Held] = field(default_factory=dict)
    elsewhere: list[tuple[float, Job]] = field(default_factory=list)
    ended: dict[str, Ending] = field(default_factory=dict)
    earlier: set[str] = field(default_factory=set)
    attempts: dict[str, int] = field(default_factory=dict)
    error: str | None = None

    @property
    def left(self) -> bool:
        """True if there is anything to do or to wait for."""
        return bool(self.source.waiting or self.running or self.elsewhere)

    def count(self, *outcomes: str) -> int:
        """Return how many jobs ended with one of these outcomes."""
        return sum(ended.outcome in outcomes for ended in self.ended.values())


class Watcher(Protocol):
    """Is told about the progress of a study."""

    def ended(self, job: Job, became: Ending, attempt: int, again: bool) -> None:
        """Take note of an attempt that has ended."""

    def look(self, state: State) -> None:
        """Look at the state after some time has passed."""
