"""The records of studies' cells, and the cells without a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.errors import ConfigError
from poolab.records import Record, Tree, signature
from poolab.study.sweep.sweep_file import Study

if TYPE_CHECKING:
    from poolab.report import Evidence
    from poolab.study.sweep.cells import Cell

Records = Sequence[Record]
# What `auto` may have become, the default of poolab's own networks first.
AUTOMATIC = {"channels_last": (True, False), "precision": ("32-true", "bf16-mixed")}


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
        """Return the records that belong to these cells.

        A cell that leaves the layout or the precision to the machine (`auto`) takes the values of the records.
        """
        settle(self.configs, records)
        settle(self.expected, records)
        wanted = {signature(config, "") for config in self.configs}
        return [record for record in records if signature(record.config, "") in wanted]


def settle(configs: list[Tree], records: Records) -> None:
    """Replace `auto` in the settings of the trainer by the values that most records of each backbone have.

    The machine that reads the records may be another one than those that made them, and need not have torch.
    """
    there = {signature(record.config, "") for record in records}
    groups: dict[str, list[int]] = {}
    for place, config in enumerate(configs):
        if _open(config):
            groups.setdefault(f"{config['backbone'].get('name')} {_open(config)}", []).append(place)
    for places in groups.values():
        names = _open(configs[places[0]])
        tried = [
            [
                {**configs[place], "trainer": {**configs[place]["trainer"], **dict(zip(names, values, strict=True))}}
                for place in places
            ]
            for values in product(*(AUTOMATIC[name] for name in names))
        ]
        best = max(
            tried, key=lambda some: sum(signature(config, "") in there for config in some)
        )  # the first of equals
        for place, config in zip(places, best, strict=True):
            configs[place] = config


def _open(config: Tree) -> list[str]:
    return [name for name in AUTOMATIC if (config.get("trainer") or {}).get(name) == "auto"]


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
