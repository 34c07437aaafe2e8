"""The last attempt at each cell of a study, from the journal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poolab.study.runner.journal import read_entry
from poolab.study.runner.outcomes import OUTCOMES
from poolab.study.sweep.sweep_file import Study


def last_attempts(study: Study, runs_dir: Path) -> dict[str, Mapping[str, Any]]:
    """Return the last attempt of `poolab study run` at each cell, by the cell's signature."""
    path = runs_dir / "studies" / f"{study.name}.jsonl"
    try:
        lines = path.read_bytes().split(b"\n") if path.is_file() else []
    except OSError:
        return {}
    entries = [read_entry(line) for line in lines]  # None: being written now, torn by kill -9, or of another program
    return {one["cell"]: one for one in entries if one is not None and _attempt(one)}


def _attempt(entry: Mapping[str, Any]) -> bool:
    """Return True if an entry of a journal is an attempt of `poolab study run`."""
    texts = all(isinstance(entry.get(key, ""), str) for key in ("what", "started", "reason"))
    return isinstance(entry.get("cell"), str) and texts and entry.get("outcome") in (None, *OUTCOMES)
