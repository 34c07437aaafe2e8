"""Defines what the statistics return. Differences are arm minus baseline, in the metric's own units."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Interval = tuple[float, float]
Shown = Literal["difference", "equivalence"]


class Verdict(StrEnum):
    """Names what can be said of an arm beside the baseline."""

    BASELINE = "baseline"
    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


class Reason(StrEnum):
    """Why an arm has its verdict."""

    IS_BASELINE = "is_baseline"
    INTERVAL_EXCLUDES_ZERO = "interval_excludes_zero"
    WITHIN_MARGIN = "within_margin"
    INTERVAL_TOO_WIDE = "interval_too_wide"
    """Neither a difference nor equivalence is shown: more seeds may decide."""
    NO_BASELINE = "no_baseline"
    """The setting has no arm of the baseline's name, or the baseline has no completed run."""
    NO_RUNS = "no_runs"
    """The arm has no completed run with a score, and none diverged."""
    ALL_DIVERGED = "all_diverged"
    """The arm has no completed run; at least one diverged."""
    TOO_FEW_PAIRS = "too_few_pairs"
    """Fewer than two seeds are shared with the baseline."""
    ZERO_VARIANCE = "zero_variance"
    """The differences hardly vary over the seeds and no per-example outcomes are there: no interval can be trusted."""
    DIVERGENCE = "divergence"
    """The intervals would decide, but the divergence rates differ by more than one run."""


@dataclass(frozen=True)
class Rate:
    """A share of runs with its exact (Clopper-Pearson) interval."""

    count: int
    total: int
    rate: float | None
    interval: Interval | None


@dataclass(frozen=True)
class PairedLine:
    """A paired difference with its single t interval, for a line beside the main one."""

    pairs: int
    difference: float
    interval: Interval | None


@dataclass(frozen=True)
class Moderated:
    """A moderated t: the difference's interval with variances shrunk across the arms. Shown at 2 to 5 pairs.

    `p_adjusted` is Holm's over the arms. `freedom` are the degrees of freedom, `prior_freedom` those that the other
    arms lend.
    """

    standard_error: float
    freedom: float
    prior_freedom: float
    interval: Interval
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class ArmComparison:
    """One arm beside the baseline in one setting. None where a value is not defined.

    Attributes:
        n: completed runs with a score. `unscored`, `failed`, `missing` and `diverged.count` are the others.
        pairs: seeds that the arm and the baseline share.
        mean, sd: over all n runs.
        mean_of_pairs, baseline_mean_of_pairs: over the shared seeds; they differ from the means with unequal seeds.
        difference: the mean paired difference, among the runs that trained.
        deviation, deviation_interval: the standard deviation of the paired differences, with its chi-square interval.
        standard_error: what the intervals use; over the seeds, or over seeds and examples where `basis` is "examples".
        interval: simultaneous over the arms of the setting.
        interval_single: paired t.
        interval_new_images: for new test images too, from the per-example outcomes.
        basis: "seeds", or "examples" where the seeds' variance is (nearly) zero and the examples replace it.
        p: paired t, two-sided. `p_adjusted`: Holm's.
        p_permutation: joint step-down sign-flip test, adjusted for the arms; it cannot be below `permutation_floor`
            (2 / 2^pairs). Do not call it significant where `permutation_can_reject` is False.
        p_equivalence: TOST within the margin. `p_equivalence_adjusted`: Holm's.
        e_value: evidence against a difference of 0 by the t e-process; at least 1/alpha rejects at any time.
        within_margin: True if equivalence within the margin is shown, whatever the verdict.
        probability_of_improvement: the chance that a run of the arm beats a run of the baseline (ties count half).
        seeds_needed: paired seeds that would decide with 80 % power if the difference seen is the true one; None where
            decided or not computable; `seeds_needed_range` from the ends of the deviation's interval. MAX_SEEDS means
            that many or more.
        seeds_show: what they would show, "difference" or "equivalence"; None where it depends on the deviation.
        correlation: of the two arms' scores over the shared seeds.
        pairing_gain: unpaired seeds that one paired seed replaces (ratio of the variances).
        detectable: the least true difference that these pairs show with 80 % power in `interval`.
        detectable_range: the same from the ends of the deviation's interval.
        seeds_for_half: paired seeds that show half of `detectable` with the same power; MAX_SEEDS means that or more.
        headroom: how much the baseline can gain at most; None without a best score.
        diverged: rate of diverged runs with its exact interval.
        worst_case: the paired difference where each diverged run counts as the worst score; None where none diverged.
    """

    arm: str
    n: int
    verdict: Verdict
    reason: Reason
    diverged: Rate
    pairs: int = 0
    mean: float | None = None
    sd: float | None = None
    mean_of_pairs: float | None = None
    baseline_mean_of_pairs: float | None = None
    difference: float | None = None
    deviation: float | None = None
    deviation_interval: Interval | None = None
    standard_error: float | None = None
    interval: Interval | None = None
    interval_single: Interval | None = None
    interval_new_images: Interval | None = None
    basis: Literal["seeds", "examples"] = "seeds"
    moderated: Moderated | None = None
    p: float | None = None
    p_adjusted: float | None = None
    p_permutation: float | None = None
    permutation_floor: float | None = None
    permutation_can_reject: bool = False
    p_equivalence: float | None = None
    p_equivalence_adjusted: float | None = None
    e_value: float | None = None
    within_margin: bool = False
    probability_of_improvement: float | None = None
    seeds_needed: int | None = None
    seeds_needed_range: tuple[int, int] | None = None
    seeds_show: Shown | None = None
    correlation: float | None = None
    pairing_gain: float | None = None
    detectable: float | None = None
    detectable_range: Interval | None = None
    seeds_for_half: int | None = None
    headroom: float | None = None
    worst_case: PairedLine | None = None
    unscored: int = 0
    failed: int = 0
    missing: int = 0


