"""What became of a study's runs: read from their folders, their locks, and the journal of `poolab study run`."""

import fcntl
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poolab.records import RunFolder
from poolab.study.cells import grid_cells
from poolab.study.expected import Expected, expected
from poolab.study.sweep_file import Study

# The order of the lines; a run that diverged is done, and its record says so.
STATES = ("completed", "diverged", "running", "waiting", "missing", "interrupted", "failed")


@dataclass(frozen=True)
class State:
    """What became of one run, and why where it did not end well."""

    run: str
    state: str
    reason: str = ""


def status(study: Study, runs_dir: str | Path, extra: Sequence[str] = ()) -> list[State]:
    """The state of every run of a study, in the order of its file.

    A run that nobody has begun is waiting while others of the study run, else it is missing. Of a program other than
    train.py only the journal is known.

    Raises:
        ConfigError: a cell that cannot be run.
    """
    attempts = last_attempts(study, Path(runs_dir))
    if not study.trains:
        states = [_attempted(name, one) for name, one in attempts.items()]
        count = len(grid_cells(study, extra)) - len(states) if study.method == "grid" else 0
        states += [State("", "missing")] * max(count, 0)
    else:
        runs = expected(study, Path(runs_dir), extra)
        states = [_state(run, RunFolder(runs_dir, run.signature), attempts) for run in runs]
    if any(one.state == "running" for one in states):
        states = [State(one.run, "waiting") if one.state == "missing" else one for one in states]
    return states


def counted(states: Iterable[State]) -> dict[str, int]:
    """How many runs are in each state, those of `STATES` first."""
    counts = Counter(one.state for one in states)
    return {state: counts[state] for state in (*STATES, *counts) if counts[state]}


def last_attempts(study: Study, runs_dir: Path) -> dict[str, Mapping[str, Any]]:
    """The last attempt at each cell that `poolab study run` noted, by the cell's signature."""
    try:
        lines = (runs_dir / "studies" / f"{study.name}.jsonl").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:  # being written now, or torn by kill -9
            continue
        found[str(entry.get("cell"))] = entry
    return found


def _attempted(name: str, attempt: Mapping[str, Any]) -> State:
    outcome = attempt.get("outcome")
    known = outcome in ("completed", "diverged", "interrupted")
    return State(name, ("failed", str(outcome))[known] if outcome else "running", str(attempt.get("reason") or ""))


def _state(run: Expected, folder: RunFolder, attempts: Mapping[str, Mapping[str, Any]]) -> State:
    found = folder.result
    if found is not None and found["status"] in ("completed", "diverged"):
        return State(run.words, found["status"], found["reason"] or "")
    if _held(folder / ".lock"):
        return State(run.words, "running")
    attempt = attempts.get(run.signature)
    if attempt is not None and attempt.get("outcome") not in (None, "completed", "diverged", "busy"):
        return _attempted(run.words, attempt)  # what was killed or refused left no record
    if found is not None:
        return State(run.words, found["status"], found["reason"] or "")
    if folder.path.exists():
        goes_on = ", and goes on from its checkpoint" if folder.checkpoint else ""
        return State(run.words, "interrupted", f"it was killed before its record{goes_on}")
    return State(run.words, "missing")


def _held(lock: Path) -> bool:
    """Whether a process makes this run: it holds the folder's lock, which the system frees when it ends."""
    try:
        with open(lock) as file:
            fcntl.flock(
                file, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # for microseconds, and shared: two that ask do not see each other
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
