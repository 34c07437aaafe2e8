"""Says what a study could see: detectable differences, seeds for half of them, and what the pairing gained."""

from __future__ import annotations

from dataclasses import dataclass

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.metric import Metric
from poolab.report.statistics import MAX_SEEDS
from poolab.report.statistics.power import POWER_OF_OTHER_FORMS

# Said below the table of each setting.
SUPPOSED = (
    "80 % power is stated for normal differences of the seeds with the deviation of this table. For skewed or uniform "
    "differences, and for those with rare large values, it was {:.0f} to {:.0f} % in simulated studies."
).format(*(100 * end for end in POWER_OF_OTHER_FORMS))


@dataclass(frozen=True)
class PowerRow:
    """One arm's line in words."""

    arm: str
    pairs: int
    detectable: str
    deviation: str
    half: str
    correlation: str
    gain: str


def power_rows(analysis: Analysis, table: Table) -> list[PowerRow]:
    """Return a line for each arm whose difference has a deviation."""
    return [_row(row, analysis) for row in table.others if row.compared.detectable is not None]


def _row(row: Row, analysis: Analysis) -> PowerRow:
    compared, metric = row.compared, analysis.metric
    ends = compared.deviation_interval
    if ends is not None and metric.is_share:  # differences between -1 and 1 deviate by 1 at most
        ends = min(ends[0], 1.0), min(ends[1], 1.0)
    spread = "" if ends is None else f" ({metric.size(ends[0]).split()[0]} to {metric.size(ends[1]).split()[0]})"
    return PowerRow(
        arm=row.label,
        pairs=compared.pairs,
        detectable=_detectable(compared.detectable, metric),
        deviation="-" if compared.deviation is None else f"{metric.size(compared.deviation)}{spread}",
        half=_seeds(compared.seeds_for_half),
        correlation="-" if compared.correlation is None else f"{compared.correlation:+.2f}",
        gain="-" if compared.pairing_gain is None else f"{compared.pairing_gain:.1f} unpaired",
    )


def _detectable(difference: float | None, metric: Metric) -> str:
    if difference is None:
        return "-"
    return "none that is possible" if metric.is_share and difference > 1 else metric.size(difference)


def _seeds(number: int | None) -> str:
    if number is None:
        return "-"
    return f"{MAX_SEEDS} or more" if number >= MAX_SEEDS else str(number)
