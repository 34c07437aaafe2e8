"""The page of the simulation's results."""

import math
from collections.abc import Sequence

from report_simulation.cells import Outcome
from report_simulation.rows import Row

# A bound is broken when the share lies beyond it by more than its Monte Carlo error allows.
SIGMAS = 2.5


NEAR, FAR = " \\*", " \\*\\*"


def verdict(share: float, studies: int, low: float | None, high: float | None) -> str:
    """Return a mark for a share outside its bounds: * within the Monte Carlo error, ** beyond it."""
    error = math.sqrt(max(share * (1 - share), 1e-4) / studies)
    beyond = max((low or 0) - share, share - (1 if high is None else high), 0.0)
    if beyond == 0:
        return ""
    return FAR if beyond > SIGMAS * error else NEAR


def power_mark(one: Outcome) -> str:
    """Return the mark of the power found minus the power stated, whose bound is 3 points either way."""
    beyond = abs(one.power - one.stated_power) - 0.03
    if beyond <= 0:
        return ""
    return FAR if beyond > SIGMAS * 0.4 / math.sqrt(one.studies) else NEAR


def is_near(one: Outcome | Row) -> bool:
    """Return True if a share lies so little outside its bound that more studies must decide."""
    if isinstance(one, Row):
        return verdict(one.share, one.studies, one.low, one.high) == NEAR
    marks = [verdict(share, one.studies, low, high) for share, low, high in _shares(one)]
    return NEAR in (*marks, power_mark(one))


def _shares(one: Outcome) -> list[tuple[float, float | None, float | None]]:
    """Return the shares of an outcome with their bounds."""
    return [
        (one.single, 0.93, 0.97),
        (one.joint, 0.94, None),
        (one.false_verdicts, None, 0.055),
        (one.false_equivalent, None, 0.055),
    ]


def cell_error(share: float, studies: int) -> float:
    """Return the Monte Carlo error of a share (one standard error), never 0."""
    return math.sqrt(max(share * (1 - share), 1 / studies / 4) / studies)


def cell_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of the studies of one setting."""
    lines = [
        "| arms | seeds | correlation | tails | missing | single | joint | false better/worse | false equivalent "
        "| power - stated |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        cell, studies = one.cell, one.studies
        shares = [_share(share, studies, low, high) for share, low, high in _shares(one)]
        gap, mark = one.power - one.stated_power, power_mark(one)
        error = cell_error(one.power, studies)
        what = f"| {cell.arms} | {cell.seeds} | {cell.correlation:g} | {cell.tails} | {cell.missing:.0%} "
        lines.append(what + "| " + " | ".join([*shares, f"{100 * gap:+.1f} ({100 * error:.1f}){mark}"]) + " |")
    return "\n".join(lines)


def _share(share: float, studies: int, low: float | None, high: float | None) -> str:
    return f"{100 * share:.1f} ({100 * cell_error(share, studies):.1f}){verdict(share, studies, low, high)}"


def row_table(rows: Sequence[Row]) -> str:
    """Return a table of single shares."""
    lines = ["| what | % | error | bound |", "|---|---|---|---|"]
    for row in rows:
        bounds = [
            f"at least {100 * row.low:g}" if row.low is not None else "",
            f"at most {100 * row.high:g}" if row.high is not None else "",
        ]
        bound = ", ".join(filter(None, bounds)) or "-"
        lines.append(
            f"| {row.what} | {100 * row.share:.1f}{verdict(row.share, row.studies, row.low, row.high)} "
            f"| {100 * row.error:.1f} | {bound} |"
        )
    return "\n".join(lines)
