"""The scores of every seed over the arms: what the pairing takes out is what the lines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.figures.style import GREY, INK, canvas, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def seeds(analysis: Analysis, table: Table) -> Figure | str:
    """Draw one line for each seed from arm to arm, with the means."""
    rows = [row for row in table.rows if row.compared.n]
    if len(rows) < 2:
        return "fewer than two arms have a completed run"
    figure, (axes,) = canvas(3.2)
    metric, scale = analysis.metric, analysis.metric.scale
    scores = [row.arm.scores(metric.name) for row in rows]
    for seed in sorted({seed for one in scores for seed in one}):
        line = [scale * one[seed] if seed in one else float("nan") for one in scores]
        axes.plot(range(len(rows)), line, "-o", color=GREY, lw=0.8, ms=2.5, alpha=0.8)
    means = [scale * (row.compared.mean or 0.0) for row in rows]
    axes.plot(range(len(rows)), means, "_", color=INK, ms=16, mew=2, label="mean")
    axes.plot([], [], "-o", color=GREY, lw=0.8, ms=2.5, label="one seed")
    angle = 0 if len(rows) <= 6 else 40
    axes.set_xticks(
        range(len(rows)),
        [shortened(row.label, 24) for row in rows],
        rotation=angle,
        ha="right" if angle else "center",
    )
    axes.set_ylabel(f"{metric.title}{' (%)' if metric.is_share else ''}")
    axes.set_title(table.label)
    axes.legend(fontsize=7.5, ncols=2, loc="best")
    return figure
