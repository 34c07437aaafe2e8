"""The answer over all settings. Each sentence is made from numbers of the analysis, and says no more than they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.sentence import Sentence, is_or_are, listed, percent, size_with_interval

WORDS = {"better": "better", "worse": "worse", "equivalent": "equivalent within the margin", "undecided": "undecided"}


def verdict(analysis: Analysis) -> list[Sentence]:
    """Return the verdict over all settings: one headline, and what holds over the settings together."""
    tables = [table for table in analysis.tables if table.baseline is not None]
    if not tables:
        return [
            Sentence(
                "headline", f"No setting has a completed run of the baseline, {analysis.baseline}: nothing is compared."
            )
        ]
    if len(tables) == 1:
        return [headline(analysis, tables[0]), *_aside(analysis)]
    return [_headline_of_several(analysis, tables), *_overall(analysis), *_aside(analysis)]


def _aside(analysis: Analysis) -> list[Sentence]:
    """Return what limits the answer as a whole."""
    without = [table.label for table in analysis.tables if table.baseline is None]
    found = []
    if without:
        found.append(
            Sentence(
                "note",
                f"No completed run of {analysis.baseline}, so that nothing is compared there: {'; '.join(without)}.",
            )
        )
    if analysis.evidence.searched:
        found.append(
            Sentence(
                "note",
                "The runs were drawn by a search, which tries settings where it expects a good score. The best of them "
                "leads by luck too: run it and the baseline again with new seeds before you believe in a difference.",
            )
        )
    return found


def headline(analysis: Analysis, table: Table) -> Sentence:
    """Return the answer for one setting in one or two sentences."""
    counts = _counts(table.others)
    base = analysis.baseline
    if not table.others:
        return Sentence("headline", f"{base} is the only arm: there is nothing to compare.")
    better = [row for row in table.others if row.compared.verdict == "better"]
    if better:
        by_validation = table.ranked_by == "validation"
        most = better[0] if by_validation else max(better, key=lambda row: abs(row.compared.difference or 0.0))
        text = f"{listed([row.label for row in better])} {is_or_are(better)} better than {base}"
        if len(better) == 1:
            text += f" by {size_with_interval(most, analysis.metric)}"
        else:
            chosen = "is the first of them by validation score:" if by_validation else "has the largest difference,"
            text += f"; {most.label} {chosen} {size_with_interval(most, analysis.metric)}"
        return Sentence("headline", f"{text}.{_rest(counts, len(table.others))}")
    text = f"No arm is shown to be better than {base}."
    return Sentence("headline", f"{text}{_rest(counts, len(table.others))}")


def _rest(counts: Counter[str], total: int) -> str:
    said = [f"{counts[name]} {words}" for name, words in WORDS.items() if counts[name] and name != "better"]
    return f" Of {total} arm{'s' * (total > 1)} beside it, {listed(said)}." if said else ""


def _counts(rows: Sequence[Row]) -> Counter[str]:
    return Counter(str(row.compared.verdict) for row in rows)


def _headline_of_several(analysis: Analysis, tables: Sequence[Table]) -> Sentence:
    better, worse = (_grouped(tables, kind) for kind in ("better", "worse"))
    parts = [
        f"Better than {analysis.baseline}: {better}."
        if better
        else f"No arm is shown to be better than {analysis.baseline} in any setting.",
        f"Worse: {worse}." if worse else "No arm is shown to be worse.",
    ]
    return Sentence("headline", f"{len(tables)} settings. {' '.join(parts)}")


def _grouped(tables: Sequence[Table], kind: str) -> str:
    """Name the arms with a verdict, grouped by the number of settings in which they have it."""
    counts: Counter[str] = Counter()
    for table in tables:
        counts.update(row.label for row in table.others if row.compared.verdict == kind)
    groups = [
        (number, [label for label in counts if counts[label] == number])
        for number in sorted(set(counts.values()), reverse=True)
    ]
    return "; ".join(f"{listed(labels)} in {number} of {len(tables)} settings" for number, labels in groups)


def _overall(analysis: Analysis) -> list[Sentence]:
    if analysis.overall is None:
        return []
    metric, sentences = analysis.metric, []
    for arm in analysis.overall.arms:
        if arm.difference is None or arm.interval is None:
            continue
        sentences.append(
            Sentence(
                "note",
                f"{arm.arm}: {metric.difference(arm.difference)} on average over {arm.settings} settings "
                f"({percent(analysis.confidence)} interval {metric.interval(arm.interval)}); in a new setting of this "
                f"kind {metric.interval(arm.prediction)} is to be expected.",
            )
        )
    if not sentences:
        reasons = {arm.refused for arm in analysis.overall.arms if arm.refused}
        sentences = [
            Sentence("note", f"There is no average over the settings: {reason}.") for reason in sorted(reasons)
        ]
    return sentences
