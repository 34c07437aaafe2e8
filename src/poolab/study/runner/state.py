"""How far a study is, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from poolab.study.runner.jobs import Held, Job
from poolab.study.runner.outcomes import Ending
from poolab.study.runner.sources import JobSource


@dataclass
class State:
    """How far a study is. `ended` has the last ending of each job by its key; `earlier` had one before."""

    source: JobSource
    running: dict[str, Held] = field(default_factory=dict)
    elsewhere: list[tuple[float, Job]] = field(default_factory=list)
    ended: dict[str, Ending] = field(default_factory=dict)
    earlier: set[str] = field(default_factory=set)
    attempts: dict[str, int] = field(default_factory=dict)
    fault: str | None = None

    @property
    def left(self) -> bool:
        """Whether there is anything to do or to wait for."""
        return bool(self.source.waiting or self.running or self.elsewhere)

    def count(self, *outcomes: str) -> int:
        """How many jobs ended so."""
        return sum(ended.outcome in outcomes for ended in self.ended.values())


class Watcher(Protocol):
    """Who is told of the progress."""

    def ended(self, job: Job, became: Ending, attempt: int, again: bool) -> None:
        """An attempt has ended."""

    def look(self, state: State) -> None:
        """Some time has passed."""
