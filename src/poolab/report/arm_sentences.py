"""Says what holds in one setting: a sentence for each arm, and what limits the setting as a whole."""

from __future__ import annotations

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.cost_sentences import cost_sentences
from poolab.report.metric import Metric
from poolab.report.seed_notes import seed_notes
from poolab.report.sentence import Sentence, listed, p_words, size
from poolab.report.statistics import ARMS_OF_TWO_PAIRS, MAX_SEEDS


def sentences_of(analysis: Analysis, table: Table) -> list[Sentence]:
    """Return one sentence for each arm of a setting, then those on costs."""
    if table.baseline is None:
        return [
            Sentence("note", f"{table.label} has no completed run of {analysis.baseline}: its arms are not compared.")
        ]
    return [
        *(_sentence(row, analysis) for row in table.others),
        *_ranking(analysis, table),
        *_headroom(analysis, table),
        *seed_notes(analysis, table),
        *_moderated_note(table),
        *_two_pairs(table),
        *cost_sentences(analysis, table),
    ]


def _ranking(analysis: Analysis, table: Table) -> list[Sentence]:
    """Name the best arm by validation, whose test score did not choose it."""
    metric = analysis.metric
    ranked = [row for row in table.rows if row.validation is not None]
    if table.ranked_by != "validation" or len(ranked) < 3:
        return []
    pick = max if metric.higher_is_better else min
    best = pick(ranked, key=lambda row: row.validation or 0.0)
    return [
        Sentence(
            "note",
            f"{best.label} has the best mean validation score; its mean {metric.title} is "
            f"{metric.value(best.compared.mean)}. Choose an arm by its validation score: the best of several test "
            "scores is partly luck.",
        )
    ]


def _headroom(analysis: Analysis, table: Table) -> list[Sentence]:
    """Say so where less can be gained over the baseline than the study can see."""
    metric = analysis.metric
    room = next((row.compared.headroom for row in table.others if row.compared.headroom is not None), None)
    seen = [row.compared.detectable for row in table.others if row.compared.detectable is not None]
    if room is None or not seen or room >= min(seen):
        return []
    shown = f"can only show differences of {metric.size(min(seen))} or more (80 % power)"
    if metric.is_share and min(seen) > 1:
        shown = "can show no difference that is possible (80 % power)"
    return [
        Sentence(
            "note",
            f"{analysis.baseline} has {metric.value(1 - room)}, so that at most {metric.size(room)} can be gained; "
            f"this study {shown}. Take a harder task or more seeds.",
        )
    ]


def _moderated_note(table: Table) -> list[Sentence]:
    """Say what the second line of arms with few pairs is."""
    if all(row.compared.moderated is None for row in table.others):
        return []
    return [
        Sentence(
            "note",
            "Moderated t: a second interval and p of arms with five paired seeds or fewer, which borrows the deviation "
            "of the other arms. The interval holds for this arm alone; no verdict goes by it.",
        )
    ]


def _two_pairs(table: Table) -> list[Sentence]:
    """Say why arms with two pairs have no moderated t."""
    without = [
        row.label
        for row in table.others
        if row.compared.pairs == 2 and row.compared.interval is not None and row.compared.moderated is None
    ]
    if not without:
        return []
    return [
        Sentence(
            "note",
            f"With two paired seeds no moderated t is shown for {listed(without)}: with fewer than "
            f"{ARMS_OF_TWO_PAIRS} arms beside the baseline it claims too often (7 to 9 % instead of 5).",
        )
    ]


def _sentence(row: Row, analysis: Analysis) -> Sentence:
    compared, metric = row.compared, analysis.metric
    kind = str(compared.verdict)
    interval = f"{metric.interval(compared.interval)}"
    pairs = f"{compared.pairs} paired seeds"
    if kind in ("better", "worse"):
        p = f", adjusted p {p_words(compared.p_adjusted)}" if compared.p_adjusted is not None else ""
        text = (
            f"{row.label} is {kind} than {analysis.baseline} by {size(row, metric)} (interval {interval}{p}; {pairs})."
        )
    elif kind == "equivalent":
        text = (
            f"{row.label} is equivalent to {analysis.baseline} within {metric.size(analysis.margin)}: "
            f"the difference is {metric.difference(compared.difference)} (interval {interval}; {pairs})."
        )
    else:
        text = f"{row.label} is undecided: {_why(row, analysis)}."
    return Sentence(kind, text + _holm(row, analysis) + _moderated(row, metric) + _divergence(row, metric))