@dataclass(frozen=True)
class SettingComparison:
    """All arms of one setting beside the baseline.

    Attributes:
        confidence: of `interval_single` and `interval_new_images`.
        family_confidence: of the simultaneous intervals: `confidence`, or 1 - what the current look may spend.
        comparison_confidence: that of each arm's own interval which makes all of them hold together.
        method: "max_t" (one analysis), "look" (a declared look) or "e_process" (an undeclared addition of seeds).
        looks_spent: the numbers of seeds of the declared looks that are over, the current one last.
        arms: in the order given; the baseline has the verdict `baseline`.
        ranks: arm -> (best, worst) possible rank, simultaneously at `family_confidence`, from all pairs of arms.
    """

    setting: str
    baseline: str
    margin: float
    confidence: float
    family_confidence: float
    comparison_confidence: float | None
    method: Literal["max_t", "look", "e_process"]
    looks_spent: tuple[int, ...]
    higher_is_better: bool
    arms: tuple[ArmComparison, ...]
    ranks: Mapping[str, tuple[int, int]]

    def __getitem__(self, arm: str) -> ArmComparison:
        """Return the comparison of the arm of that name."""
        return next(one for one in self.arms if one.arm == arm)


@dataclass(frozen=True)
class OverallArm:
    """One arm over all settings, by random effects.

    Attributes:
        settings: how many settings have a difference with a standard error.
        difference, interval, p: the mean effect over settings (REML, Hartung-Knapp); None where `refused` says why.
        prediction: where the difference in a new setting would lie.
        tau: the standard deviation of the true differences between settings. `i2`: share of variance that tau makes.
        p_adjusted: Holm's over the arms.
        better, worse, equivalent, undecided: in how many settings the arm has that verdict.
        refused: why there is no pooled effect, or None.
    """

    arm: str
    settings: int
    better: int
    worse: int
    equivalent: int
    undecided: int
    difference: float | None = None
    interval: Interval | None = None
    prediction: Interval | None = None
    p: float | None = None
    p_adjusted: float | None = None
    tau: float | None = None
    i2: float | None = None
    refused: str | None = None


@dataclass(frozen=True)
class CriticalDifference:
    """Mean ranks over settings, and the groups of arms that the data do not tell apart.

    Attributes:
        mean_ranks: arm -> mean rank (1 is best).
        p_friedman: Friedman's test that all arms rank alike; None with two arms.
        p_pairs: (arm, arm) -> p of Wilcoxon's signed-rank test, Holm-adjusted over the pairs.
        groups: arms next to each other in rank order of which no two are told apart.
    """

    settings: int
    mean_ranks: Mapping[str, float]
    p_friedman: float | None
    p_pairs: Mapping[tuple[str, str], float]
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class OverallComparison:
    """All arms over all settings. `critical_difference` is None below 12 settings; `refused` then says why."""

    baseline: str
    settings: tuple[str, ...]
    confidence: float
    arms: tuple[OverallArm, ...]
    ranks: Mapping[str, Mapping[str, tuple[int, int]]]
    critical_difference: CriticalDifference | None
    refused: str | None
