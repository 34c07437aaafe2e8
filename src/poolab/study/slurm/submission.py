"""A submitted array: a file beside the study's journal, with the array's cells and their signatures."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from poolab.records import write_atomically


@dataclass(frozen=True)
class Submission:
    """One array: `cells[i]` is the resolved configuration of its job i, `signatures[i]` names their run.

    An array that an earlier poolab submitted has lists of `key=value` words in place of configurations.

    It is written before SLURM hears of it, and known in the queue by the path of its batch script: so that jobs whose
    number nobody could write down any more are the study's too.
    """

    path: Path  # DIR/studies/<study>.slurm/<token>.json
    submitted: str
    user: int
    extra: list[str]  # the words of the command line
    added: list[str]  # those that the resources add to them
    signatures: list[str]
    cells: list[dict[str, Any] | list[str]] = field(repr=False)
    job: str | None = None  # the array's number, when SLURM has told it

    @property
    def script(self) -> Path:
        """The batch script."""
        return self.path.with_suffix(".sh")

    @property
    def logs(self) -> Path:
        """The folder of the jobs' logs: `<index>.log` for each job of the array."""
        return self.path.with_suffix(".logs")

    @cached_property
    def indices(self) -> dict[str, int]:
        """The index of each run in the array."""
        return {signature: index for index, signature in enumerate(self.signatures)}

    def write(self, script: str) -> None:
        """Write the submission and its batch script, before SLURM gets it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        write_atomically(self.script, script)
        self.save()

    def save(self) -> None:
        """Write the submission without its script."""
        content = asdict(self)
        del content["path"]
        write_atomically(self.path, json.dumps(content))

    def forget(self) -> None:
        """Remove a submission that SLURM has refused."""
        for path in (self.path, self.script):
            path.unlink(missing_ok=True)
        if self.logs.exists():
            self.logs.rmdir()


def folder_of(runs_dir: str | Path, study: str) -> Path:
    """Return the folder of a study's submissions; a real path, since the queue has those."""
    return Path(os.path.realpath(runs_dir)) / "studies" / f"{study}.slurm"


def submissions(folder: Path) -> list[Submission]:
    """Return the submissions of one study, oldest first."""
    return _read(sorted(folder.glob("*.json")))


def all_submissions(runs_dir: str | Path) -> list[Submission]:
    """Return the submissions of all studies of a folder, which share its runs, oldest first."""
    found = _read(list((Path(os.path.realpath(runs_dir)) / "studies").glob("*.slurm/*.json")))
    return sorted(found, key=lambda one: one.submitted)


def with_added(runs_dir: str | Path, study: str, extra: Sequence[str]) -> list[str]:
    """Return the arguments that a study was submitted with by this command line, with which its runs are found.

    A run of several processes has other settings, and so another signature, than the same cell on one device.
    """
    own = [word for word in extra if not word.startswith("runs_dir=")]
    like = [one for one in submissions(folder_of(runs_dir, study)) if one.extra == own]
    return [*extra, *(like[-1].added if like else ())]


def _read(paths: Sequence[Path]) -> list[Submission]:
    names = {one.name for one in fields(Submission)}
    found = []
    for path in paths:
        try:
            content = json.loads(path.read_text())
            found.append(Submission(**{key: content[key] for key in names - {"path"}}, path=path))
        except (OSError, ValueError, KeyError, TypeError):  # another program's, or a newer poolab's
            continue
    return found