def _holm(row: Row, analysis: Analysis) -> str:
    """Say so where the adjusted p alone would have claimed a difference."""
    compared = row.compared
    p, level = compared.p_adjusted, 1 - analysis.confidence
    if str(compared.reason) != "interval_too_wide" or p is None or p >= level:
        return ""
    return f" Its adjusted p is {p_words(p)}, but the verdict goes by the interval that holds for all arms together."


def _moderated(row: Row, metric: Metric) -> str:
    """Write the second line of an arm with few pairs."""
    line = row.compared.moderated
    if line is None:
        return ""
    return f" Moderated t: {metric.interval(line.interval)}, adjusted p {p_words(line.p_adjusted)}."


def _why(row: Row, analysis: Analysis) -> str:
    compared, metric = row.compared, analysis.metric
    simple = {
        "no_baseline": f"{analysis.baseline} has no completed run here",
        "no_runs": "it has no completed run",
        "all_diverged": f"all its {compared.diverged.count} runs diverged",
        "too_few_pairs": (
            f"it shares {compared.pairs} seed{'s' * (compared.pairs != 1)} with {analysis.baseline}, "
            "and two are the least"
        ),
        "zero_variance": (
            f"the difference of {metric.difference(compared.difference)} {_constant(row)} over the seeds, "
            "and without the outcome of each test image nothing says how sure it is"
        ),
        "divergence": (
            f"{compared.diverged.count} of its {compared.diverged.total} runs diverged, and among the others the "
            f"difference is {metric.difference(compared.difference)}"
        ),
    }
    reason = str(compared.reason)
    if reason in simple:
        return simple[reason]
    return (
        f"the difference is {metric.difference(compared.difference)} (interval {metric.interval(compared.interval)}; "
        f"{compared.pairs} paired seeds){_more_seeds(row, analysis)}"
    )


def _constant(row: Row) -> str:
    return "hardly varies" if (row.compared.deviation or 0.0) > 1e-12 else "does not vary"


def _more_seeds(row: Row, analysis: Analysis) -> str:
    needed, pairs = row.compared.seeds_needed, row.compared.pairs
    if needed is None:
        return ""
    if needed >= MAX_SEEDS:
        return f"; if this is the true difference, {MAX_SEEDS} seeds would not decide it"
    if needed <= pairs:
        return ""
    ends = row.compared.seeds_needed_range
    most = None if ends is None else f"{MAX_SEEDS} or more" if ends[1] >= MAX_SEEDS else str(ends[1])
    spread = ""
    if ends is not None and ends[0] != ends[1]:
        spread = f" ({ends[0]} to {most}, since the deviation is known only roughly)"
    return f"; if this is the true difference, about {needed} seeds would show that {_shown(row, analysis)}{spread}"


def _shown(row: Row, analysis: Analysis) -> str:
    """Say what more seeds would show if the difference seen is the true one."""
    compared, base = row.compared, analysis.baseline
    better = ((compared.difference or 0.0) > 0) == analysis.metric.higher_is_better
    differs = f"{row.label} is {'better' if better else 'worse'}"
    alike = f"{row.label} and {base} differ by less than {analysis.metric.size(analysis.margin)}"
    if compared.seeds_show == "difference" or not analysis.margin:
        return differs
    return alike if compared.seeds_show == "equivalence" else f"{differs}, or that {alike}"


def _divergence(row: Row, metric: Metric) -> str:
    rate, reason = row.compared.diverged, str(row.compared.reason)
    if not rate.count or reason == "all_diverged":
        return ""
    text = ""
    if reason != "divergence":
        text = f" {rate.count} of its {rate.total} runs diverged; the difference is among those that trained."
    worst = row.compared.worst_case
    if worst is not None:
        text += f" With the worst score seen for each diverged run it is {metric.difference(worst.difference)}."
    return text
