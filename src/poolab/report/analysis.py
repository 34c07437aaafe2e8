"""Joins the evidence with the statistics: for each setting a table of arms beside the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from poolab.errors import ConfigError, nearest
from poolab.records import Record, content_of, current_metric
from poolab.report.costs import Spread, is_comparable, spreads
from poolab.report.details import correct_of
from poolab.report.evidence import Arm, Evidence, Setting
from poolab.report.looks import Look, added_after, rule
from poolab.report.metric import Metric
from poolab.report.statistics import (
    ArmComparison,
    ArmScores,
    Looks,
    OverallComparison,
    SettingComparison,
    compare_overall,
    compare_setting,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BASELINE = "max"
NO_MARGIN = 1e-12  # nothing is equivalent within it


@dataclass(frozen=True)
class Row:
    """One arm of a table: its runs, its comparison with the baseline, its costs, and its mean validation score."""

    arm: Arm
    compared: ArmComparison
    costs: Mapping[str, Spread]
    validation: float | None = None

    @property
    def label(self) -> str:
        """The arm's name."""
        return self.arm.label

    @property
    def is_baseline(self) -> bool:
        """True for the arm that the others are compared with."""
        return self.compared.verdict == "baseline"


@dataclass(frozen=True)
class Table:
    """The arms of one setting, the baseline first, then in the order of their scores.

    The order is that of the validation scores where every run has one: the best of ten equal arms leads by luck, and
    its test score must not be what it was chosen by. `ranked_by` says which scores it is.
    """

    setting: Setting
    compared: SettingComparison
    rows: tuple[Row, ...]
    comparable_costs: bool
    ranked_by: Literal["validation", "test"] = "test"

    @property
    def label(self) -> str:
        """The setting's name."""
        return self.setting.label

    @property
    def baseline(self) -> Row | None:
        """The row of the baseline, or None where this setting has no run of it."""
        return next((row for row in self.rows if row.is_baseline and row.compared.n), None)

    @property
    def others(self) -> list[Row]:
        """All rows but the baseline's."""
        return [row for row in self.rows if not row.is_baseline]


@dataclass(frozen=True)
class Analysis:
    """The whole answer, before it is written down."""

    evidence: Evidence
    metric: Metric
    baseline: str
    margin: float
    confidence: float
    tables: tuple[Table, ...]
    overall: OverallComparison | None
    looks: Looks | None = None

    @property
    def added(self) -> Look | None:
        """The look after which seeds were added without looks being declared."""
        return added_after(self.evidence.looked or (), self.evidence.planned) if self.looks is None else None


def analyse(
    evidence: Evidence,
    *,
    baseline: str | None = None,
    metric: str | None = None,
    margin: float | None = None,
    confidence: float = 0.95,
    looks: Looks | None = None,
) -> Analysis:
    """Compare the arms of every setting with the baseline.

    Where seeds were added after a look at the whole study and no looks were declared, the intervals are those of an
    e-process.

    Args:
        baseline: the label of an arm, or a pooling. None takes max where there is one, else the first arm.
        metric: the name of a metric of the records; None takes the headline of the task.
        margin: differences below it do not matter, in the metric's own unit. None takes half a point for a share.
        confidence: of the intervals.
        looks: when the results were to be looked at, as declared; None where nothing was.

    Raises:
        ConfigError: there is no such arm or metric, or a number is out of its range.
    """
    chosen = Metric(_metric(evidence, metric))
    if margin is not None and not 0 < margin < float("inf"):
        raise ConfigError(f"the margin must be a number above 0, found {margin}")
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"the confidence must be at least 0.5 and below 1, found {confidence}")
    against = _baseline(evidence, baseline)
    width = margin if margin is not None else chosen.default_margin or 0.0
    counted = rule(looks, evidence.looked, evidence.planned)
    tables = tuple(_table(one, against, chosen, width, confidence, counted) for one in evidence.settings)
    compared = [table.compared for table in tables if table.baseline is not None]
    overall = compare_overall(compared) if len(compared) > 1 else None
    return Analysis(evidence, chosen, against, width, confidence, tables, overall, looks)


