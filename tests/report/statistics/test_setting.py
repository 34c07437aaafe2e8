"""The whole line of an arm, each number computed again from the scores by scipy; at a confidence that is no default."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from poolab.errors import ConfigError
from poolab.report.statistics import ArmScores, Looks, Verdict, compare_overall, compare_setting
from poolab.report.statistics.family import infer
from poolab.report.statistics.paired import Estimate
from poolab.report.statistics.pairs import Pairs

CONFIDENCE, MARGIN, SEEDS = 0.9, 0.004, 6
RNG = np.random.default_rng(11)
SHARED = 0.8 + 0.02 * RNG.normal(size=SEEDS)
SHIFTS = {"max": 0.0, "avg": -0.03, "lp": 0.004, "mixed": 0.001}
SCORES = {name: SHARED + shift + 0.004 * RNG.normal(size=SEEDS) for name, shift in SHIFTS.items()}
ARMS = [
    ArmScores(
        name,
        {**dict(enumerate(map(float, scores))), 70: None, 71: math.nan},
        diverged=(90,) if name == "lp" else (),
        failed=2,
        missing=1,
    )
    for name, scores in SCORES.items()
]
OTHERS = [name for name in SCORES if name != "max"]


@pytest.fixture(scope="module")
def found():
    return compare_setting(ARMS, "max", margin=MARGIN, confidence=CONFIDENCE, best=1.0, worst=0.1, setting="digits")


def holm(p_values):
    """Adjust by hand: the k-th smallest times the number of those that are left, never falling."""
    order = np.argsort(p_values)
    steps = np.maximum.accumulate([p_values[i] * (len(p_values) - rank) for rank, i in enumerate(order)])
    return {i: min(1.0, step) for i, step in zip(order, steps, strict=True)}


def equivalence_p(differences):
    both = (
        stats.ttest_1samp(differences, -MARGIN, alternative="greater"),
        stats.ttest_1samp(differences, MARGIN, alternative="less"),
    )
    return max(one.pvalue for one in both)


@pytest.mark.parametrize("name", OTHERS)
def test_each_number_of_an_arms_line(found, name):
    line, own, base = found[name], SCORES[name], SCORES["max"]
    differences = own - base
    tested = {other: stats.ttest_1samp(SCORES[other] - base, 0) for other in OTHERS}
    adjusted = holm([tested[other].pvalue for other in OTHERS])
    equivalent = [equivalence_p(SCORES[other] - base) for other in OTHERS]
    equivalent_adjusted = holm(equivalent)
    place = OTHERS.index(name)
    freedom, deviation = SEEDS - 1, differences.std(ddof=1)
    chi = stats.chi2.ppf([0.95, 0.05], freedom)
    half = stats.t.ppf(1 - (1 - found.comparison_confidence) / 2, freedom) * deviation / math.sqrt(SEEDS)
    runs = SEEDS + len(line_arm(name).diverged)
    exact = stats.binomtest(len(line_arm(name).diverged), runs).proportion_ci(CONFIDENCE, method="exact")
    expected = {
        "n": SEEDS,
        "pairs": SEEDS,
        "mean": own.mean(),
        "sd": own.std(ddof=1),
        "mean_of_pairs": own.mean(),
        "baseline_mean_of_pairs": base.mean(),
        "difference": differences.mean(),
        "deviation": deviation,
        "deviation_interval": tuple(deviation * np.sqrt(freedom / chi)),
        "standard_error": deviation / math.sqrt(SEEDS),
        "interval": (differences.mean() - half, differences.mean() + half),
        "interval_single": tuple(tested[name].confidence_interval(CONFIDENCE)),
        "interval_new_images": None,
        "basis": "seeds",
        "moderated": None,
        "p": tested[name].pvalue,
        "p_adjusted": adjusted[place],
        "permutation_floor": 2 / 2**SEEDS,
        "permutation_can_reject": True,
        "p_equivalence": equivalent[place],
        "p_equivalence_adjusted": equivalent_adjusted[place],
        "within_margin": equivalent_adjusted[place] <= 1 - CONFIDENCE,
        "probability_of_improvement": stats.mannwhitneyu(own, base).statistic / SEEDS**2,
        "correlation": stats.pearsonr(own, base).statistic,
        "pairing_gain": (own.var(ddof=1) + base.var(ddof=1)) / differences.var(ddof=1),
        "headroom": 1 - base.mean(),
        "failed": 2,
        "missing": 1,
        "unscored": 2,
    }
    line_values = asdict(line)
    for key, value in expected.items():
        assert line_values[key] == (pytest.approx(value, rel=1e-9) if isinstance(value, float | tuple) else value), key
    assert (line.diverged.count, line.diverged.total) == (len(line_arm(name).diverged), runs)
    assert line.diverged.interval == pytest.approx((exact.low, exact.high))


def line_arm(name):
    return next(arm for arm in ARMS if arm.name == name)


def test_what_the_line_says_of_power(found):
    """The difference that six pairs show with 80 %, by the noncentral t at the arm's own level."""
    line = found["lp"]
    critical = stats.t.ppf(1 - (1 - found.comparison_confidence) / 2, SEEDS - 1)

    def power(difference, deviation, pairs, level):
        return stats.nct.sf(level, pairs - 1, difference / deviation * math.sqrt(pairs))

    assert power(line.detectable, line.deviation, SEEDS, critical) == pytest.approx(0.8, abs=1e-4)
    for end, deviation in zip(line.detectable_range, line.deviation_interval, strict=True):
        assert power(end, deviation, SEEDS, critical) == pytest.approx(0.8, abs=1e-4)

    def level(pairs):
        return stats.t.ppf(1 - (1 - found.comparison_confidence) / 2, pairs - 1)

    half, pairs = line.detectable / 2, line.seeds_for_half
    assert (
        power(half, line.deviation, pairs, level(pairs))
        >= 0.8
        > power(half, line.deviation, pairs - 1, level(pairs - 1))
    )
    assert line.seeds_needed is not None
    assert line.seeds_needed_range[0] <= line.seeds_needed <= line.seeds_needed_range[1]
    assert found["avg"].seeds_needed is None, "avg is decided"


