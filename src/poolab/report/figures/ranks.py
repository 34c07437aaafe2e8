"""The ranks that each arm can have: confidence sets from all pairs of arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.figures.style import INK, PALETTE, canvas, lines, name_rows, row_height, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def ranks(analysis: Analysis, table: Table) -> Figure | str:
    """Draw the best and the worst rank that an arm can have."""
    sets = {row.label: table.compared.ranks[row.label] for row in table.rows if row.label in table.compared.ranks}
    if len(sets) < 3:
        return "ranks say nothing more for two arms"
    labels = sorted(sets, key=lambda label: (sum(sets[label]), label), reverse=True)
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = canvas(row_height(len(labels)))
    ends = [sets[label] for label in labels]
    bars = [((best - 0.25, place), (worst + 0.25, place)) for place, (best, worst) in enumerate(ends)]
    lines(axes, bars, PALETTE[0], 5)
    name_rows(axes, [shortened(label) for label in labels])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    axes.set_xlim(0.5, len(labels) + 0.5)
    axes.set_xlabel(f"possible ranks by {analysis.metric.title} (1 is best)", color=INK)
    axes.set_title(table.label)
    return figure
