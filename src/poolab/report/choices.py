"""Chooses what the caller does not name: the metric of the task, and the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from poolab.errors import ConfigError, nearest
from poolab.records import current_metric
from poolab.report.evidence import Evidence

BASELINE = "max"


def metric_of(evidence: Evidence, asked: str | None) -> str:
    """Return the name of the metric that is asked for, or the headline of the runs' task.

    Raises:
        ConfigError: no run is completed, no record has the metric, or the runs are of several tasks.
    """
    runs = [run for run in evidence.runs if run.completed]
    if not runs:
        counts = Counter(one.run.status for one in evidence.left_out)
        found = ", ".join(f"{number} {status}" for status, number in counts.items()) or "there are none"
        raise ConfigError(f"no run is completed ({found}): there is nothing to compare yet")
    if asked is None:
        tasks = sorted({run.headline for run in runs})
        if len(tasks) > 1:
            raise ConfigError(f"the runs are of several tasks: choose one with --metric {' or --metric '.join(tasks)}")
        return tasks[0]
    asked = current_metric(asked)
    known = sorted({name for run in runs for name in run.metrics})
    if asked not in known:
        raise ConfigError(f"--metric {asked}: no record has it; {nearest(asked, known)}the records have {_some(known)}")
    return asked


def _some(names: Sequence[str]) -> str:
    kept = [name for name in names if "/class_" not in name]
    return ", ".join(kept)


def baseline_of(evidence: Evidence, asked: str | None) -> str:
    """Return the label of the baseline: what is asked for, or max where there is one, or else the first arm.

    Raises:
        ConfigError: there is no such arm.
    """
    labels = evidence.arms
    if asked is None:
        return _of_pooling(BASELINE, evidence) or labels[0]
    found = asked if asked in labels else _of_pooling(asked, evidence)
    if found is None:
        raise ConfigError(
            f"--baseline {asked}: there is no such arm; {nearest(asked, labels)}the arms are {'; '.join(labels)}"
        )
    return found


def _of_pooling(name: str, evidence: Evidence) -> str | None:
    """Return the label of the only arm with that pooling, or the plainest of several."""
    arms = [arm for setting in evidence.settings for arm in setting.arms if arm.settings.get("pooling.name") == name]
    labels = sorted({arm.label for arm in arms}, key=lambda label: (label != name, len(label), label))
    return labels[0] if labels else None
