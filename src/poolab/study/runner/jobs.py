"""What there is to run, how far it is, and the files that say so."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from poolab.study.runner.locks import Claim
from poolab.study.runner.outcomes import Ending

if TYPE_CHECKING:
    from poolab.study.runner.sources import JobSource


@dataclass(frozen=True)
class Job:
    """A cell to run. `folder` is its run's, for train.py; `words` are its overrides, `command` starts it afresh."""

    key: str
    text: str
    command: tuple[str, ...]
    words: tuple[str, ...] = ()
    folder: Path | None = None
    forced: bool = False


@dataclass
class Held:
    """A job that is under way; `pid` is None until the fork server has told it."""

    job: Job
    claim: Claim
    entry: int
    log: str
    attempt: int
    pid: int | None = None
    adopted: bool = False  # its fork server is gone, and it is this process's child now
    stopped: str | None = None  # why it was asked to stop, where its source did
    started: float = field(default_factory=time.monotonic)


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


@dataclass(frozen=True)
class Files:
    """Where a study keeps its journal, its logs, and the claims that it shares with the folder's other studies."""

    runs: Path
    study: str

    @property
    def journal(self) -> Path:
        """Every attempt."""
        return self.runs / "studies" / f"{self.study}.jsonl"

    def log(self, key: str) -> Path:
        """What a cell printed in its last attempt."""
        return self.runs / "studies" / f"{self.study}.logs" / f"{key}.log"

    def claim(self, key: str) -> Path:
        """Who runs it."""
        return self.runs / ".claims" / key
