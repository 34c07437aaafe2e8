"""The jobs of a study, the running ones, and the files of a study."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from poolab.run_config import RunConfig
from poolab.study.runner.locks import Claim


@dataclass(frozen=True)
class Job:
    """A cell to run and the command of its process. A job of train.py has a configuration and a run's folder too."""

    key: str
    text: str
    command: tuple[str, ...]
    config: RunConfig | None = None
    folder: Path | None = None
    forced: bool = False


@dataclass
class Held:
    """A job that is under way; `pid` is None until the fork server has reported it."""

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
    """The paths of a study's journal and logs, and of the claims that all studies of the folder share."""

    runs: Path
    study: str

    @property
    def journal(self) -> Path:
        """The file of all attempts."""
        return self.runs / "studies" / f"{self.study}.jsonl"

    def log(self, key: str) -> Path:
        """Return the file for the output of a cell's last attempt."""
        return self.runs / "studies" / f"{self.study}.logs" / f"{key}.log"

    def config(self, key: str) -> Path:
        """Return the file for the configuration of a cell that is about to start."""
        return self.runs / "studies" / f"{self.study}.cells" / f"{key}.json"

    def claim(self, key: str) -> Path:
        """Return the lock file of a cell."""
        return self.runs / ".claims" / key
