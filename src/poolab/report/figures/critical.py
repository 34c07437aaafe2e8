"""Mean ranks over the settings, with a bar over each group of arms that are not told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolab.report.figures.style import INK, PALETTE, canvas, name_rows, row_height, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from poolab.report.analysis import Analysis


def critical(analysis: Analysis) -> Figure | str:
    """Draw a critical-difference diagram (Demšar 2006, JMLR 7), or say why there is none.

    The groups are those of Wilcoxon's signed-rank tests with Holm's correction (Benavoli, Corani and Mangili 2016,
    JMLR 17(5)), not of Nemenyi's test.
    """
    overall = analysis.overall
    if overall is None:
        return "mean ranks are taken over settings, and there is one"
    if overall.critical_difference is None:
        return str(overall.refused)
    found = overall.critical_difference
    labels = sorted(found.mean_ranks, key=lambda label: (found.mean_ranks[label], label))
    place = {label: number for number, label in enumerate(labels)}
    figure, (axes,) = canvas(row_height(len(labels)))
    ranks = [found.mean_ranks[label] for label in labels]
    axes.plot(ranks, range(len(labels)), "o", color=PALETTE[0])
    for number, rank in enumerate(ranks):
        axes.annotate(f"{rank:.2f}", (rank, number), (6, 0), textcoords="offset points", va="center", color=INK)
    right = len(labels) + 0.6
    for number, group in enumerate(found.groups):
        rows = [place[label] for label in group]
        axes.vlines(right + 0.25 * number, min(rows) - 0.2, max(rows) + 0.2, PALETTE[1], lw=3)
    name_rows(axes, [shortened(label) for label in labels])
    axes.invert_yaxis()
    axes.set_xlim(0.7, right + 0.25 * max(len(found.groups), 1))
    axes.set_xticks(range(1, len(labels) + 1, max(1, len(labels) // 12)))
    axes.set_xlabel(
        f"mean rank by {analysis.metric.title} over {found.settings} settings (1 is best); "
        "arms beside one bar are not told apart"
    )
    axes.set_title("Mean ranks")
    return figure