def _metric(evidence: Evidence, asked: str | None) -> str:
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


def _baseline(evidence: Evidence, asked: str | None) -> str:
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


def _table(
    setting: Setting,
    baseline: str,
    metric: Metric,
    margin: float,
    confidence: float,
    looks: Looks | None,
) -> Table:
    compared = compare_setting(
        _scores(setting, metric, pairs_of(setting)),
        baseline,
        setting=setting.label,
        margin=margin or NO_MARGIN,
        confidence=confidence,
        looks=looks,
        higher_is_better=metric.higher_is_better,
        best=1.0 if metric.is_share else None,
    )
    rows = [Row(arm, compared[arm.label], spreads(arm), _validation(arm, metric)) for arm in setting.arms]
    by_validation = all(row.validation is not None for row in rows if row.arm.runs)
    sign = -1 if metric.higher_is_better else 1

    def place(row: Row) -> tuple[bool, bool, float]:
        score = row.validation if by_validation else row.compared.mean
        return not row.is_baseline, score is None, sign * (score or 0.0)

    ranked_by: Literal["validation", "test"] = "validation" if by_validation else "test"
    return Table(setting, compared, tuple(sorted(rows, key=place)), is_comparable(setting.runs), ranked_by)


def _validation(arm: Arm, metric: Metric) -> float | None:
    """Return the mean validation score of an arm's runs, or None where one of them has none."""
    scores = [run.value(metric.validation) for run in arm.runs] if metric.validation else []
    found = [score for score in scores if score is not None]
    return sum(found) / len(found) if found and len(found) == len(scores) else None


Pair = Callable[[Record], int]


def pairs_of(setting: Setting) -> Pair:
    """Return what gives the number of a run's pair: its seed, told apart by the run that it goes on from.

    Fine-tuned runs of one seed are a pair only if they go on from the same run.
    """
    runs = [run for arm in setting.arms for run in (*arm.runs, *arm.diverged)]
    sources: dict[int, list[str]] = {}
    for run in sorted(runs, key=_source):
        known = sources.setdefault(run.seed, [])
        if _source(run) not in known:
            known.append(_source(run))
    beyond = max((abs(seed) for seed in sources), default=0) + 1

    def pair(run: Record) -> int:
        return run.seed + 2 * beyond * sources[run.seed].index(_source(run))

    return pair


def _source(run: Record) -> str:
    """Return what stands for the run that a run goes on from; empty where it goes on from none."""
    return content_of(run).source or ""


def _scores(setting: Setting, metric: Metric, pair: Pair) -> list[ArmScores]:
    """Return what the statistics read: every arm's scores, with the outcome of each test image where all runs fit."""
    outcomes = _outcomes(setting) if metric.name == "test/accuracy" else {}
    sizes = {run.value("test/samples") for run in setting.runs if run.completed}
    examples = sizes.pop() if len(sizes) == 1 and metric.name == "test/accuracy" else None
    return [
        ArmScores(
            name=arm.label,
            scores={pair(run): run.value(metric.name) for run in arm.runs},
            diverged=tuple(pair(run) for run in arm.diverged),
            failed=len(arm.failed),
            missing=len(arm.missing) + len(arm.stopped),
            correct={pair(run): outcomes[run.signature] for run in arm.runs if run.signature in outcomes} or None,
            examples=None if examples is None else int(examples),
        )
        for arm in setting.arms
    ]


ROUNDING = 5e-5  # a share of correct images and the accuracy in a record differ by less


def _outcomes(setting: Setting) -> dict[str, NDArray[np.bool_]]:
    """Return which test images each run classified correctly, by signature.

    A run whose outcomes are not those that its record tells of has none here. Where the runs have test sets of several
    sizes there are none at all.
    """
    found = {}
    for run in setting.runs:
        correct, accuracy = correct_of(run), run.value("test/accuracy")
        size = run.value("test/samples")
        if correct is None or accuracy is None or len(correct) == 0 or size not in (None, len(correct)):
            continue
        if abs(float(correct.mean()) - accuracy) < ROUNDING:
            found[run.signature] = correct
    return found if len({len(one) for one in found.values()}) == 1 else {}
