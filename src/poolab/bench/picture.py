"""A result as a picture: the ratio of each method to `nn.MaxPool2d`, one panel for each group."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.bench.document import machine
from poolab.bench.result import Cell, Document, Group, Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
OURS = {"plain": ("#4c72b0", "o"), "fused": ("#dd8452", "s")}
OTHER = ("#888888", "x")
GOAL = "#2a9d4a"


def draw(document: Document, path: Path) -> None:
    """Draw every group's ratios of its first direction, with their intervals; refused ones are hollow.

    Args:
        document: what `ops` or `net` measured.
        path: the picture; its ending chooses the format.
    """
    from matplotlib.figure import Figure

    groups = document["groups"]
    methods = list(dict.fromkeys(cell["method"] for group in groups for cell in _shown(group)))
    columns = min(COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(2.2 + 2.9 * columns, 1.9 + rows * (0.9 + 0.24 * len(methods))), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True, sharex=True)
    for place, axes in enumerate(panels.flat):
        if place < len(groups):
            _panel(axes, groups[place], methods)
        else:
            axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_yticks(range(len(methods)), methods)
        axes.set_ylim(len(methods) - 0.5, -0.5)
    _ratio_axis(panels[0, 0])
    _label(figure, document)
    figure.savefig(path, dpi=110)


def _shown(group: Group) -> list[Cell]:
    """Return the cells of the first direction that have a ratio."""
    measured = [cell for cell in group["cells"] if cell.get("direction") == group["cells"][0]["direction"]]
    return [cell for cell in measured if cell["ratio"] is not None]


def _panel(axes: "Axes", group: Group, methods: Sequence[str]) -> None:
    heading = [str(value) for key, value in group.items() if key != "cells"]
    half = -(-len(heading) // 2)
    axes.set_title("\n".join([" ".join(heading[:half]), " ".join(heading[half:])]), fontsize=8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.axvline(1.0, color="#444444", linewidth=0.8)
    for cell in _shown(group):
        at = float(methods.index(cell["method"]))
        colour, marker = OURS.get(cell["backend"], OTHER)
        # Side by side in a method's line, so that two paths of one cost stay both to be seen.
        at += {"plain": -0.15, "fused": 0.15}.get(cell["backend"], 0.0)
        if cell["ratio"] is not None:
            _point(axes, at, cell["ratio"], colour, marker)
    for at, goal in _goals(group, methods).items():
        axes.plot([goal, goal], [at - 0.5, at + 0.5], color=GOAL, linewidth=1.6, solid_capstyle="butt")


def _point(axes: "Axes", at: float, ratio: Interval, colour: str, marker: str) -> None:
    axes.plot([ratio["low"], ratio["high"]], [at, at], color=colour, linewidth=1.2, alpha=0.7)
    hollow = ratio["refused"] and marker != OTHER[1]
    faint = 0.35 if ratio["refused"] and not hollow else 1.0
    face = "white" if hollow else colour
    axes.plot(ratio["median"], at, marker, color=colour, markerfacecolor=face, markersize=5, alpha=faint)


def _goals(group: Group, methods: Sequence[str]) -> dict[int, float]:
    """Return the target of each line: that of the fused path where it was measured, else of the plain one."""
    ours = sorted(
        (cell for cell in _shown(group) if cell["backend"] in OURS), key=lambda cell: list(OURS).index(cell["backend"])
    )
    return {methods.index(cell["method"]): goal for cell in ours if (goal := cell["target"])}


def _ratio_axis(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    # Powers of two; over a range wider than 2^7 every second one, since the labels would meet.
    axes.xaxis.set_major_locator(LogLocator(base=2 if high / low < 128 else 4))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _label(figure: "Figure", document: Document) -> None:
    from matplotlib.lines import Line2D

    made, groups = document["made_with"], document["groups"]
    what = {"both": "forward and backward"}.get(groups[0]["cells"][0]["direction"], groups[0]["cells"][0]["direction"])
    where = f"{machine(made)}, torch {made['packages']['torch']}, {made['date'][:10]}"
    figure.supxlabel(f"time as a ratio to nn.MaxPool2d ({what}), median and 95 % interval\n{where}", fontsize=9)
    present = {cell["backend"] if cell["backend"] in OURS else "other" for group in groups for cell in _shown(group)}
    named = [(name, *OURS[name]) for name in OURS if name in present]
    named += [("other implementations", *OTHER)] if "other" in present else []
    handles = [Line2D([], [], color=colour, marker=mark, linestyle="", label=name) for name, colour, mark in named]
    handles.append(Line2D([], [], color=GOAL, linewidth=1.6, label="target"))
    handles.append(Line2D([], [], color="#666666", marker="o", linestyle="", markerfacecolor="white", label="refused"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8, frameon=False)
