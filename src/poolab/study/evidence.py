"""The records of studies' cells, and the cells without a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.errors import ConfigError
from poolab.records import Record, Tree, signature
from poolab.study.sweep.sweep_file import Study

if TYPE_CHECKING:
    from poolab.report import Evidence
    from poolab.study.sweep.cells import Cell

Records = Sequence[Record]


@dataclass
class Cells:
    """The cells of one study or more: their configurations, and the early-stopped runs of searches.

    `expected` are those that a plan names; `stopped` the signatures of runs that a search stopped early.
    """

    configs: list[Tree] = field(default_factory=list)
    expected: list[Tree] = field(default_factory=list)
    searched: bool = False

    def add(self, study: Study, records: Records, extra: Sequence[str] = (), runs: Path | None = None) -> None:
        """Add the cells of a study.

        Args:
            records: those of a search tell which cells it has drawn.
            runs: the folder of a search's runs, whose trials tell it better.

        Raises:
            ConfigError: the study runs another program, or a cell cannot be composed.
        """
        from poolab.study.sweep.composition import Composer

        if not study.trains:
            raise ConfigError(f"{study.path}: {study.program} leaves no records of poolab's, only train.py does")
        composer = Composer()
        found = [composer(cell) for cell in cells_of(study, records, extra, runs)]
        self.configs += found
        if study.method == "grid":
            self.expected += found
        else:
            self.searched = True

    def of(self, records: Records) -> list[Record]:
        """Return the records that belong to these cells."""
        wanted = {signature(config, "") for config in self.configs}
        return [record for record in records if signature(record.config, "") in wanted]


def cells_of(study: Study, records: Records, extra: Sequence[str], runs: Path | None) -> Sequence[Cell]:
    """Return the cells of a grid, or those that a search has drawn."""
    from poolab.study.search.history import known
    from poolab.study.sweep.candidates import drawn_cells
    from poolab.study.sweep.grid import grid_cells

    if study.method == "grid":
        return grid_cells(study, extra)
    own = known(study, runs, extra) if runs is not None and runs.is_dir() else None
    return drawn_cells(study, extra, records) if own is None else own.cells


def study_evidence(study: Study, runs: Path, extra: Sequence[str] = ()) -> tuple[Evidence, list[Record]]:
    """Return the evidence of a study from its folder of runs or file of records, and the records of its cells.

    Raises:
        PoolabError: the folder or file cannot be read, or a cell cannot be composed.
    """
    from poolab.records import gather as gather_records
    from poolab.report import gather
    from poolab.study.slurm.submission import with_added

    records, errors = gather_records(runs)
    cells = Cells()
    cells.add(study, records, with_added(runs, study.name, extra), runs)
    own = cells.of(records)
    return gather(own, expected=cells.expected, faults=errors, searched=cells.searched, tuned=study.tuned), own
