"""The answer in sentences. Each sentence is made from numbers of the analysis, and says no more than they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.costs import COSTS, Cost
from poolab.report.metric import Metric

NAMED = 9  # arms that a sentence names
MANY = 1000  # seeds from which "more seeds" is no advice


@dataclass(frozen=True)
class Sentence:
    """A sentence of the verdict and its kind: headline, better, worse, equivalent, undecided, note or cost."""

    kind: str
    text: str

    def __str__(self) -> str:
        """Return the text."""
        return self.text


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
        text = f"{listed([row.label for row in better])} {_is(better)} better than {base}"
        if len(better) == 1:
            text += f" by {_size_with_interval(most, analysis.metric)}"
        else:
            chosen = "is the first of them by validation score:" if by_validation else "has the largest difference,"
            text += f"; {most.label} {chosen} {_size_with_interval(most, analysis.metric)}"
        return Sentence("headline", f"{text}.{_rest(counts, len(table.others))}")
    text = f"No arm is shown to be better than {base}."
    return Sentence("headline", f"{text}{_rest(counts, len(table.others))}")


def _rest(counts: Counter[str], total: int) -> str:
    said = [f"{counts[name]} {words}" for name, words in WORDS.items() if counts[name] and name != "better"]
    return f" Of {total} arm{'s' * (total > 1)} beside it, {listed(said)}." if said else ""


WORDS = {"better": "better", "worse": "worse", "equivalent": "equivalent within the margin", "undecided": "undecided"}


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
                f"({_percent(analysis.confidence)} interval {metric.interval(arm.interval)}); in a new setting of this "
                f"kind {metric.interval(arm.prediction)} is to be expected.",
            )
        )
    if not sentences:
        reasons = {arm.refused for arm in analysis.overall.arms if arm.refused}
        sentences = [
            Sentence("note", f"There is no average over the settings: {reason}.") for reason in sorted(reasons)
        ]
    return sentences


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
            f"{metric.value(best.compared.mean)}. Choose an arm by validation: the best of several test scores leads "
            "by luck too.",
        )
    ]


def _headroom(analysis: Analysis, table: Table) -> list[Sentence]:
    """Say so where less can be gained over the baseline than the study can see."""
    metric = analysis.metric
    room = next((row.compared.headroom for row in table.others if row.compared.headroom is not None), None)
    seen = [row.compared.detectable for row in table.others if row.compared.detectable is not None]
    if room is None or not seen or room >= min(seen):
        return []
    return [
        Sentence(
            "note",
            f"No arm can gain more than {metric.size(room)} over {analysis.baseline}, and these runs show a difference "
            f"of {metric.size(min(seen))} or more (80 % power).",
        )
    ]


def _sentence(row: Row, analysis: Analysis) -> Sentence:
    compared, metric = row.compared, analysis.metric
    kind = str(compared.verdict)
    interval = f"{metric.interval(compared.interval)}"
    pairs = f"{compared.pairs} paired seeds"
    if kind in ("better", "worse"):
        p = f", adjusted p {_p(compared.p_adjusted)}" if compared.p_adjusted is not None else ""
        text = (
            f"{row.label} is {kind} than {analysis.baseline} by {_size(row, metric)} (interval {interval}{p}; {pairs})."
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
    return f" Its adjusted p is {_p(p)}, but the verdict goes by the interval that holds for all arms together."


def _moderated(row: Row, metric: Metric) -> str:
    """Write the second line of an arm with few pairs."""
    line = row.compared.moderated
    if line is None:
        return ""
    return (
        f" A moderated t, which borrows the deviation of the other arms, gives {metric.interval(line.interval)} for "
        f"this arm alone (adjusted p {_p(line.p_adjusted)})."
    )


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
            f"the difference of {metric.difference(compared.difference)} does not vary over the seeds, "
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
        f"{compared.pairs} paired seeds){_more_seeds(row)}"
    )


def _more_seeds(row: Row) -> str:
    needed, pairs = row.compared.seeds_needed, row.compared.pairs
    if needed is None:
        return ""
    if needed >= MANY:
        return f"; if this is the true difference, {MANY} seeds would not decide it"
    if needed <= pairs:
        return ""
    ends = row.compared.seeds_needed_range
    most = None if ends is None else f"{MANY} or more" if ends[1] >= MANY else str(ends[1])
    spread = "" if ends is None or ends[0] == ends[1] else f" ({ends[0]} to {most}, as far as the deviation is known)"
    return f"; if this is the true difference, about {needed} seeds would decide it{spread}"


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


def cost_sentences(analysis: Analysis, table: Table) -> list[Sentence]:
    """Return what the arms cost beside the baseline; measured costs only where they may be compared."""
    base = table.baseline
    if base is None or not table.others:
        return []
    found = [_parameters(base, table.others, COSTS["parameters"])]
    measured = [name for name in ("step_ms", "latency_ms") if name in base.costs]
    if measured and table.comparable_costs:
        found += [_cost(name, base, table.others) for name in measured]
    elif measured:
        found.append(
            Sentence(
                "cost",
                "Times and memory are shown but rank nothing: the records do not say that they were measured one at a "
                "time on one idle machine.",
            )
        )
    if "peak_memory_mb" in base.costs and any(str(run.environment.get("device")) == "cpu" for run in base.arm.runs):
        found.append(
            Sentence("cost", "Peak memory on the CPU is that of a whole process: five equal runs gave 72 to 109 MB.")
        )
    return [one for one in found if one is not None]


def _parameters(base: Row, others: Sequence[Row], cost: Cost) -> Sentence | None:
    own = base.costs.get("parameters")
    if own is None:
        return None
    more = [(row, row.costs["parameters"].median) for row in others if "parameters" in row.costs]
    differing = [f"{row.label} {cost.written(value)}" for row, value in more if value != own.median]
    if not differing:
        return Sentence("cost", f"All arms have {cost.written(own.median)} parameters.")
    if len(differing) > NAMED:
        least, most = (cost.written(pick(value for _, value in more)) for pick in (min, max))
        text = f"{base.label} has {cost.written(own.median)} parameters, the others have {least} to {most}."
        return Sentence("cost", text)
    return Sentence("cost", f"{base.label} has {cost.written(own.median)} parameters; {listed(differing)}.")


def _cost(name: str, base: Row, others: Sequence[Row]) -> Sentence | None:
    cost, own = COSTS[name], base.costs[name].median
    ratios = sorted((row.costs[name].median / own, row.label) for row in others if name in row.costs and own > 0)
    if not ratios:
        return None
    least, most = ratios[0], ratios[-1]
    text = f"The {cost.name} of {base.label} takes {cost.written(own)} {cost.unit}"
    if len(ratios) == 1:
        return Sentence("cost", f"{text}, that of {least[1]} {least[0]:.2f} times as long.")
    return Sentence("cost", f"{text}; {least[1]} takes {least[0]:.2f} and {most[1]} {most[0]:.2f} times as long.")


def _size(row: Row, metric: Metric) -> str:
    return metric.size(row.compared.difference or 0.0)


def _size_with_interval(row: Row, metric: Metric) -> str:
    return f"{_size(row, metric)} (interval {metric.interval(row.compared.interval)})"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "below 0.0001" if value < 0.0001 else f"{value:.2g}"


def _percent(confidence: float) -> str:
    return f"{100 * confidence:g} %"


def _is(rows: Sequence[Row]) -> str:
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
