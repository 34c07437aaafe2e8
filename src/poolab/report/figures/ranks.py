"""The ranks that each arm can have: confidence sets from all pairs of arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.figures.style import INK, PALETTE, canvas, row_height, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def ranks(analysis: Analysis, table: Table) -> Figure | str:
    """Draw the best and the worst rank that an arm can have."""
    sets = {row.label: table.compared.ranks[row.label] for row in table.rows if row.label in table.compared.ranks}
    if len(sets) < 3:
        return "ranks say nothing more for two arms"
    labels = sorted(sets, key=lambda label: (sum(sets[label]), label), reverse=True)
    figure, (axes,) = canvas(row_height(len(labels)))
    for place, label in enumerate(labels):
        best, worst = sets[label]
        axes.plot([best - 0.25, worst + 0.25], [place, place], color=PALETTE[0], lw=5, solid_capstyle="butt")
    axes.set_yticks(range(len(labels)), [shortened(label) for label in labels])
    axes.set_xticks(range(1, len(labels) + 1))
    axes.set_xlabel(f"possible ranks by {analysis.metric.title} (1 is best)", color=INK)
    axes.set_title(table.label)
    return figure
