"""The results of the suite: rows, a report for one class, a table of many."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from poolab.testing.items import ITEMS

Status = Literal["passed", "exempt", "failed", "not given", "not run"]
WIDTH = 80
# The worst first: what a cell of a table shows for several rows.
NO_ORACLE = "no oracle given"
MARKS: dict[Status, str] = {
    "failed": "FAIL",
    "exempt": "exempt",
    "not given": NO_ORACLE,
    "not run": "not run",
    "passed": "ok",
}


@dataclass(frozen=True)
class Row:
    """The result of one item for one variant and number of dimensions."""

    item: str
    dims: int
    variant: str
    status: Status
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """All results of the suite for one class.

    Attributes:
        name: the method's name, or the class's where it has none.
        rows: in the order in which they ran.
    """

    name: str
    rows: list[Row] = field(default_factory=list)

    @property
    def failures(self) -> list[Row]:
        """The rows that failed."""
        return [row for row in self.rows if row.status == "failed"]

    @property
    def passed(self) -> bool:
        """True if nothing failed; exemptions are not failures."""
        return not self.failures

    @property
    def seconds(self) -> float:
        """The time that the checks took together."""
        return sum(row.seconds for row in self.rows)

    def mark(self, item: str, dims: int | None = None) -> str:
        """Return the worst that happened to an item, in one word; "-" where it did not run."""
        found = {row.status for row in self.rows if row.item == item and dims in (None, row.dims)}
        return next((mark for status, mark in MARKS.items() if status in found), "-")

    def markdown(self) -> str:
        """Return one row of `conformance_table`."""
        return f"| {self.name} | {' | '.join(self.mark(item) for item in ITEMS)} |"

    def __str__(self) -> str:
        """Return a table of items and dimensions, then what failed and what is exempt, in 80 columns."""
        dims = sorted({row.dims for row in self.rows})
        width = max(9, *(len(MARKS[row.status]) for row in self.rows)) if self.rows else 9
        counts = {status: sum(row.status == status for row in self.rows) for status in MARKS}
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        lines = [f"{self.name}: {told or 'nothing ran'} ({self.seconds:.1f} s)"]
        lines += ["  ".join([f"{'item':13}", *(f"{f'{d}-d':{width}}" for d in dims)]).rstrip()]
        for item in dict.fromkeys(row.item for row in self.rows):
            lines.append("  ".join([f"{item:13}", *(f"{self.mark(item, d):{width}}" for d in dims)]).rstrip())
        for row in dict.fromkeys((row.item, row.reason) for row in self.rows if row.status == "exempt"):
            lines += wrapped(f"exempt from {row[0]}: {row[1]}")
        for reason in dict.fromkeys(row.reason for row in self.rows if row.status == "not given"):
            lines += wrapped(f"{NO_ORACLE}: {reason}")
        for item, reason in dict.fromkeys((row.item, row.reason) for row in self.rows if row.status == "not run"):
            lines += wrapped(f"not run: {item}: {reason}")
        for failure in self.failures:
            lines += wrapped(f"FAILED {where(failure)}: {failure.reason}")
        return "\n".join(lines)


def where(row: Row) -> str:
    """Return a row's place in words."""
    return f"{row.item}, {row.dims}-d, {row.variant}"


def wrapped(text: str) -> list[str]:
    """Return lines of at most 80 columns, all but the first indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def conformance_table(reports: Iterable[Report]) -> str:
    """Return methods and items in one Markdown table, with each exemption and its reason and each failure below.

    >>> print(conformance_table([Report("twice", [Row("ties", 2, "default", "exempt", "it ranks nothing")])])[-33:])
    - `twice`, ties: it ranks nothing
    """
    reports = list(reports)
    lines = [f"| method | {' | '.join(ITEMS)} |", "|---|" + "---|" * len(ITEMS)]
    lines += [report.markdown() for report in reports]
    for title, status in (("Exemptions", "exempt"), ("Failures", "failed")):
        told = {
            f"- `{report.name}`, {row.item if status == 'exempt' else where(row)}: {row.reason}": None
            for report in reports
            for row in report.rows
            if row.status == status
        }
        lines += ["", f"{title}:", "", *told] if told else []
    return "\n".join(lines)
