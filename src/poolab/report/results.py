"""results.json: the answer for other programs. docs/report.md describes the schema."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Any

from poolab.report.analysis import Analysis, Row, Table
from poolab.report.provenance import facts, hours

SCHEMA = 1
# What a row takes from the comparison under the same name.
COMPARED = (
    "pairs",
    "mean",
    "sd",
    "mean_of_pairs",
    "baseline_mean_of_pairs",
    "difference",
    "deviation",
    "deviation_interval",
    "interval",
    "interval_single",
    "interval_new_images",
    "basis",
    "p",
    "p_adjusted",
    "p_permutation",
    "permutation_floor",
    "permutation_can_reject",
    "p_equivalence",
    "e_value",
    "verdict",
    "reason",
    "probability_of_improvement",
    "seeds_needed",
    "seeds_needed_range",
    "correlation",
    "pairing_gain",
    "detectable",
    "seeds_for_half",
    "headroom",
    "moderated",
    "worst_case",
)


def results(analysis: Analysis) -> dict[str, Any]:
    """Return the content of results.json; differences are in the metric's own units."""
    return {
        "schema": SCHEMA,
        "metric": analysis.metric.name,
        "baseline": analysis.baseline,
        "margin": analysis.margin or None,
        "confidence": analysis.confidence,
        "stopping": _stopping(analysis),
        "searched": analysis.evidence.searched,
        "settings": [_setting(table) for table in analysis.tables],
        "overall": _plain(analysis.overall.arms) if analysis.overall is not None else [],
        "provenance": {fact.name: dict(fact.values) for fact in facts(analysis.evidence)},
        "hours": round(hours(analysis.evidence.runs), 4),
        "left_out": [
            {
                "signature": one.run.signature,
                "arm": one.arm,
                "setting": one.setting,
                "seed": one.run.seed,
                "reason": one.reason,
            }
            for one in analysis.evidence.left_out
        ],
        "faults": [*analysis.evidence.faults, *map(str, analysis.evidence.doubled)],
    }


def _stopping(analysis: Analysis) -> dict[str, Any]:
    """Return how looks were counted, and how many the journal shows at each number of seeds."""
    looked, declared = analysis.evidence.looked, analysis.looks
    rule = "added" if analysis.added else "fixed" if declared is None else "declared" if declared.declared else "added"
    counts = None if looked is None else sorted(Counter(look.seeds for look in looked).items())
    return {
        "rule": rule,
        "declared": None if declared is None else list(declared.declared),
        "seen": None if counts is None else [{"seeds": seeds, "times": times} for seeds, times in counts],
    }


def _setting(table: Table) -> dict[str, Any]:
    compared = table.compared
    return {
        "label": table.label,
        "setting": dict(table.setting.facts),
        "family_confidence": compared.family_confidence,
        "method": compared.method,
        "looks": list(compared.looks_spent),
        "costs_comparable": table.comparable_costs,
        "ranked_by": table.ranked_by,
        "arms": [_arm(row) for row in table.rows],
    }


def _arm(row: Row) -> dict[str, Any]:
    compared = row.compared
    return {
        "arm": row.label,
        "n": compared.n,
        "validation_mean": row.validation,
        **{name: _plain(getattr(compared, name)) for name in COMPARED},
        "diverged": compared.diverged.count,
        "diverged_interval": _plain(compared.diverged.interval),
        "failed": compared.failed,
        "missing": len(row.arm.missing),
        "stopped": len(row.arm.stopped),
        "unscored": compared.unscored,
        "seeds": [run.seed for run in row.arm.runs],
        "signatures": [run.signature for run in row.arm.runs],
        "costs": {name: asdict(spread) for name, spread in row.costs.items()},
        "settings": dict(row.arm.settings),
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no enums, no tuples, no numbers that JSON lacks."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
