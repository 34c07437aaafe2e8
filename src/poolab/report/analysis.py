"""Joins the evidence with the statistics: for each setting a table of arms beside the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from poolab.errors import ConfigError
from poolab.report.choices import baseline_of, metric_of
from poolab.report.costs import Spread, is_comparable, spreads
from poolab.report.evidence import Arm, Evidence, Setting
from poolab.report.forked import cores, shared_out
from poolab.report.looks import Look, added_after, rule
from poolab.report.metric import Metric
from poolab.report.scores import pairs_of, scores_of
from poolab.report.statistics import (
    ArmComparison,
    Looks,
    OverallComparison,
    SettingComparison,
    compare_overall,
    compare_setting,
)

NO_MARGIN = 1e-12  # nothing is equivalent within it
LEAST_RUNS = 1000  # whose comparison is worth a process of its own


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
    chosen = Metric(metric_of(evidence, metric))
    if margin is not None and not 0 < margin < float("inf"):
        raise ConfigError(f"the margin must be a number above 0, found {margin}")
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"the confidence must be at least 0.5 and below 1, found {confidence}")
    against = baseline_of(evidence, baseline)
    width = margin if margin is not None else chosen.default_margin or 0.0
    counted = rule(looks, evidence.looked, evidence.planned)
    compare = partial(_compared, baseline=against, metric=chosen, margin=width, confidence=confidence, looks=counted)
    runs = sum(len(one.runs) for one in evidence.settings)
    found = shared_out(compare, evidence.settings, min(cores(), runs // LEAST_RUNS))
    tables = tuple(_table(one, made, chosen) for one, made in zip(evidence.settings, found, strict=True))
    compared = [table.compared for table in tables if table.baseline is not None]
    overall = compare_overall(compared) if len(compared) > 1 else None
    return Analysis(evidence, chosen, against, width, confidence, tables, overall, looks)


def _compared(
    setting: Setting, baseline: str, metric: Metric, margin: float, confidence: float, looks: Looks | None
) -> SettingComparison:
    return compare_setting(
        scores_of(setting, metric, pairs_of(setting)),
        baseline,
        setting=setting.label,
        margin=margin or NO_MARGIN,
        confidence=confidence,
        looks=looks,
        higher_is_better=metric.higher_is_better,
        best=1.0 if metric.is_share else None,
    )


def _table(setting: Setting, compared: SettingComparison, metric: Metric) -> Table:
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
