"""What a study could see: detectable differences, seeds for half of them, and what the pairing gained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from poolab.report.analysis import Analysis, Row, Table


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
    spread = "" if ends is None else f" ({metric.size(ends[0]).split()[0]} to {metric.size(ends[1]).split()[0]})"
    return PowerRow(
        arm=row.label,
        pairs=compared.pairs,
        detectable="-" if compared.detectable is None else metric.size(compared.detectable),
        deviation="-" if compared.deviation is None else f"{metric.size(compared.deviation)}{spread}",
        # The detectable difference shrinks with the square root of the pairs, a little faster below ten.
        half=f"about {math.ceil(4 * compared.pairs * _few(compared.pairs))}" if compared.pairs else "-",
        correlation="-" if compared.correlation is None else f"{compared.correlation:+.2f}",
        gain="-" if compared.pairing_gain is None else f"{compared.pairing_gain:.1f} unpaired",
    )


def _few(pairs: int) -> float:
    """How much fewer than four times the seeds are needed, since the critical value of t falls with the seeds."""
    from scipy.stats import t

    now, then = t.ppf(0.975, max(pairs - 1, 1)), t.ppf(0.975, max(4 * pairs - 1, 1))
    return float((then / now) ** 2)
