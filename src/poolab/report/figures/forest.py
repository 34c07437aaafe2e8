"""The forest plot: each arm's difference from the baseline with its intervals, and the difference of every seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.figures.style import GREY, INK, VERDICTS, canvas, lines, name_rows, row_height, shortened, strokes

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
    _draw(axes, rows[::-1], base, analysis)
    name_rows(axes, [shortened(row.label) for row in reversed(rows)])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    unit = f", {analysis.metric.unit}" if analysis.metric.unit else ""
    axes.set_xlabel(f"difference from {analysis.baseline} in {analysis.metric.title}{unit}")
    axes.set_title(table.label)
    _legend(figure, {str(row.compared.verdict) for row in rows}, analysis)
    return figure


def _draw(axes: Axes, rows: Sequence[Row], base: Row, analysis: Analysis) -> None:
    """Draw the rows from below to above: intervals, seeds, differences; each kind in one go, which is far faster."""
    scale, metric = analysis.metric.scale, analysis.metric.name
    for name, width in (("interval", 1.4), ("interval_single", 3.6)):
        for verdict, (colour, _) in VERDICTS.items():
            known = [
                ((scale * ends[0], place), (scale * ends[1], place))
                for place, row in enumerate(rows)
                if row.compared.verdict == verdict and (ends := _ends(row, name, analysis))
            ]
            lines(axes, known, colour, width)
    other = base.arm.scores(metric)
    own = [row.arm.scores(metric) for row in rows]
    seeds = [
        (scale * (scores[seed] - other[seed]), place - 0.27)
        for place, scores in enumerate(own)
        for seed in sorted(scores.keys() & other.keys())
    ]
    strokes(axes, seeds, 0.11, GREY)
    for verdict, (colour, marker) in VERDICTS.items():
        some = [(place, row) for place, row in enumerate(rows) if row.compared.verdict == verdict]
        means = [scale * (row.compared.difference or 0.0) for _, row in some]
        axes.plot(means, [place for place, _ in some], marker, color=colour, ms=6, mec="white", mew=0.7)


def _ends(row: Row, name: str, analysis: Analysis) -> tuple[float, float] | None:
    ends = getattr(row.compared, name)
    return None if ends is None else analysis.metric.possible(ends)


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
