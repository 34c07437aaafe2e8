"""Sentences on the seeds of a setting: which are shared, which have no score, and where they hardly vary."""

from __future__ import annotations

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.sentence import Sentence, listed


def seed_notes(analysis: Analysis, table: Table) -> list[Sentence]:
    """Return what limits the pairs of a setting: one sentence for each kind of limit."""
    texts = [_unequal(analysis, table), _unscored(analysis, table), _cut(analysis, table), _by_images(table)]
    return [Sentence("note", text) for text in texts if text]


def _unequal(analysis: Analysis, table: Table) -> str:
    """Name the arms whose seeds are not those of the baseline, with the means of the pairs."""
    base = table.baseline
    if base is None:
        return ""
    count = base.compared.n
    told = [_pairs(row, analysis) for row in table.others if 0 < row.compared.pairs < max(row.compared.n, count)]
    if not told:
        return ""
    return (
        f"Differences are over the seeds that an arm shares with {base.label}, which has {count} runs: {listed(told)}."
    )


def _pairs(row: Row, analysis: Analysis) -> str:
    own, other = (
        analysis.metric.value(mean) for mean in (row.compared.mean_of_pairs, row.compared.baseline_mean_of_pairs)
    )
    return f"{row.label} {row.compared.pairs} of its {row.compared.n} (means of the pairs: {own} and {other})"


def _unscored(analysis: Analysis, table: Table) -> str:
    """Name the arms with completed runs that have no value of the metric."""
    told = [f"{row.label} {row.compared.unscored}" for row in table.rows if row.compared.unscored]
    return f"Completed runs without a value of {analysis.metric.name} are left out: {listed(told)}." if told else ""


def _cut(analysis: Analysis, table: Table) -> str:
    """Name the arms whose interval is wider than what is possible."""
    known = [(row, row.compared.interval) for row in table.others if row.compared.interval is not None]
    rows = [row for row, ends in known if analysis.metric.possible(ends) != ends]
    if not rows:
        return ""
    pairs = sorted({row.compared.pairs for row in rows})
    seeds = f"{pairs[0]}" if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]}"
    return (
        f"The interval of {listed([row.label for row in rows])} is cut at 100 points, as far as two shares can differ: "
        f"{seeds} paired seeds say hardly anything."
    )


def _by_images(table: Table) -> str:
    """Name the arms that are judged by the test images."""
    labels = [row.label for row in table.others if row.compared.basis == "examples"]
    if not labels:
        return ""
    return (
        f"Over the seeds the difference of {listed(labels)} hardly varies: interval and p come from the outcomes of "
        "the single test images."
    )
