"""The operator benchmark's tables: one for each group, narrow for the terminal, in full for Markdown."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

from poolab.bench.result import Cell, Group, Interval, Named
from poolab.bench.sheet import Sheet

Column = Callable[[list[Cell]], str]  # of a layer's cells, one for each direction


def group_table(group: Group, full: bool) -> Sheet:
    """Return the table of one group; the direction that is measured first is shown with its interval."""
    rows = [list(cells) for _, cells in groupby(group["cells"], key=lambda cell: (cell["method"], cell["backend"]))]
    measured = [row for row in rows if "direction" in row[0]]
    directions = [cell["direction"] for cell in measured[0]]
    title = f"{group['shape']} {group['dtype']} {group['layout']}, window {group['kernel']}, {group['device']}"
    columns = (_full if full else _narrow)(directions, measured)
    texts = [[text(row) for text in columns.values()] for row in measured]
    notes = [*_notes(measured, full), *_faults(rows)]
    return Sheet(title, list(columns), texts, notes, [style_of(row[0]) for row in measured])


def name_of(cell: Named) -> str:
    """Return the name of a row: another implementation is indented below poolab's."""
    if cell["backend"] in ("plain", "fused"):
        return f"{cell['method']} {cell['backend']}"
    return cell["backend"] if cell["backend"] == "nn.MaxPool2d" else f"  {cell['backend']}"


def _full_name(cell: Cell) -> str:
    """Return the name with the method for every layer: Markdown has no indentation."""
    name = name_of(cell)
    return f"{cell['method']} by {name.strip()}" if name.startswith(" ") else name


def number(value: float) -> str:
    """Write a ratio with a useful number of digits.

    >>> number(0.984), number(12.34), number(119.2)
    ('0.98', '12.3', '119')
    """
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def ratio(figure: Interval | None, with_interval: bool = True) -> str:
    """Write a ratio for a table; refuse one that varied too much.

    >>> ratio({"median": 1.5, "low": 1.4, "high": 1.6, "iqr": 0.1, "refused": False})
    '1.50 1.40-1.60'
    >>> ratio({"median": 1.5, "low": 1.4, "high": 1.6, "iqr": 0.3, "refused": True})
    'refused 20%'
    """
    if figure is None:
        return "-"
    if figure["refused"]:
        return refusal(figure) if with_interval else "ref."
    span = f" {number(figure['low'])}-{number(figure['high'])}" if with_interval else ""
    return number(figure["median"]) + span


def refusal(figure: Interval) -> str:
    """Write that a figure is refused, with its interquartile range as a share of its median."""
    return f"refused {100 * figure['iqr'] / figure['median']:.0f}%"


def milliseconds(figure: Interval | None) -> str:
    """Write a time in milliseconds, with its interval."""
    if figure is None:
        return "-"
    if figure["refused"]:
        return refusal(figure)
    return f"{1e3 * figure['median']:.3g} {1e3 * figure['low']:.3g}-{1e3 * figure['high']:.3g}"


def _narrow(directions: list[str], rows: list[list[Cell]]) -> dict[str, Column]:
    """Return what fits into 80 columns."""
    short = {"both": "fwd+bwd", "forward": "fwd", "backward": "bwd"}
    columns: dict[str, Column] = {"ratio to nn.MaxPool2d": lambda row: name_of(row[0])}
    for place, direction in enumerate(directions):
        heading = short[direction] if place else f"{short[direction]} 95 %"
        columns[heading] = partial(_ratio_at, place, with_interval=not place)
    if directions[0] == "both":
        columns["goal"] = _goal
    if any(row[0].get("times_faster_than") for row in rows):
        columns["/ours"] = lambda row: _over_ours(row[0], rows)
    return {
        **columns,
        "saved": lambda row: _saved(row[0]),
        "peak": lambda row: _peak(row[0]),
        "copy": lambda row: _share(row[0]),
    }


