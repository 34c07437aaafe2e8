"""A sentence of the verdict, and the words that its numbers become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from poolab.report.analysis import Row
from poolab.report.metric import Metric

NAMED = 9  # arms that a sentence names


@dataclass(frozen=True)
class Sentence:
    """A sentence of the verdict and its kind: headline, better, worse, equivalent, undecided, note or cost."""

    kind: str
    text: str

    def __str__(self) -> str:
        """Return the text."""
        return self.text


def size(row: Row, metric: Metric) -> str:
    """Write the size of an arm's difference."""
    return metric.size(row.compared.difference or 0.0)


def size_with_interval(row: Row, metric: Metric) -> str:
    """Write the size of an arm's difference with its interval."""
    return f"{size(row, metric)} (interval {metric.interval(row.compared.interval)})"


def p_words(value: float | None) -> str:
    """Write a p value in a sentence."""
    if value is None:
        return "-"
    return "below 0.0001" if value < 0.0001 else f"{value:.2g}"


def percent(confidence: float) -> str:
    """Write a confidence in per cent."""
    return f"{100 * confidence:g} %"


def is_or_are(rows: Sequence[Row]) -> str:
    """Return "is" for one arm and "are" for several."""
    return "is" if len(rows) == 1 else "are"


def listed(words: Sequence[str]) -> str:
    """Join words with commas and "and"; of many the first few are named.

    >>> listed(["max", "avg", "lp"])
    'max, avg and lp'
    >>> listed([f"k={k}" for k in range(20)])
    'k=0, k=1, k=2, k=3, k=4, k=5, k=6, k=7, k=8 and 11 more'
    """
    shown = words if len(words) <= NAMED + 1 else [*words[:NAMED], f"{len(words) - NAMED} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""
