"""The heat map: each arm's difference from the baseline in every setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis
from poolab.report.figures.style import INK, canvas, name_rows, row_height, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGNS = {"better": "▲", "worse": "▼", "equivalent": "=", "undecided": "?"}


def heat(analysis: Analysis) -> Figure | str:
    """Draw arms by settings; only with two settings or more."""
    tables = [table for table in analysis.tables if table.baseline is not None]
    labels = list(dict.fromkeys(row.label for table in tables for row in table.others))
    if len(tables) < 2 or not labels:
        return "there is one setting only"
    scale = analysis.metric.scale
    cells = {(row.label, column): row.compared for column, table in enumerate(tables) for row in table.others}
    values = [
        [
            scale * d if (one := cells.get((label, c))) and (d := one.difference) is not None else float("nan")
            for c in range(len(tables))
        ]
        for label in labels
    ]
    figure, (axes,) = canvas(row_height(len(labels), each=0.3) + 0.4)
    largest = max((abs(v) for row in values for v in row if v == v), default=1.0) or 1.0
    axes.imshow(values, cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto")
    for (label, column), one in cells.items():
        if one.difference is not None:
            text = f"{analysis.metric.signed(one.difference)} {SIGNS[str(one.verdict)]}"
            dark = abs(scale * one.difference) > 0.6 * largest
            axes.text(
                column,
                labels.index(label),
                text,
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if dark else "#222324",
                in_layout=False,
            )
    axes.set_xticks(range(len(tables)), [shortened(table.label, 28) for table in tables], rotation=20, ha="right")
    name_rows(axes, [shortened(label) for label in labels])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    unit = f" ({analysis.metric.unit})" if analysis.metric.unit else ""
    signs = " ".join(f"{sign} {name}" for name, sign in SIGNS.items())
    axes.set_title(
        f"difference from {analysis.baseline} in {analysis.metric.title}{unit}\n{signs}",
        color=INK,
        fontsize=8.5,
    )
    return figure