def _full(directions: list[str], rows: list[list[Cell]]) -> dict[str, Column]:
    """Return all figures but those that only JSON has."""
    columns: dict[str, Column] = {"layer": lambda row: _full_name(row[0])}
    for place, direction in enumerate(directions):
        columns[f"{direction}, ms"] = partial(_time_at, place)
        columns[f"{direction}, ratio"] = partial(_ratio_at, place)
        columns[f"{direction}, share of copy"] = partial(_share_at, place)
    if "both" in directions:
        columns["goal of both"] = _goal
    if any(row[0].get("times_faster_than") for row in rows):
        columns["over ours"] = lambda row: _over_ours(row[0], rows, with_interval=True)
    return {**columns, "saved, bytes an output": lambda row: _saved(row[0]), "peak, MB": lambda row: _peak(row[0])}


def _ratio_at(place: int, row: list[Cell], with_interval: bool = True) -> str:
    return "1" if _is_baseline(row[place]) else ratio(row[place]["ratio"], with_interval)


def _time_at(place: int, row: list[Cell]) -> str:
    return milliseconds(row[place]["seconds"])


def _share_at(place: int, row: list[Cell]) -> str:
    return _share(row[place])


def _goal(row: list[Cell]) -> str:
    return next((f"{cell['target']:g}" for cell in row if cell["target"]), "")


def _over_ours(cell: Cell, rows: list[list[Cell]], with_interval: bool = False) -> str:
    """Compute the time of another implementation relative to poolab's fused path, or to the plain one without it."""
    ours = [row[0] for row in rows if row[0]["method"] == cell["method"] and "times_faster_than" in row[0]]
    figure = ours[-1]["times_faster_than"].get(cell["backend"]) if ours else None
    return ratio(figure, with_interval) if figure else ""


def _is_baseline(cell: Cell) -> bool:
    return bool(cell["backend"] == "nn.MaxPool2d")


def _saved(cell: Cell) -> str:
    if cell["saved_bytes"] is None:
        return "-"
    exact = cell["saved_bytes"] / cell["outputs"]
    return f"{exact:.0f}" if exact == int(exact) else number(exact)


def _peak(cell: Cell) -> str:
    return "-" if cell["peak_bytes"] is None else number(cell["peak_bytes"] / 1e6)


def _share(cell: Cell) -> str:
    refused = cell["seconds"] is None or cell["seconds"]["refused"]
    return "-" if refused or cell["bandwidth_share"] is None else f"{100 * cell['bandwidth_share']:.0f}%"


def style_of(cell: Cell) -> str | None:
    """Return green within the target, red beyond it, dim for another implementation."""
    if cell["backend"] not in ("plain", "fused"):
        return "bold" if _is_baseline(cell) else "dim"
    if cell["target"] is None or cell["ratio"] is None or cell["ratio"]["refused"]:
        return None
    return "green" if cell["ratio"]["median"] <= cell["target"] else "red"


def _notes(rows: list[list[Cell]], full: bool) -> Iterator[str]:
    baseline = next(row for row in rows if _is_baseline(row[0]))
    spans = ", ".join(f"{cell['direction']} {milliseconds(cell['seconds'])}" for cell in baseline)
    yield f"nn.MaxPool2d in ms: {spans}."
    if not full:
        yield "saved: bytes an output, beyond the input. peak: MB. copy: share of the copy bandwidth."
    if any(_is_refused(cell) for row in rows for cell in row):
        yield "refused (ref.): the interquartile range, in % of the median, is over 10 %."


def _is_refused(cell: Cell) -> bool:
    return any(figure is not None and figure["refused"] for figure in (cell["seconds"], cell["ratio"]))


def _faults(rows: list[list[Cell]]) -> Iterator[str]:
    for row in rows:
        for fault in dict.fromkeys(cell["fault"] for cell in row if "fault" in cell):
            yield f"not measured: {name_of(row[0]).strip()}: {fault}"
