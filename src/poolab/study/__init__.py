"""A study: a plain W&B sweep file, its cells, and the states of their runs. Needs no torch until a network is checked.

>>> from poolab.study import grid_cells, read_study
>>> study = read_study("sweeps/topk_k.yaml")
>>> print(study.method, len(grid_cells(study)))
grid 60
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from poolab.study.sweep.cells import Cell
from poolab.study.sweep.grid import grid_cells
from poolab.study.sweep.sweep_file import Study, read_study

if TYPE_CHECKING:
    from poolab.study.handle import StudyHandle

__all__ = ["Cell", "Study", "grid_cells", "read_study"]


class _Callable(ModuleType):
    """Lets `poolab.study("study.yaml")` return a study, although `poolab.study` is a package."""

    def __call__(self, file: str | Path, runs_dir: str | Path | None = None) -> "StudyHandle":
        """Return the study of a file; see `StudyHandle`."""
        from poolab.study.handle import StudyHandle

        return StudyHandle(file, runs_dir)


sys.modules[__name__].__class__ = _Callable
