"""The form of result.json, which every run writes, also one that failed."""

import math

SCHEMA_VERSION = 2
STATUSES = ("completed", "diverged", "failed", "interrupted")
# A finished signature is not run again unless asked: to diverge is a result, to fail or to be interrupted is none.
FINISHED = ("completed", "diverged")
# The figure of a task's runs that a person looks for first; with "val/" or "test/" before it, its name in the metrics.
HEADLINES = {"classification": "accuracy", "segmentation": "mean_iou"}


def finite(value: float) -> float | None:
    """Return the value, or None if JSON has no number for it.

    >>> finite(0.5), finite(float("nan"))
    (0.5, None)
    """
    return value if math.isfinite(value) else None
