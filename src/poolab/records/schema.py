"""The form of result.json: what every run leaves behind, whatever became of it."""

import math
from collections.abc import Mapping
from typing import Any

SCHEMA_VERSION = 1
STATUSES = ("completed", "diverged", "failed", "interrupted")
# A finished signature is not run again unless asked: to diverge is a result, to fail or to be interrupted is none.
FINISHED = ("completed", "diverged")
# The figure of a task's runs that a person looks for first; with "val/" or "test/" before it, its name in the metrics.
HEADLINES = {"classification": "accuracy", "segmentation": "mean_iou"}


def result_record(
    *,
    signature: str,
    status: str,
    config: Mapping[str, Any],
    metrics: Mapping[str, float],
    environment: Mapping[str, Any],
    started: str,
    ended: str,
    notes: Mapping[str, str] | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """The content of result.json.

    Args:
        status: one of STATUSES.
        metrics: flat names to numbers; what is not finite is stored as null, since JSON has no NaN.
        started, ended: ISO 8601 with the time zone.
        notes: what a metric's figure is, where its name does not say it.
        reason: why the run is not completed.

    Raises:
        ValueError: an unknown status, or an incomplete run without its reason.
    """
    if status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}, found {status!r}")
    if status != "completed" and not reason:
        raise ValueError(f"a run that is {status} needs its reason")
    return {
        "schema_version": SCHEMA_VERSION,
        "signature": signature,
        "status": status,
        "reason": reason,
        "seed": config["seed"],
        "config": config,
        "metrics": {name: finite(value) for name, value in sorted(metrics.items())},
        "notes": dict(notes or {}),
        "environment": environment,
        "started": started,
        "ended": ended,
    }


def finite(value: float) -> float | None:
    """The value, or None where JSON has no number for it.

    >>> finite(0.5), finite(float("nan"))
    (0.5, None)
    """
    return value if math.isfinite(value) else None
