"""The sources of the numbers (code, machines, budget), and the remarks that a reviewer would make."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from poolab.records import Record
from poolab.report.details import history_of
from poolab.report.evidence import Arm, Evidence, Setting
from poolab.report.rounding import rounding_remarks
from poolab.report.tuning import tuned_remark

FEWEST_PAIRS = 6  # below it a sign-flip test over seeds cannot reach 0.05
SEVERAL = 4  # settings from which a statement over settings is possible
# A run still improves if its validation score rose by more than this over the last tenth of its epochs.
STILL_RISING = 0.002


@dataclass(frozen=True)
class Fact:
    """One line of the provenance: a name, and the values that were found with the number of runs of each."""

    name: str
    values: Mapping[str, int]

    def __str__(self) -> str:
        """Return the values; with the number of runs where there are several."""
        if len(self.values) == 1:
            return next(iter(self.values))
        return ", ".join(f"{value} ({count} runs)" for value, count in self.values.items())


def facts(evidence: Evidence) -> list[Fact]:
    """Return commit, versions, processors, devices and threads of all runs that are compared."""
    runs = evidence.runs
    packages = [_versions(run) for run in runs]
    found = [
        ("commit", [_commit(run) for run in runs]),
        ("Python", [str(run.environment.get("python", "unknown")) for run in runs]),
        *((name, [_version(one, name) for one in packages]) for name in _names_in(packages)),
        ("platform", [str(run.environment.get("platform", "unknown")) for run in runs]),
        ("processor", [str(run.environment.get("processor", "unknown")) for run in runs]),
        ("device", [str(run.environment.get("device", "unknown")) for run in runs]),
        ("threads", [str(run.environment.get("threads", "unknown")) for run in runs]),
        ("precision", [str(run.settings.get("trainer.precision", "unknown")) for run in runs]),
    ]
    return [Fact(name, dict(Counter(values).most_common())) for name, values in found if values]


def _commit(run: Record) -> str:
    commit, dirty = run.environment.get("commit"), run.environment.get("dirty")
    if not commit:
        return f"installed package, version {_version(_versions(run), 'poolab')}"
    return f"{str(commit)[:12]}{' with uncommitted changes' if dirty else ''}"


def _names_in(packages: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in packages for name in one))


def _versions(run: Record) -> Mapping[str, Any]:
    packages = run.environment.get("packages")
    return packages if isinstance(packages, Mapping) else {}


def _version(packages: Mapping[str, Any], name: str) -> str:
    return str(packages.get(name, "unknown"))


def hours(runs: Iterable[Record]) -> float:
    """Return the sum of the runs' durations in hours; a run whose times cannot be read counts nothing."""
    return sum(_seconds(run) for run in runs) / 3600


def _seconds(run: Record) -> float:
    try:
        took = (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return max(took, 0.0)


def remarks(evidence: Evidence, metric: str, selected_by: str | None = None, baseline: str = "") -> list[str]:
    """Return the remarks that a reviewer would make, each a sentence or two.

    Args:
        baseline: the label of the arm that the others are compared with.
        metric: the metric that the arms are compared by.
        selected_by: the metric that a study or search selects by, where one is known.
    """
    found = [
        *_mixed(evidence),
        *(remark for setting in evidence.settings for remark in rounding_remarks(setting, baseline)),
        _settings_remark(evidence.settings),
        *(_pairs_remark(setting) for setting in evidence.settings),
        *(_size_remark(setting) for setting in evidence.settings),
        *(_convergence_remark(setting) for setting in evidence.settings),
        _selection_remark(metric, selected_by),
        tuned_remark(evidence),
        _failures_remark(evidence),
    ]
    return [remark for remark in found if remark]


def _mixed(evidence: Evidence) -> list[str]:
    by_name = {fact.name: fact for fact in facts(evidence)}
    sentences = []
    for name in (
        "commit",
        *(n for n in by_name if n in ("poolab", "torch", "torchvision")),
        "processor",
        "device",
        "threads",
    ):
        fact = by_name.get(name)
        if fact is not None and len(fact.values) > 1:
            sentences.append(f"The runs differ in {name}: {fact}. Arms may differ for this reason too.")
    commits = by_name.get("commit")
    if commits is not None and any("uncommitted" in value for value in commits.values):
        sentences.append("Some runs were made from a checkout with uncommitted changes: their code cannot be named.")
    return sentences


def _settings_remark(settings: Sequence[Setting]) -> str | None:
    if len(settings) >= SEVERAL:
        return None
    what = "one data set and network" if len(settings) == 1 else f"{len(settings)} data sets and networks"
    return f"The runs cover {what}: nothing is said of others."


def _pairs_remark(setting: Setting) -> str | None:
    few = [arm for arm in setting.arms if 0 < len(arm.runs) < FEWEST_PAIRS]
    if not few:
        return None
    most = max(len(arm.runs) for arm in few)
    who = "all arms have" if len(few) == len(setting.arms) else f"{_names(few)} {'has' if len(few) == 1 else 'have'}"
    return f"{setting.label}: {who} {most} seeds or fewer; a test over signs needs {FEWEST_PAIRS} pairs to reach 0.05."


def _size_remark(setting: Setting) -> str | None:
    sizes = {
        arm.label: statistics.median(arm.values("cost/parameters"))
        for arm in setting.arms
        if arm.values("cost/parameters")
    }
    if len(set(sizes.values())) < 2:
        return None
    common = Counter(sizes.values()).most_common(1)[0][0]
    others = [f"{label} {size:,.0f}" for label, size in sizes.items() if size != common]
    return f"{setting.label}: the networks differ in size. Most have {common:,.0f} parameters, but {', '.join(others)}."


def _convergence_remark(setting: Setting) -> str | None:
    known = {arm.label: _rise(arm) for arm in setting.arms}
    rises = {label: rise for label, rise in known.items() if rise is not None}
    rising = [arm for arm in setting.arms if arm.label in rises and rises[arm.label][0] > STILL_RISING]
    if not rising:
        return None
    most = max(rise for rise, _ in rises.values())
    when = "in the last epoch" if all(last == 1 for _, last in rises.values()) else "over the last tenth of the epochs"
    who = "all arms" if len(rising) == len(setting.arms) else _names(rising)
    return (
        f"{setting.label}: the training has not converged in {who}: the validation score still rose by up to "
        f"{100 * most:.1f} points {when}."
    )


def _rise(arm: Arm) -> tuple[float, int] | None:
    """Return the mean rise of the validation score over the last tenth of the epochs, and how many these are."""
    rises, last = [], 1
    for run in arm.runs:
        history = history_of(run)
        scores = next((history[name] for name in ("val/accuracy", "val/mean_iou") if name in history), [])
        known = [value for value in scores if value is not None]
        if len(known) > 1:
            tenth = max(1, len(known) // 10)
            rises.append(known[-1] - known[-1 - tenth])
            last = max(last, tenth)
    return (statistics.mean(rises), last) if rises else None


def _selection_remark(metric: str, selected_by: str | None) -> str | None:
    if selected_by is None or not selected_by.startswith("test/"):
        return None
    return f"Runs were selected by {selected_by}, a figure of the test set: the figures of {metric} are too good."


def _failures_remark(evidence: Evidence) -> str | None:
    counts = Counter(run.run.status for run in evidence.left_out if run.run.status != "completed")
    if not counts:
        return None
    return f"Not every run ended well: {', '.join(f'{number} {status}' for status, number in counts.items())}."


def _names(arms: Sequence[Arm]) -> str:
    labels = [arm.label for arm in arms]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
