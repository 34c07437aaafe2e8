"""Compare the arms over several settings (data sets x backbones)."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np

from poolab.errors import ConfigError
from poolab.report.statistics.meta import random_effects
from poolab.report.statistics.paired import holm
from poolab.report.statistics.results import (
    ArmComparison,
    CriticalDifference,
    OverallArm,
    OverallComparison,
    SettingComparison,
    Verdict,
)

LEAST_SETTINGS = 4
LEAST_SETTINGS_FOR_RANKS = 12


class _Counts(TypedDict):
    better: int
    worse: int
    equivalent: int
    undecided: int


def compare_overall(settings: Sequence[SettingComparison]) -> OverallComparison:
    """Compare each arm with the baseline over all settings: its mean effect, and where a new setting would lie.

    The settings are taken as a sample of the settings one could have. A mean effect is refused below 4 settings, mean
    ranks with a critical difference below 12.

    Args:
        settings: results of `compare_setting`, of one baseline, confidence and direction.

    Raises:
        ConfigError: no setting, or settings of different baselines, confidences or directions.

    >>> from poolab.report.statistics import ArmScores, compare_setting
    >>> one = compare_setting([ArmScores("max", {0: 0.9, 1: 0.8}), ArmScores("avg", {0: 0.7, 1: 0.7})], "max",
    ...                       margin=0.005, setting="cifar10, resnet")
    >>> [arm] = compare_overall([one]).arms
    >>> arm.undecided, arm.refused
    (1, 'a mean over settings needs at least 4, and there is 1')
    """
    _check(settings)
    first = settings[0]
    names = dict.fromkeys(arm.arm for setting in settings for arm in setting.arms if arm.arm != first.baseline)
    arms = [_arm(name, settings) for name in names]
    adjusted = iter(holm([arm.p for arm in arms if arm.p is not None]))
    critical, refused = critical_difference(settings)
    return OverallComparison(
        baseline=first.baseline,
        settings=tuple(setting.setting for setting in settings),
        confidence=first.confidence,
        arms=tuple(arm if arm.p is None else replace(arm, p_adjusted=next(adjusted)) for arm in arms),
        ranks={setting.setting: setting.ranks for setting in settings},
        critical_difference=critical,
        refused=refused,
    )


def _check(settings: Sequence[SettingComparison]) -> None:
    if not settings:
        raise ConfigError("no setting to compare; give the results of compare_setting, one a setting")
    for name in ("baseline", "confidence", "higher_is_better"):
        found = dict.fromkeys(getattr(setting, name) for setting in settings)
        if len(found) > 1:
            values = ", ".join(map(str, found))
            raise ConfigError(f"the settings have different values of {name}: {values}; compare all with one")


def _arm(name: str, settings: Sequence[SettingComparison]) -> OverallArm:
    """Return one arm's mean effect, or why there is none."""
    lines = [arm for setting in settings for arm in setting.arms if arm.arm == name]
    usable = [line for line in lines if line.difference is not None and line.standard_error]
    verdicts = [line.verdict for line in lines]
    counts: _Counts = {
        "better": verdicts.count(Verdict.BETTER),
        "worse": verdicts.count(Verdict.WORSE),
        "equivalent": verdicts.count(Verdict.EQUIVALENT),
        "undecided": verdicts.count(Verdict.UNDECIDED),
    }
    if len(usable) < LEAST_SETTINGS:
        are = "is" if len(usable) == 1 else "are"
        refused = f"a mean over settings needs at least {LEAST_SETTINGS}, and there {are} {len(usable)}"
        return OverallArm(arm=name, settings=len(usable), refused=refused, **counts)
    return _pooled(name, usable, 1 - settings[0].confidence, counts)


def _pooled(name: str, usable: Sequence[ArmComparison], alpha: float, counts: _Counts) -> OverallArm:
    found = random_effects([line.difference or 0.0 for line in usable], [line.standard_error or 0.0 for line in usable])
    return OverallArm(
        arm=name,
        settings=len(usable),
        difference=found.estimate.difference,
        interval=found.estimate.interval(alpha),
        prediction=found.prediction(alpha),
        p=found.estimate.p,
        tau=found.tau,
        i2=found.i2,
        **counts,
    )


def critical_difference(settings: Sequence[SettingComparison]) -> tuple[CriticalDifference | None, str | None]:
    """Return mean ranks over settings with the groups of arms not told apart, or None and the reason.

    Arms are ranked by their means within each setting in which all have one. Pairs are compared by Wilcoxon's
    signed-rank test over the settings with Holm's correction (Benavoli, Corani and Mangili 2016, JMLR 17(5), against
    Nemenyi's test, whose answer for two arms depends on the others). Never over seeds: seeds of one setting are no
    sample of settings.

    >>> critical_difference([])
    (None, '0 settings in which every arm has a mean; mean ranks with a critical difference need at least 12')
    """
    means = [{arm.arm: arm.mean for arm in setting.arms if arm.mean is not None} for setting in settings]
    names = list(dict.fromkeys(arm.arm for setting in settings for arm in setting.arms))
    complete = np.array([[one[name] for name in names] for one in means if len(one) == len(names)])
    if len(complete) < LEAST_SETTINGS_FOR_RANKS:
        plural = "" if len(complete) == 1 else "s"
        return None, (
            f"{len(complete)} setting{plural} in which every arm has a mean; mean ranks with a critical difference "
            f"need at least {LEAST_SETTINGS_FOR_RANKS}"
        )
    if len(names) < 2:
        return None, "1 arm; ranks need at least 2"
    return _mean_ranks(names, complete, settings[0].higher_is_better, 1 - settings[0].confidence), None


def _mean_ranks(names: list[str], means: np.ndarray, higher_is_better: bool, alpha: float) -> CriticalDifference:
    # Only here: scipy.stats takes longer to import than everything else of scipy that a report needs.
    from scipy import stats

    ranks = stats.rankdata(-means if higher_is_better else means, axis=1).mean(axis=0)
    pairs = list(itertools.combinations(range(len(names)), 2))
    adjusted = holm([_wilcoxon(means[:, first] - means[:, second]) for first, second in pairs])
    p_pairs = {(names[first], names[second]): p for (first, second), p in zip(pairs, adjusted, strict=True)}
    order = [names[index] for index in np.argsort(ranks, kind="stable")]
    return CriticalDifference(
        settings=len(means),
        mean_ranks={name: float(rank) for name, rank in zip(names, ranks, strict=True)},
        p_friedman=float(stats.friedmanchisquare(*means.T).pvalue) if len(names) > 2 else None,
        p_pairs=p_pairs,
        groups=_groups(order, p_pairs, alpha),
    )


def _wilcoxon(differences: np.ndarray) -> float:
    from scipy import stats

    return float(stats.wilcoxon(differences).pvalue) if np.any(differences) else 1.0


def _groups(order: list[str], p_pairs: Mapping[tuple[str, str], float], alpha: float) -> tuple[tuple[str, ...], ...]:
    """Return the longest runs of arms in rank order of which no two are told apart; an arm alone is left out."""

    def alike(run: list[str]) -> bool:
        return all(p_pairs.get(pair, p_pairs.get(pair[::-1], 1.0)) > alpha for pair in itertools.combinations(run, 2))

    found: list[tuple[int, int]] = []
    for start in range(len(order)):
        end = max(stop for stop in range(start + 1, len(order) + 1) if alike(order[start:stop]))
        if end - start > 1 and (not found or end > found[-1][1]):
            found.append((start, end))
    return tuple(tuple(order[start:end]) for start, end in found)
