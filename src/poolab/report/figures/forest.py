"""The forest plot: each arm's difference from the baseline with its intervals, and the difference of every seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.figures.style import GREY, INK, VERDICTS, canvas, row_height, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poolab.report.analysis import Row


def forest(analysis: Analysis, table: Table) -> Figure | str:
    """Draw the differences of one setting."""
    rows = [row for row in table.others if row.compared.difference is not None]
    base = table.baseline
    if base is None or not rows:
        return "no arm shares a seed with the baseline"
    figure, (axes,) = canvas(row_height(len(rows)))
    scale = analysis.metric.scale
    axes.axvspan(-analysis.margin * scale, analysis.margin * scale, color=GREY, alpha=0.15, lw=0)
    axes.axvline(0, color=INK, lw=0.8)
    for place, row in enumerate(reversed(rows)):
        _line(axes, place, row, base, analysis)
    axes.set_yticks(range(len(rows)), [shortened(row.label) for row in reversed(rows)])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    unit = f", {analysis.metric.unit}" if analysis.metric.unit else ""
    axes.set_xlabel(f"difference from {analysis.baseline} in {analysis.metric.title}{unit}")
    axes.set_title(table.label)
    _legend(figure, {str(row.compared.verdict) for row in rows}, analysis)
    return figure


def _line(axes: Axes, place: int, row: Row, base: Row, analysis: Analysis) -> None:
    scale, metric = analysis.metric.scale, analysis.metric.name
    colour, marker = VERDICTS[str(row.compared.verdict)]
    for ends, width in ((row.compared.interval, 1.4), (row.compared.interval_single, 3.6)):
        if ends is not None:
            axes.plot([scale * ends[0], scale * ends[1]], [place, place], color=colour, lw=width, solid_capstyle="butt")
    own, other = row.arm.scores(metric), base.arm.scores(metric)
    seeds = [scale * (own[seed] - other[seed]) for seed in own.keys() & other.keys()]
    axes.plot(seeds, [place - 0.27] * len(seeds), "|", color=GREY, ms=4, mew=0.8)
    axes.plot([scale * (row.compared.difference or 0.0)], [place], marker, color=colour, ms=6, mec="white", mew=0.7)


def _legend(figure: Figure, verdicts: set[str], analysis: Analysis) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker=marker, ls="", label=name)
        for name, (colour, marker) in VERDICTS.items()
        if name in verdicts
    ]
    handles.append(Line2D([], [], color=INK, lw=1.4, label="interval, all arms together"))
    handles.append(Line2D([], [], color=INK, lw=3.6, label="interval, this arm alone"))
    handles.append(Line2D([], [], color=GREY, marker="|", ls="", label="one seed"))
    if analysis.margin:
        handles.append(Patch(color=GREY, alpha=0.15, label=f"within {analysis.metric.size(analysis.margin)}"))
    figure.legend(handles=handles, loc="outside lower left", ncols=4, fontsize=7.5)
