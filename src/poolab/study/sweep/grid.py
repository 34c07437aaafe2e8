"""The cells of a grid: every combination of the parameters of a study file."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from poolab.errors import ConfigError
from poolab.study.sweep.cells import Cell, assignments, with_extra
from poolab.study.sweep.sweep_file import Study

MOST = 100_000  # cells; a plan of this many takes minutes


def grid_cells(study: Study, extra: Sequence[str] = ()) -> list[Cell]:
    """Return every cell of a grid, in the order of the file: its last parameter varies fastest.

    Args:
        extra: key=value pairs of the command line, which replace a parameter of the file or are added to every cell.

    Raises:
        ConfigError: the study is no grid, it has too many cells, or an extra is no key=value.
    """
    if study.method != "grid":
        raise ConfigError(f"{study.path} is a {study.method} study: its cells are drawn, one after the other")
    replaced = {key for key, _ in assignments(extra)}
    count = math.prod(parameter.count for parameter in study.parameters if parameter.name not in replaced)
    if count > MOST:
        raise ConfigError(
            f"{study.path} has {count:,} cells, and a grid has at most {MOST:,}: list fewer values, split the file, or "
            "draw some of the cells with method: random and run_cap"
        )
    return [with_extra(drawn, extra) for drawn in _combinations(study, replaced)]


def _combinations(study: Study, replaced: set[str]) -> Iterator[dict[str, Any]]:
    """Return the combinations; a parameter that the command line replaces has one value only."""
    names = [parameter.name for parameter in study.parameters]
    choices = [(None,) if p.name in replaced else p.choices for p in study.parameters]
    return (dict(zip(names, values, strict=True)) for values in itertools.product(*choices))
