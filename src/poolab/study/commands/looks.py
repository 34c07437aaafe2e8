"""The looks at a study's results: one line for each report and table in DIR/studies/NAME.looks.jsonl.

It is a file of its own beside the journal of attempts, which earlier versions of poolab read. A folder that cannot be
written keeps no looks, and reading it works as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.errors import PoolabError
from poolab.study.runner.journal import Journal, read_entry
from poolab.study.sweep.sweep_file import Study

if TYPE_CHECKING:
    from poolab.report import Evidence, Look

Journals = Sequence[tuple[Study, Path]]


def journal_of(study: Study, runs: Path) -> Path:
    """Return where the looks at a study are kept."""
    return runs / "studies" / f"{study.name}.looks.jsonl"


def with_looks(evidence: Evidence, journals: Journals) -> Evidence:
    """Return evidence that knows the earlier looks at its arms; without a folder of runs they are not known.

    Args:
        journals: the studies whose records come from a folder of runs, with that folder.
    """
    from poolab.report import of_these_arms

    folders = [(study, runs) for study, runs in journals if runs.is_dir()]
    if not folders:
        return evidence
    looked = [look for study, runs in folders for look in _read(journal_of(study, runs))]
    return replace(evidence, looked=of_these_arms(looked, evidence))


def remember(evidence: Evidence, journals: Journals, command: str) -> None:
    """Note that the results were looked at, where their folder can be written.

    Args:
        command: what showed them: report, table or run.
    """
    from poolab.report import Look, arm_hashes, records_hash, seeds_seen

    now = datetime.now(UTC).isoformat(timespec="seconds")
    seeds, planned, arms = seeds_seen(evidence), evidence.planned, arm_hashes(evidence)
    look = Look(seeds, planned, arms, command, now, records_hash(evidence))
    for study, runs in journals:
        if runs.is_dir():
            try:
                Journal(journal_of(study, runs)).note(look.to_json())
            except (OSError, PoolabError):  # of a folder that is read only, or a full disk
                continue


def _read(path: Path) -> list[Look]:
    """Read the looks that are there; without a lock, as the file may lie where nothing can be written."""
    from poolab.report import Look

    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    entries = [entry for line in lines if (entry := read_entry(line)) is not None]
    return [look for entry in entries if (look := Look.from_json(entry)) is not None]
