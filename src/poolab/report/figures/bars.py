"""Bars of what else was measured on the trained networks: robustness and calibration."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.figures.style import PALETTE, canvas, lines, name_rows, row_height, shortened, strokes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROBUSTNESS = (
    ("robust/shift_accuracy_mean", "accuracy, shifted"),
    ("robust/shift_consistency", "same answer, shifted"),
    ("robust/corruption_accuracy", "accuracy, corrupted"),
    ("robust/scale_accuracy_mean", "accuracy, rescaled"),
)
CALIBRATION = (
    ("calibration/ece", "expected calibration error"),
    ("test/calibration_error", "expected calibration error"),
    ("calibration/brier", "Brier score"),
)
BAR = 11.0  # points


def robustness(analysis: Analysis, table: Table) -> Figure | str:
    """Draw the robustness of the arms, where `measure=full` measured it."""
    return _bars(table, ROBUSTNESS) or "the runs were not measured with measure=full"


def calibration(analysis: Analysis, table: Table) -> Figure | str:
    """Draw the calibration of the arms."""
    return _bars(table, CALIBRATION) or "the runs have no measure of calibration"


def _bars(table: Table, panels: Sequence[tuple[str, str]]) -> Figure | None:
    rows = [row for row in table.rows if row.arm.runs]
    found = {title: name for name, title in reversed(panels) if any(row.arm.values(name) for row in rows)}
    found = dict(reversed(found.items()))
    if not found:
        return None
    figure, axes_list = canvas(row_height(len(rows)), len(found), sharey=True)
    for axes, (title, name) in zip(axes_list, found.items(), strict=True):
        known = [(place, row, values) for place, row in enumerate(reversed(rows)) if (values := row.arm.values(name))]
        for colour, is_baseline in ((PALETTE[0], False), (PALETTE[1], True)):
            some = [(place, values) for place, row, values in known if row.is_baseline == is_baseline]
            lines(axes, [((0, place), (statistics.mean(values), place)) for place, values in some], colour, BAR)
        strokes(axes, [(value, place) for place, _, values in known for value in values], 0.13, "#333435")
        axes.set_xlim(left=0)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.set_xlabel(title)
        axes.yaxis.set_visible(False)
    name_rows(axes_list[0], [shortened(row.label) for row in reversed(rows)])
    axes_list[0].set_title(table.label)
    return figure
