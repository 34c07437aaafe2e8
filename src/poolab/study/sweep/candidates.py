"""Cells that a random or bayes study may draw: its extremes, to check them before it starts."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from poolab.configuration import config_dir
from poolab.per_slot import resolved_choice
from poolab.records import Record, Tree
from poolab.study.sweep.cells import Cell, assignments, with_extra
from poolab.study.sweep.distributions import ends
from poolab.study.sweep.parameters import Parameter
from poolab.study.sweep.sweep_file import Study

AT = "pooling.at."
MOST = 2_000  # so many combinations of choices at most


def sample_cells(study: Study, extra: Sequence[str] = ()) -> list[Cell]:
    """Return every combination of a study's choices, and the ends of its ranges, each with the first of all others.

    Where there are more than 2,000 combinations, each choice is there once at least.

    >>> from poolab.study import read_study
    >>> [cell.values["optim.lr"] for cell in sample_cells(read_study("sweeps/gated_bayes.yaml"))][-2:]
    [0.01, 0.0001]
    """
    replaced = {key for key, _ in assignments(extra)}
    tried = {p.name: list(p.values[:1] if p.name in replaced else _tried(p)) for p in study.parameters}
    first = {name: values[0] for name, values in tried.items()}
    listed = {p.name: tried[p.name] for p in study.parameters if p.values}
    if math.prod(map(len, listed.values())) <= MOST:
        combined = [dict(zip(listed, values, strict=True)) for values in itertools.product(*listed.values())]
    else:
        combined = [{name: value} for name, values in listed.items() for value in values]
    outer = [{name: value} for name, values in tried.items() if name not in listed for value in values]
    cells = [with_extra({**first, **drawn}, extra) for drawn in [*combined, *outer]]
    return list(dict.fromkeys(cells))


def _tried(parameter: Parameter) -> tuple[Any, ...]:
    """Return the values of a parameter, or two ends of its range."""
    if parameter.values:
        return parameter.values
    return ends(parameter)


def drawn_cells(study: Study, extra: Sequence[str], records: Iterable[Record]) -> list[Cell]:
    """Return the cells of records that the study may have drawn: each of its settings is a value that it can draw."""
    given = {key for key, _ in assignments(extra)}
    cells = []
    for record in records:
        values = {p.name: _own(record.settings, record.config, p) for p in study.parameters if p.name not in given}
        ours = (_may_be(p, values[p.name]) for p in study.parameters if p.name in values)
        if all(ours):
            cells.append(with_extra(values, extra))
    return list(dict.fromkeys(cells))


def _own(flat: Tree, config: Tree, parameter: Parameter) -> Any:
    """Return the value that a configuration has for a parameter; for a group, the name of its choice."""
    if parameter.name in flat:
        return flat[parameter.name]
    if parameter.name.startswith(AT):
        return _choice(config["pooling"].get("at", {}).get(parameter.name.removeprefix(AT)), parameter)
    found: Any = config
    for part in parameter.name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found["name"] if isinstance(found, Mapping) and "." not in parameter.name else found


def _choice(own: Any, parameter: Parameter) -> Any:
    """Return the value of a slot's parameter that stands for these settings: a name, a preset's name, or a mapping."""
    known = config_dir() / "pooling"
    return next((value for value in parameter.values if own == resolved_choice(value, known)), None)


def _may_be(parameter: Parameter, value: Any) -> bool:
    if parameter.values:
        return any(value == one for one in parameter.values)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if parameter.min is None or parameter.max is None:
        return True
    least, most = _tried(parameter)
    return least - 1e-12 <= value <= most + 1e-12
