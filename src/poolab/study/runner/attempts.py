"""The last attempt at each cell of a study, from the journal."""

from dataclasses import dataclass
from pathlib import Path

from poolab.study.runner.journal import read_entry
from poolab.study.runner.outcomes import OUTCOMES
from poolab.study.sweep.sweep_file import Study


@dataclass(frozen=True)
class Attempt:
    """An attempt of `poolab study run` at a cell; without an outcome it runs, or its runner was killed."""

    cell: str
    what: str = ""
    started: str = ""
    outcome: str | None = None
    reason: str = ""


def last_attempts(study: Study, runs_dir: Path) -> dict[str, Attempt]:
    """Return the last attempt of `poolab study run` at each cell, by the cell's signature."""
    path = runs_dir / "studies" / f"{study.name}.jsonl"
    try:
        lines = path.read_bytes().split(b"\n") if path.is_file() else []
    except OSError:
        return {}
    return {one.cell: one for one in map(_attempt, lines) if one is not None}


def _attempt(line: bytes) -> Attempt | None:
    """Return the attempt in a line; None if it is being written, was torn by kill -9, or is another program's."""
    entry = read_entry(line) or {}
    texts = {key: entry.get(key, "") for key in ("cell", "what", "started", "reason")}
    outcome = entry.get("outcome")
    if "cell" not in entry or not all(isinstance(text, str) for text in texts.values()):
        return None
    return Attempt(**texts, outcome=outcome) if outcome in (None, *OUTCOMES) else None
