"""Learning curves: the mean over the seeds, with a band from the least to the largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.details import history_of
from poolab.report.evidence import Arm
from poolab.report.figures.style import GREY, PALETTE, canvas, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 8  # arms with a colour of their own: the baseline and the best


def curves(analysis: Analysis, table: Table) -> Figure | str:
    """Draw the validation score of each arm after each epoch."""
    found = [(row.label, _curve(row.arm)) for row in table.rows]
    known = [(label, curve) for label, curve in found if curve]
    if not known:
        return "no history of the epochs was kept"
    figure, (axes,) = canvas(3.2)
    scale = analysis.metric.scale
    for index, (label, curve) in enumerate(known):
        epochs = range(1, len(curve) + 1)
        colour = PALETTE[index] if index < SHOWN else GREY
        middle = [scale * sum(values) / len(values) for values in curve]
        axes.plot(epochs, middle, color=colour, lw=1.3, label=shortened(label, 24) if index < SHOWN else None)
        if index < 2:  # more bands than two hide each other
            low, high = ([scale * pick(values) for values in curve] for pick in (min, max))
            axes.fill_between(epochs, low, high, color=colour, alpha=0.15, lw=0)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation score{' (%)' if analysis.metric.is_share else ''}")
    axes.set_title(table.label)
    axes.legend(fontsize=7.5, ncols=2)
    return figure


def _curve(arm: Arm) -> list[list[float]]:
    """Return the validation scores of all runs, epoch by epoch, as far as all runs go."""
    lines = []
    for run in arm.runs:
        history = history_of(run)
        scores = next((history[name] for name in ("val/accuracy", "val/mean_iou") if name in history), [])
        if scores and all(value is not None for value in scores):
            lines.append([float(value) for value in scores if value is not None])
    return [list(values) for values in zip(*lines, strict=False)]
