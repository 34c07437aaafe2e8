"""Score beside cost: the arms that no other one beats in both are connected and named, the dominated ones are grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.costs import COSTS
from poolab.report.figures.style import GREY, PALETTE, Point, canvas, lines, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def pareto(analysis: Analysis, table: Table) -> Figure | str:
    """Draw one panel for each cost that differs between the arms."""
    rows = [row for row in table.rows if row.compared.mean is not None]
    names = [name for name in COSTS if _differs(rows, name)]
    if len(rows) < 2 or not names:
        return "no cost was measured that differs between the arms"
    figure, panels = canvas(3.2, len(names), sharey=True)
    for axes, name in zip(panels, names, strict=True):
        _panel(axes, rows, name, analysis)
    metric = analysis.metric
    panels[0].set_ylabel(f"{metric.title}{' (%)' if metric.is_share else ''}")
    panels[0].set_title(table.label)
    return figure


def _differs(rows: Sequence[Row], name: str) -> bool:
    values = [row.costs[name].median for row in rows if name in row.costs]
    return len(values) == len(rows) and max(values, default=0) > 1.001 * min(values, default=0)


def front(points: Sequence[tuple[float, float]], higher_is_better: bool = True) -> list[int]:
    """Return the indices of the points (cost, score) that no other point beats in both, by rising cost.

    >>> front([(1.0, 0.5), (2.0, 0.6), (3.0, 0.55)])
    [0, 1]
    """
    sign = 1 if higher_is_better else -1
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -sign * points[i][1]))
    kept: list[int] = []
    for index in order:
        if not kept or sign * points[index][1] > sign * points[kept[-1]][1]:
            kept.append(index)
    return kept


def _panel(axes: Axes, rows: Sequence[Row], name: str, analysis: Analysis) -> None:
    scale = analysis.metric.scale
    points = [(row.costs[name].median, scale * (row.compared.mean or 0.0)) for row in rows]
    best = front(points, analysis.metric.higher_is_better)
    for colour, chosen in ((GREY, [i for i in range(len(rows)) if i not in best]), (PALETTE[0], best)):
        axes.plot([points[i][0] for i in chosen], [points[i][1] for i in chosen], "o", ms=4, color=colour)
        lines(axes, [bar for i in chosen for bar in _bars(rows[i], points[i], name, scale)], colour, 0.6)
    axes.plot([points[i][0] for i in best], [points[i][1] for i in best], "-", color=PALETTE[0], lw=0.8, zorder=0)
    axes.set_xlabel(COSTS[name].title)
    axes.margins(x=0.18)
    axes.locator_params(axis="x", nbins=3)
    _label(axes, {i: points[i] for i in best}, rows)


def _bars(row: Row, point: Point, name: str, scale: float) -> list[tuple[Point, Point]]:
    """Return the standard error of the score, and the least and the largest cost, as lines through a point."""
    (x, y), spread = point, row.costs[name]
    error = scale * (row.compared.sd or 0.0) / max(row.compared.n, 1) ** 0.5
    return [((x, y - error), (x, y + error)), ((spread.least, y), (spread.most, y))]


POINTS = 9.0  # between two labels
TALL = 150.0  # points of a panel's height, nearly


def _label(axes: Axes, points: Mapping[int, tuple[float, float]], rows: Sequence[Row]) -> None:
    """Name the points of the front, from above to below, each clear of the one before, as far as there is room."""
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    last = float("inf")
    for index, (x, y) in sorted(points.items(), key=lambda item: -item[1][1]):
        place = (y - low) / (high - low) * TALL
        shown = min(place + 3, last - POINTS)
        if shown < 0:  # the labels of the axis are there
            break
        last = shown
        inside = (x - left) / (right - left) > 0.5
        axes.annotate(
            shortened(rows[index].label, 16),
            (x, y),
            xytext=(-5 if inside else 5, shown - place),
            textcoords="offset points",
            ha="right" if inside else "left",
            fontsize=6.5,
            color=PALETTE[0],
            in_layout=False,
        )
