"""Pairs whose two runs were computed with other rounding: on another processor or device, or with other threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from poolab.records import Record
from poolab.report.evidence import Setting

# What changes the rounding of a run and not its signature, by its name in a record's environment.
ROUNDING = ("processor", "device", "threads")
# Largest differences that were measured between 1 and 2 threads; docs/decisions.md, "One signature, up to rounding".
MEASURED = "1 and 2 threads gave scores that differ by up to 0.35 points"


def rounding_remarks(setting: Setting, baseline: str) -> list[str]:
    """Return a remark for each fact that differs within pairs of a setting.

    Where it differs in every pair of an arm in the same direction, the arm's difference cannot be told from it.
    """
    base = next((arm for arm in setting.arms if arm.label == baseline), None)
    if base is None:
        return []
    of_seed = {run.seed: run for run in base.runs}
    arms = {
        arm.label: [(run, of_seed[run.seed]) for run in arm.runs if run.seed in of_seed]
        for arm in setting.arms
        if arm is not base
    }
    return [remark for name in ROUNDING if (remark := _remark(setting.label, name, arms, baseline)) is not None]


Pairs = Sequence[tuple[Record, Record]]


def _remark(label: str, name: str, arms: Mapping[str, Pairs], baseline: str) -> str | None:
    total = sum(map(len, arms.values()))
    differing = {arm: [pair for pair in pairs if _differs(pair, name)] for arm, pairs in arms.items()}
    count = sum(map(len, differing.values()))
    if not count:
        return None
    text = (
        f"{label}: in {count} of {total} pairs the two runs differ in {name}, so that they round otherwise "
        f"({MEASURED}). The interval counts this as chance."
    )
    always = [arm for arm, pairs in arms.items() if pairs and len(differing[arm]) == len(pairs)]
    if always:
        text += (
            f" All pairs of {', '.join(always)} differ in it: a difference from {baseline} may come from the {name} "
            "and not from the arm."
        )
    return text


def _differs(pair: tuple[Record, Record], name: str) -> bool:
    """Return True if both records name the fact, with other values."""
    first, second = (run.environment.get(name) for run in pair)
    return first is not None and second is not None and first != second
