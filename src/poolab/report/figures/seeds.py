"""The scores of every seed over the arms: what the pairing takes out is what the lines share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.figures.style import GREY, INK, canvas, name_rows, row_height, shortened, strokes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def seeds(analysis: Analysis, table: Table) -> Figure | str:
    """Draw one line for each seed from arm to arm, with the means."""
    rows = [row for row in table.rows if row.compared.n]
    if len(rows) < 2:
        return "fewer than two arms have a completed run"
    metric, scale = analysis.metric, analysis.metric.scale
    scores = [row.arm.scores(metric.name) for row in rows]
    means = [scale * (row.compared.mean or 0.0) for row in rows]
    lines = [
        [scale * one[seed] if seed in one else float("nan") for one in scores]
        for seed in sorted({seed for one in scores for seed in one})
    ]
    name = f"{metric.title}{' (%)' if metric.is_share else ''}"
    labels = [shortened(row.label, 24) for row in rows]
    return _across(table, lines, means, labels, name) if len(rows) <= MANY else _down(table, lines, means, labels, name)


MANY = 12  # arms whose names have room side by side

Lines = Sequence[Sequence[float]]


def _across(table: Table, lines: Lines, means: Sequence[float], labels: Sequence[str], name: str) -> Figure:
    """Draw the arms from left to right."""
    figure, (axes,) = canvas(3.2)
    places = range(len(labels))
    for line in lines:
        axes.plot(places, line, "-o", color=GREY, lw=0.8, ms=2.5, alpha=0.8)
    axes.plot(places, means, "_", color=INK, ms=16, mew=2, label="mean")
    angle = 0 if len(labels) <= 6 else 40
    axes.set_xticks(places, labels, rotation=angle, ha="right" if angle else "center")
    axes.set_ylabel(name)
    return _named(figure, axes, table)


def _down(table: Table, lines: Lines, means: Sequence[float], labels: Sequence[str], name: str) -> Figure:
    """Draw many arms from above to below, as the forest plot does."""
    figure, (axes,) = canvas(row_height(len(labels)))
    places = range(len(labels))
    gap = float("nan")
    scores = [score for line in lines for score in (*line, gap)]
    axes.plot(scores, [*places, gap] * len(lines), "-", color=GREY, lw=0.8, alpha=0.8)
    # A short thick stroke with round ends is a dot: a thousand markers took a sixth of the time of a setting's figures.
    strokes(axes, [point for line in lines for point in zip(line, places, strict=True)], 0.01, GREY, 2.5, "round")
    axes.plot(means, places, "|", color=INK, ms=9, mew=2, label="mean")
    name_rows(axes, labels)
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.set_xlabel(name)
    return _named(figure, axes, table)


def _named(figure: Figure, axes: Axes, table: Table) -> Figure:
    axes.plot([], [], "-o", color=GREY, lw=0.8, ms=2.5, label="one seed")
    axes.set_title(table.label)
    axes.legend(fontsize=7.5, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)  # clear of the lines
    return figure
