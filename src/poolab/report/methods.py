"""Paragraphs for the sections on methods and results of a paper, made from the records."""

from __future__ import annotations

from collections.abc import Sequence

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.provenance import facts, hours
from poolab.report.sentence import listed, percent
from poolab.report.tuning import tuned_words

RECIPE = (
    ("optim.name", "optimiser {}"),
    ("optim.lr", "learning rate {}"),
    ("optim.schedule", "{} schedule"),
    ("optim.weight_decay", "weight decay {}"),
    ("data.batch_size", "batch size {}"),
    ("trainer.epochs", "{} epochs"),
    ("trainer.precision", "precision {}"),
)


def methods(analysis: Analysis) -> str:
    """Write what was compared, how it was trained, how it was tested, with what, and each arm's result."""
    parts = [
        _arms(analysis),
        *(_training(table, analysis.evidence.tuned) for table in analysis.tables),
        _statistics(analysis),
        _software(analysis),
        *(_results(table, analysis) for table in analysis.tables if table.baseline is not None and table.others),
    ]
    return "\n\n".join(parts) + "\n"


def _arms(analysis: Analysis) -> str:
    labels, base = analysis.evidence.arms, analysis.baseline
    return (
        f"We compared {len(labels)} arms: {listed(labels)}. The baseline is {base}. Arms differ in their pooling "
        "alone: with the same seed, two arms have the same initial weights where both have them, the same "
        f"batches in the same order and the same augmentation.{_own_parameters(analysis)}"
    )


def _own_parameters(analysis: Analysis) -> str:
    """Name the arms whose number of parameters is not the baseline's: some of their weights have no counterpart."""
    names: dict[str, None] = {}
    for table in analysis.tables:
        own = table.baseline.costs.get("parameters") if table.baseline else None
        if own is not None:
            sizes = {row.label: row.costs["parameters"].median for row in table.others if "parameters" in row.costs}
            names |= dict.fromkeys(label for label, size in sizes.items() if size != own.median)
    if not names:
        return ""
    return (
        f" The number of parameters of {listed(list(names))} is not that of {analysis.baseline}: a weight that only "
        "one of the two has starts from a value of its own."
    )


def _training(table: Table, tuned: Sequence[str]) -> str:
    facts_of = table.setting.facts
    recipe = [words.format(facts_of[key]) for key, words in RECIPE if facts_of.get(key) not in (None, "null")]
    counts = sorted({len(row.arm.runs) for row in table.rows if row.arm.runs})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}" if counts else "no"
    limits = [
        f"{key.removeprefix('data.limit_')} images limited to {facts_of[key]}"
        for key in ("data.limit_train", "data.limit_test")
        if facts_of.get(key, "null") != "null"
    ]
    what = f"{facts_of.get('backbone.name', 'the network')} on {facts_of.get('data.name', 'the data')}"
    images = facts_of.get("data_fingerprint")
    told = f" (content {images})" if images else ""
    chosen = f" Tuned for each arm: {tuned_words(table.setting, tuned)}." if tuned else ""
    return f"{table.label}: we trained {what}{told} with {', '.join([*recipe, *limits])}, {seeds} seeds an arm.{chosen}"


def _statistics(analysis: Analysis) -> str:
    compared = analysis.tables[0].compared
    margin = (
        f" Two arms are called equivalent if two one-sided t tests place the difference within "
        f"{analysis.metric.size(analysis.margin)}."
        if analysis.margin
        else ""
    )
    how = {
        "max_t": "simultaneous intervals (maximum of the |t| over the arms of a setting)",
        "look": "simultaneous intervals at the level that the declared looks leave",
        "e_process": "intervals from a t e-process, since seeds were added after looks that had not been declared",
    }[str(compared.method)]
    return (
        f"The estimand is the expected difference in {analysis.metric.title}, arm minus baseline, over seeds, on this "
        f"test set. Differences are paired by seed. We report {100 * analysis.confidence:g} % {how}, p values of "
        f"paired t tests adjusted by Holm's method, and a joint step-down sign-flip test. An arm is called better or "
        f"worse if its simultaneous interval excludes zero.{margin} The test set was used once a run, after training."
    )


def _results(table: Table, analysis: Analysis) -> str:
    return f"Results, {table.label}: {' '.join(_result(row, table, analysis) for row in table.others)}"


def _result(row: Row, table: Table, analysis: Analysis) -> str:
    """Return the sentence on an arm: its difference from the baseline, the interval and the number of pairs."""
    compared, metric = row.compared, analysis.metric
    pairs = f"n = {compared.pairs} pair{'s' * (compared.pairs != 1)}"
    if compared.difference is None:
        return f"{row.label} shares no scored seed with {analysis.baseline}."
    level = percent(round(table.compared.family_confidence, 6))
    interval = f"{level} simultaneous interval {metric.interval(compared.interval)}, " if compared.interval else ""
    difference = metric.difference(compared.difference)
    return f"{row.label} differed from {analysis.baseline} by {difference} ({interval}{pairs})."


def _software(analysis: Analysis) -> str:
    by_name = {fact.name: fact for fact in facts(analysis.evidence)}
    versions = [
        f"{name} {by_name[name]}" for name in ("poolab", "torch", "torchvision", "pytorch-lightning") if name in by_name
    ]
    machine = [str(by_name[name]) for name in ("processor", "device") if name in by_name]
    commit = f" Commit: {by_name['commit']}." if "commit" in by_name else ""
    return (
        f"Software: {', '.join(versions) or 'unknown'}.{commit} Hardware: {', '.join(machine) or 'unknown'}. "
        f"The compared runs took {hours(analysis.evidence.runs):.1f} hours in all."
    )
