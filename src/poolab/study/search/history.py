"""The runs of a search on this machine, from its file of trials: for the table of a study."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from poolab.study.runner.attempts import last_attempts
from poolab.study.search.space import Space
from poolab.study.search.trials import trials_of
from poolab.study.sweep.cells import Cell
from poolab.study.sweep.sweep_file import Study


@dataclass(frozen=True)
class Known:
    """The cells that were drawn, and the signatures of the runs that were stopped early."""

    cells: tuple[Cell, ...]
    stopped: frozenset[str]


def known(study: Study, runs: Path, extra: Sequence[str] = ()) -> Known | None:
    """Return the known cells of a search; None for a grid, and for a search without trials in this folder.

    An agent of W&B's leaves none: its runs are then known by their settings alone.
    """
    if study.method == "grid":
        return None
    trials = trials_of(study, runs, extra).read()
    if not trials:
        return None
    space = Space(study, extra)
    attempts = last_attempts(study, runs)
    stopped = {key for key, attempt in attempts.items() if attempt.outcome == "stopped"}
    return Known(tuple(space.cell(trial.at) for trial in trials if trial.refused is None), frozenset(stopped))
