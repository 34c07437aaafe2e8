"""The trials of a search, one line each in DIR/studies/<study>.trials.jsonl, shared by all its runners.

A line is appended, whole or not at all, while the file is locked, and never changed. What became of the trial is in
its run's record and in the journal of attempts: so nothing can be lost between two files.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from poolab.records import NOT_IDENTITY, below
from poolab.study.runner.journal import end_of_lines, locked, read_entry, write_whole
from poolab.study.sweep.cells import assignments
from poolab.study.sweep.distributions import searched
from poolab.study.sweep.sweep_file import Study


@dataclass(frozen=True)
class Trial:
    """A cell that was drawn: its key (a signature for train.py), its settings, its coordinates, and its sampler.

    `refused` says why it cannot be run; `attributes` are the sampler's own.
    """

    number: int
    cell: str
    what: str
    at: Mapping[str, float]
    sampler: str
    drawn: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None


class Trials:
    """The trials of one search, in the order in which they were drawn."""

    def __init__(self, path: Path, search: str):
        self.path, self.search = path, search
        self.known: list[Trial] = []
        self._read = 0  # bytes

    def read(self) -> list[Trial]:
        """Return all trials so far."""
        try:
            file = os.open(self.path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return self.known
        try:
            self._take_in(file)
        finally:
            os.close(file)
        return self.known

    @contextmanager
    def drawing(self) -> Iterator[int]:
        """Hold the file, so that nobody else draws meanwhile; all trials are known then. Yields what `add` takes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path, fcntl.LOCK_EX) as file:
            self._take_in(file)
            yield file

    def add(self, file: int, trial: Trial) -> None:
        """Write a trial to the file.

        Raises:
            DiskFull: there is no room; it was not drawn then.
        """
        line = json.dumps({"search": self.search, **asdict(trial)}).encode() + b"\n"
        write_whole(file, line, end_of_lines(file), f"a trial in {self.path}")
        self._take_in(file)

    def _take_in(self, file: int) -> None:
        """Read what was added since. After the last line break may be a line that is incomplete."""
        if os.fstat(file).st_size < self._read:  # somebody has deleted it: the search begins anew
            self.known, self._read = [], 0
        content = os.pread(file, os.fstat(file).st_size - self._read, self._read)
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.split(b"\n"):
            entry = read_entry(line)
            if entry is not None and entry.pop("search", None) == self.search:
                with suppress(TypeError):  # of another poolab, which writes down something else
                    self.known.append(Trial(**entry))


def trials_of(study: Study, runs: Path, extra: Sequence[str] = ()) -> Trials:
    """Return the trials of a study with these arguments in a folder of runs."""
    return Trials(runs / "studies" / f"{study.name}.trials.jsonl", search_name(study, extra))


def search_name(study: Study, extra: Sequence[str] = ()) -> str:
    """Return twelve digits that identify a search: its space, and the settings that all its cells share.

    What cannot change a result is no part of it, nor the metric, the cap and the sampler, which may change meanwhile.

    >>> from poolab.study import read_study
    >>> study = read_study("sweeps/gated_bayes.yaml")
    >>> search_name(study) == search_name(study, ["tracker=none"]) != search_name(study, ["trainer.epochs=3"])
    True
    """
    aside = NOT_IDENTITY if study.trains else ()
    given = {key: words for key, words in assignments(extra) if not below(key, aside)}
    own = [
        asdict(parameter)
        for parameter in study.parameters
        if parameter.name not in given and (searched(parameter) or not below(parameter.name, aside))
    ]
    text = json.dumps([study.program, list(study.command), own, sorted(given.items())], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