def test_the_worst_case_takes_the_score_that_was_given(found):
    line = found["lp"].worst_case
    filled = np.append(SCORES["lp"], 0.1)[:SEEDS]
    assert line is not None
    assert found["mixed"].worst_case is None
    assert len(filled) == SEEDS  # seed 90 of the baseline was not run, so that no pair is filled
    assert line.difference == pytest.approx((SCORES["lp"] - SCORES["max"]).mean())
    assert line.interval == pytest.approx(found["lp"].interval_single)


def test_what_the_setting_hands_on(found):
    assert (found.setting, found.baseline, found.margin, found.confidence) == ("digits", "max", MARGIN, CONFIDENCE)
    assert (found.family_confidence, found.method, found.looks_spent) == (CONFIDENCE, "max_t", ())
    assert CONFIDENCE < found.comparison_confidence < 1 - (1 - CONFIDENCE) / len(OTHERS) + 0.005
    assert found["max"].verdict is Verdict.BASELINE
    assert found["max"].headroom == pytest.approx(1 - SCORES["max"].mean())
    assert found["avg"].verdict is Verdict.WORSE


def test_declared_looks_spend_their_share_at_the_confidence_that_was_asked_for():
    found = compare_setting(ARMS, "max", margin=MARGIN, confidence=CONFIDENCE, looks=Looks((3, 7, 9)))
    assert found.method == "look"
    assert found.looks_spent == (3, 7), "six scored seeds and one that diverged"
    assert found.family_confidence == pytest.approx(1 - (1 - CONFIDENCE) / 3)
    assert found["avg"].interval_single == pytest.approx(
        tuple(stats.ttest_1samp(SCORES["avg"] - SCORES["max"], 0).confidence_interval(CONFIDENCE))
    )


def test_seeds_of_diverged_runs_count_as_looked_at():
    arms = [ArmScores("max", {0: 0.8, 1: 0.81, 2: 0.79}), ArmScores("lp", {0: 0.8, 1: 0.82}, diverged=(2, 3))]
    found = compare_setting(arms, "max", margin=MARGIN, looks=Looks((4, 8)))
    assert found.looks_spent == (4,)


def test_an_equivalence_at_the_border_of_the_error_is_one():
    """`within_margin` is p <= alpha, as a test at the level alpha rejects at p = alpha."""
    pairs = [Pairs(arm, ARMS[0]) for arm in ARMS[1:]]
    p = infer(pairs, MARGIN, 0.05, "max_t")[1].p_equivalence_adjusted
    assert infer(pairs, MARGIN, p, "max_t")[1].within_margin
    assert not infer(pairs, MARGIN, p * (1 - 1e-12), "max_t")[1].within_margin


@pytest.mark.parametrize("confidence", [1, 1.0, 0.5, 0, 95, float("nan")])
def test_a_confidence_that_is_none(confidence):
    with pytest.raises(ConfigError, match=r"confidence=.*between 0\.5 and 1, e\.g\. 0\.95"):
        compare_setting(ARMS, "max", margin=MARGIN, confidence=confidence)


@pytest.mark.parametrize("margin", [0, -0.005, float("nan")])
def test_a_margin_that_is_none(margin):
    with pytest.raises(ConfigError, match=r"margin=.*above 0"):
        compare_setting(ARMS, "max", margin=margin)


def test_the_mean_effect_over_settings_uses_their_confidence():
    settings = [
        compare_setting(
            [
                ArmScores(arm.name, {s: v + 0.002 * k * (arm.name != "max") for s, v in arm.valid.items()})
                for arm in ARMS[:3]
            ],
            "max",
            margin=MARGIN,
            confidence=CONFIDENCE,
            setting=f"setting {k}",
        )
        for k in range(5)
    ]
    overall = compare_overall(settings)
    assert overall.confidence == CONFIDENCE
    assert overall.settings == tuple(f"setting {k}" for k in range(5))
    adjusted = holm([arm.p for arm in overall.arms])
    for place, arm in enumerate(overall.arms):
        estimate = Estimate(arm.difference, half_width(arm) / stats.t.ppf(0.95, 4), 4)
        assert arm.p == pytest.approx(estimate.p)
        assert arm.p_adjusted == pytest.approx(adjusted[place])
        assert arm.settings == 5
        assert arm.better + arm.worse + arm.equivalent + arm.undecided == 5
    assert overall.ranks["setting 0"] == settings[0].ranks


def half_width(arm):
    return (arm.interval[1] - arm.interval[0]) / 2
