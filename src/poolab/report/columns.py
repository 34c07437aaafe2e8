"""The columns of the main table: their titles and how a row fills them. Every form of the table is made from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from poolab.report.analysis import Analysis, Row
from poolab.report.costs import COSTS

COUNTED = ("missing", "stopped", "failed", "diverged")


@dataclass(frozen=True)
class Column:
    """A column: a key for programs, a title, the text of a cell, and the value that it is sorted by."""

    key: str
    title: str
    text: Callable[[Row, Analysis], str]
    value: Callable[[Row, Analysis], float | str | None]
    hint: str = ""

    @property
    def is_text(self) -> bool:
        """True for columns of words, which are aligned to the left."""
        return self.key in ("arm", "verdict")


def columns(analysis: Analysis) -> list[Column]:
    """Return the columns of an analysis; those of counts that are zero everywhere are left out."""
    rows = [row for table in analysis.tables for row in table.rows]
    unit = f" ({analysis.metric.unit})" if analysis.metric.unit else ""
    percent = " (%)" if analysis.metric.is_share else ""
    paired, together = "mean over the paired seeds, arm minus baseline", "holds for all arms of the setting together"
    holm, chance = "paired t, Holm's correction over the arms", "chance that its run beats a run of the baseline"
    spread = "standard deviation over the seeds"
    flips = "joint step-down test over the signs; with few seeds it cannot fall below its floor"
    images = "interval for other test images of the same kind, for this arm alone"
    return [
        Column("arm", "arm", lambda row, _: row.label, lambda row, _: row.label),
        Column("verdict", "verdict", _verdict, _verdict),
        Column("difference", f"difference{unit}", _difference, lambda row, _: row.compared.difference, paired),
        Column("interval", f"{100 * analysis.confidence:g} % interval", _interval, _low, together),
        Column("p", "adjusted p", _p, lambda row, _: row.compared.p_adjusted, holm),
        Column("mean", f"{analysis.metric.title}{percent}", _mean, lambda row, _: row.compared.mean),
        Column("sd", "sd", _sd, lambda row, _: row.compared.sd, spread),
        Column("n", "n", _count, lambda row, _: row.compared.n, "completed runs"),
        *_where(_has(rows, "p_permutation"), Column("flips", "sign-flip p", _flips, _flips_value, flips)),
        *_where(_has(rows, "interval_new_images"), Column("images", "for new images", _images, _images_low, images)),
        Column("improvement", "P(better)", _improvement, _chance, chance),
        *(_cost(name) for name in COSTS if any(name in row.costs for row in rows)),
        *(_counted(name) for name in COUNTED if any(_number(row, name) for row in rows)),
    ]


def _verdict(row: Row, _: Analysis) -> str:
    return str(row.compared.verdict)


def _mean(row: Row, analysis: Analysis) -> str:
    return analysis.metric.bare(row.compared.mean)


def _difference(row: Row, analysis: Analysis) -> str:
    return analysis.metric.signed(row.compared.difference)


def _interval(row: Row, analysis: Analysis) -> str:
    return analysis.metric.interval(row.compared.interval)


def _p(row: Row, _: Analysis) -> str:
    return p_text(row.compared.p_adjusted)


def _where(known: bool, column: Column) -> list[Column]:
    return [column] if known else []


def _has(rows: Sequence[Row], name: str) -> bool:
    return any(getattr(row.compared, name) is not None for row in rows)


def _flips(row: Row, _: Analysis) -> str:
    compared = row.compared
    if compared.p_permutation is None or compared.permutation_floor is None:
        return "-"
    floor = "" if compared.permutation_can_reject else f" (floor {p_text(compared.permutation_floor)})"
    return f"{p_text(compared.p_permutation)}{floor}"


def _flips_value(row: Row, _: Analysis) -> float | None:
    return row.compared.p_permutation


def _images(row: Row, analysis: Analysis) -> str:
    return analysis.metric.interval(row.compared.interval_new_images)


def _images_low(row: Row, _: Analysis) -> float | None:
    return None if row.compared.interval_new_images is None else row.compared.interval_new_images[0]


def _chance(row: Row, _: Analysis) -> float | None:
    return None if row.is_baseline else row.compared.probability_of_improvement


def _count(row: Row, _: Analysis) -> str:
    compared = row.compared
    unequal = not row.is_baseline and compared.pairs != compared.n
    return f"{compared.n} ({compared.pairs} pairs)" if unequal else str(compared.n)


def _sd(row: Row, analysis: Analysis) -> str:
    sd = row.compared.sd
    return "-" if sd is None else analysis.metric.signed(sd).removeprefix("+")


def _low(row: Row, _: Analysis) -> float | None:
    return None if row.compared.interval is None else row.compared.interval[0]


def _improvement(row: Row, _: Analysis) -> str:
    value = row.compared.probability_of_improvement
    return "-" if value is None or row.is_baseline else f"{value:.2f}"


def _cost(name: str) -> Column:
    cost = COSTS[name]

    def text(row: Row, _: Analysis) -> str:
        return cost.written(row.costs[name].median if name in row.costs else None)

    def value(row: Row, _: Analysis) -> float | None:
        return row.costs[name].median if name in row.costs else None

    return Column(name, cost.title, text, value, "median over the runs")


def _counted(name: str) -> Column:
    return Column(name, name, lambda row, _: str(_number(row, name)), lambda row, _: _number(row, name))


def _number(row: Row, name: str) -> int:
    counts = {
        "missing": len(row.arm.missing),
        "stopped": len(row.arm.stopped),
        "failed": row.compared.failed,
        "diverged": row.compared.diverged.count,
    }
    return counts[name]


def p_text(value: float | None) -> str:
    """Write a p value.

    >>> [p_text(value) for value in (0.00002, 0.0123, 0.5, None)]
    ['<0.0001', '0.012', '0.50', '-']
    """
    if value is None:
        return "-"
    if value < 0.0001:
        return "<0.0001"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
