"""The jobs of a study, those that are under way, and the files that say so."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from poolab.run_config import RunConfig
from poolab.study.runner.locks import Claim


@dataclass(frozen=True)
class Job:
    """A cell to run; `command` starts its process. Of train.py: its resolved configuration, and its run's folder."""

    key: str
    text: str
    command: tuple[str, ...]
    config: RunConfig | None = None
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

    def config(self, key: str) -> Path:
        """The configuration of a cell that is about to start."""
        return self.runs / "studies" / f"{self.study}.cells" / f"{key}.json"

    def claim(self, key: str) -> Path:
        """Who runs it."""
        return self.runs / ".claims" / key
