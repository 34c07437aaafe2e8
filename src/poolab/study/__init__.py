"""A study: a plain W&B sweep file, its cells, and the states of their runs. Needs no torch until a network is checked.

>>> from poolab.study import grid_cells, read_study
>>> study = read_study("sweeps/topk_k.yaml")
>>> print(study.method, len(grid_cells(study)))
grid 60
"""

from poolab.study.sweep.cells import Cell
from poolab.study.sweep.grid import grid_cells
from poolab.study.sweep.sweep_file import Study, read_study

__all__ = ["Cell", "Study", "grid_cells", "read_study"]
