"""The answer over all settings. Each sentence is made from numbers of the analysis, and says no more than they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.sentence import Sentence, is_or_are, listed, percent, size_with_interval
from poolab.report.statistics import MAX_SEEDS

KINDS = ("worse", "equivalent", "undecided")


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
    if analysis.added is not None:
        found.append(
            Sentence(
                "note",
                f"The intervals are wider because seeds were added after a look at all {analysis.added.planned} seeds "
                "and no looks were declared; see docs/report.md.",
            )
        )
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
                "is partly luck: run it and the baseline again with new seeds before you believe in a difference.",
            )
        )
    return found


def headline(analysis: Analysis, table: Table) -> Sentence:
    """Return the answer for one setting in one or two sentences."""
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
        return Sentence("headline", f"{text}.{_rest(analysis, table.others)}")
    return Sentence("headline", f"No arm is shown to be better than {base}.{_rest(analysis, table.others)}")


def _rest(analysis: Analysis, rows: Sequence[Row], what: str = "arm") -> str:
    """Say what is true of the arms that are not better, and how many seeds would decide the undecided ones."""
    by_kind = {kind: [row for row in rows if row.compared.verdict == kind] for kind in KINDS}
    found = {kind: some for kind, some in by_kind.items() if some}
    total = sum(map(len, found.values()))
    words = dict(zip(KINDS, KINDS, strict=True))
    words["equivalent"] += f" within {analysis.metric.size(analysis.margin)}"
    if not found:
        return ""
    if len(found) > 1:
        said = listed([f"{len(some)} {is_or_are(some)} {words[kind]}" for kind, some in found.items()])
        text, joint = f" Of the other {total} {what}s, {said}", ", for which"
    else:
        (kind,) = found
        text = f" The other {what} is {words[kind]}" if total == 1 else f" The other {total} {what}s are {words[kind]}"
        joint = ":"
    return f"{text}{_undecided(analysis, by_kind['undecided'], joint)}"


def _undecided(analysis: Analysis, rows: Sequence[Row], joint: str) -> str:
    """Say what undecided means, and how many seeds would decide; `joint` goes on with the sentence before."""
    if not rows:
        return "."
    if any(str(row.compared.reason) != "interval_too_wide" for row in rows):
        return ". The report says of each undecided arm why."
    limit = f"that it is below {analysis.metric.size(analysis.margin)}" if analysis.margin else "its absence"
    text = f"{joint} the runs show neither a difference nor {limit}."
    needed = sorted({row.compared.seeds_needed for row in rows if row.compared.seeds_needed is not None})
    if not needed or needed[0] >= MAX_SEEDS:
        return text
    most = f"{MAX_SEEDS} or more" if needed[-1] >= MAX_SEEDS else str(needed[-1])
    seeds = str(needed[0]) if len(needed) == 1 else f"{needed[0]} to {most}"
    return f"{text} About {seeds} seeds would decide, if the differences seen are the true ones."


def _headline_of_several(analysis: Analysis, tables: Sequence[Table]) -> Sentence:
    better, worse = (_grouped(tables, kind) for kind in ("better", "worse"))
    parts = [
        f"Better than {analysis.baseline}: {better}."
        if better
        else f"No arm is shown to be better than {analysis.baseline} in any setting.",
        f"Worse: {worse}." if worse else "No arm is shown to be worse.",
    ]
    rows = [row for table in tables for row in table.others if row.compared.verdict not in ("better", "worse")]
    rest = _rest(analysis, rows, "comparison")
    return Sentence("headline", f"{len(tables)} settings. {' '.join(parts)}{rest}")


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
            Sentence("note", f"No average over the settings is given: {reason}.") for reason in sorted(reasons)
        ]
    return sentences
