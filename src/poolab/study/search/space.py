"""The search space: the parameters of a study that are not fixed, one dimension each."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from poolab.study.sweep.cells import Cell, assignments, with_extra
from poolab.study.sweep.distributions import coordinate_of, possible, searched, value_at
from poolab.study.sweep.parameters import Parameter
from poolab.study.sweep.sweep_file import Study

Coordinates = dict[str, float]  # of a cell, by the parameters' names


class Space:
    """The searched parameters, without constants and without those that the command line sets.

    >>> from poolab.study import read_study
    >>> space = Space(read_study("sweeps/gated_bayes.yaml"), ["optim.weight_decay=0"])
    >>> [parameter.name for parameter in space.parameters], space.size
    (['pooling.sharing', 'optim.lr'], None)
    >>> str(space.cell({"pooling.sharing": 1, "optim.lr": 0.5})).split()[:3]
    ['pooling=gated', 'pooling.sharing=channel', 'optim.lr=0.001']
    """

    def __init__(self, study: Study, extra: Sequence[str] = ()):
        replaced = {key for key, _ in assignments(extra)}
        own = [parameter for parameter in study.parameters if parameter.name not in replaced]
        self.order = [parameter.name for parameter in own]
        self.parameters: tuple[Parameter, ...] = tuple(parameter for parameter in own if searched(parameter))
        self.constants = {one.name: possible(one)[0] for one in own if not searched(one)}
        self.extra = tuple(extra)

    def cell(self, at: Mapping[str, float]) -> Cell:
        """Return the cell at these coordinates."""
        drawn = {parameter.name: value_at(parameter, at[parameter.name]) for parameter in self.parameters}
        return with_extra({name: {**self.constants, **drawn}[name] for name in self.order}, self.extra)

    @property
    def size(self) -> int | None:
        """The number of cells that can be drawn; None if a parameter has no list of values."""
        counts = [len(possible(parameter)) for parameter in self.parameters]
        return math.prod(counts) if all(counts) else None

    def everything(self) -> Iterator[Coordinates]:
        """Return the coordinates of every cell of a space that has a size."""
        listed = [[coordinate_of(one, index) for index in range(len(possible(one)))] for one in self.parameters]
        names = [parameter.name for parameter in self.parameters]
        return (dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*listed))

    def same(self, at: Mapping[str, float]) -> tuple[Any, ...]:
        """Return a key that is equal for two coordinates of one cell."""
        return self.cell(at).overrides
