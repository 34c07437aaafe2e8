"""Each number beside its formula, written out again or solved another way."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from poolab.errors import ConfigError
from poolab.report.statistics import ArmScores, Looks, Reason, Verdict, compare_overall, compare_setting
from poolab.report.statistics.describe import pairing, probability_of_improvement
from poolab.report.statistics.divergence import clopper_pearson, rates_differ, worst_case, worst_score
from poolab.report.statistics.family import arm_alphas, infer
from poolab.report.statistics.images import components, examples_estimate, new_images_estimate
from poolab.report.statistics.moderated import fit_prior, moderated_estimates
from poolab.report.statistics.paired import Estimate, paired_estimate
from poolab.report.statistics.pairs import Pairs, difference_matrix, hardly_varies
from poolab.report.statistics.power import fixed_rule, seeds_to_decide
from poolab.report.statistics.ranks import rank_sets
from poolab.report.statistics.sequential import confidence_sequence, e_value, sequence_critical
from poolab.report.statistics.simultaneous import comparison_alpha, shrunk_correlation

RNG = np.random.default_rng(3)
DIFFERENCES = RNG.normal(0.4, 1.0, 6)
OUTCOMES = np.sign(RNG.normal(size=30) + 0.7 * RNG.normal(size=(4, 30)) + np.array([[0.0], [0.2], [0.5], [0.9]]))


def arm(name, values, **more):
    return ArmScores(name, {seed: float(value) for seed, value in enumerate(values)}, **more)


def test_variances_over_seeds_and_examples_are_those_of_a_two_way_layout():
    seeds, examples = OUTCOMES.shape
    found = components(OUTCOMES)
    rows, columns = OUTCOMES.mean(1), OUTCOMES.mean(0)
    left = sum(
        (OUTCOMES[i, j] - rows[i] - columns[j] + OUTCOMES.mean()) ** 2 for i in range(seeds) for j in range(examples)
    )
    assert found.seeds == pytest.approx(rows.var(ddof=1) / seeds)
    assert found.examples == pytest.approx(columns.var(ddof=1) / examples)
    assert found.rest == pytest.approx(left / ((seeds - 1) * (examples - 1)) / (seeds * examples))
    assert (found.count_seeds, found.count_examples) == (4, 30)


def test_the_error_over_new_images_and_its_degrees_of_freedom():
    found = components(OUTCOMES)
    estimate = new_images_estimate(0.1, found)
    parts = found.seeds, found.examples - found.rest
    assert min(parts) > 0
    assert estimate.error == pytest.approx(math.sqrt(sum(parts)))
    assert estimate.freedom == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 29))
    over = examples_estimate(0.1, found)
    assert over.error == pytest.approx(math.sqrt(found.seeds + found.examples))
    spread = found.seeds**2 / 3 + found.examples**2 / 29
    assert over.freedom == pytest.approx((found.seeds + found.examples) ** 2 / spread)


def test_one_seed_or_examples_that_are_all_alike():
    alone = components(OUTCOMES[:1])
    assert (alone.seeds, alone.rest) == (0.0, pytest.approx(0.0))
    alike = components(np.ones((3, 5)))
    assert new_images_estimate(1.0, alike) is None
    assert examples_estimate(1.0, alike) is None


@pytest.mark.parametrize("variance", [0.25, 1.0, 3.0])
def test_the_e_value_is_the_bayes_factor_by_integration(variance):
    """N(0, g) on difference / deviation against 0, the deviation with a right-Haar prior."""
    n, mean = len(DIFFERENCES), DIFFERENCES.mean()
    within = ((DIFFERENCES - mean) ** 2).sum()

    def likelihood(deviation, spread):
        """Of the mean and the scatter, with the effect integrated out."""
        own = math.exp(-within / (2 * deviation**2)) / deviation**n
        wide = 1 + n * spread
        return own * math.exp(-n * mean**2 / (2 * deviation**2 * wide)) / math.sqrt(wide) / deviation

    def total(spread):
        return integrate.quad(likelihood, 0.02, 60, args=(spread,), limit=400, epsabs=0, epsrel=1e-10)[0]

    assert e_value(DIFFERENCES, variance) == pytest.approx(total(variance) / total(0.0), rel=1e-6)


@pytest.mark.parametrize("variance", [0.25, 1.0])
@pytest.mark.parametrize("pairs", [9, 15])
def test_at_the_critical_t_the_e_value_is_one_over_alpha(pairs, variance):
    critical = sequence_critical(pairs, 0.05, variance)
    shape = np.linspace(-1, 1, pairs)
    values = shape / (shape.std(ddof=1) / math.sqrt(pairs)) + critical  # their t is `critical`
    assert stats.ttest_1samp(values, 0).statistic == pytest.approx(critical)
    assert e_value(values, variance) == pytest.approx(20.0)


def test_the_ends_of_a_confidence_sequence_have_an_e_value_of_one_over_alpha():
    low, high = confidence_sequence(DIFFERENCES, 0.05)
    assert low < DIFFERENCES.mean() < high
    assert [e_value(DIFFERENCES - end) for end in (low, high)] == pytest.approx([20.0, 20.0])


def test_an_e_value_of_very_sure_differences_is_no_overflow():
    assert e_value(1.0 + 1e-9 * np.arange(400)) == pytest.approx(math.exp(700))


@pytest.mark.parametrize("spread", [0.3, 1.5, 4.0])
def test_the_prior_of_the_variances_solves_its_moment_equations(spread):
    freedom = np.array([2.0, 3.0, 4.0, 4.0, 3.0])
    variances = np.exp(spread * np.array([-1.0, 1.2, 0.3, -0.6, 0.9]))
    prior, middle = fit_prior(variances, freedom)
    logs = np.log(variances) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = logs.var(ddof=1) - special.polygamma(1, freedom / 2).mean()
    if excess <= 0:
        assert (prior, middle) == (math.inf, pytest.approx((freedom * variances).sum() / freedom.sum()))
        return
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-6, 1e6, xtol=1e-14)
    assert prior == pytest.approx(2 * half, rel=1e-8)
    assert middle == pytest.approx(math.exp(logs.mean() + special.digamma(half) - math.log(half)))


def test_a_moderated_variance_lies_between_the_arms_own_and_the_prior():
    counts = [3, 4, 5, 3]
    arms = [Estimate(0.1 * i, error, count - 1) for i, (error, count) in enumerate(zip((1, 9, 3, 0.2), counts))]  # noqa: B905
    variances = np.array([one.error**2 * count for one, count in zip(arms, counts, strict=True)])
    freedom = np.array([one.freedom for one in arms], dtype=float)
    prior, middle = fit_prior(variances, freedom)
    assert math.isfinite(prior)
    for i, (found, told) in enumerate(moderated_estimates(arms, counts)):
        variance = (prior * middle + freedom[i] * variances[i]) / (prior + freedom[i])
        assert told == prior
        assert found.difference == arms[i].difference
        assert found.error == pytest.approx(math.sqrt(variance / counts[i]))
        assert found.freedom == pytest.approx(max(min(freedom[i] + prior, freedom.sum() / 1.75), freedom[i]))
    assert moderated_estimates(arms[:1], counts[:1]) is None
    assert moderated_estimates(arms[:2], counts[:2]) is not None


@pytest.mark.parametrize(("differences", "resolution", "expected"), [
    ([0.01, 0.01, 0.02], 0.0, True),  # three pairs with two values
    ([0.01, 0.01, 0.02], 0.001, False),  # the step is known to be finer
    ([0.01, 0.02], 0.0, False),
    ([0.01, 0.01], 0.0, True),
    ([0.01, 0.011, 0.012], 0.001, False),  # deviates by exactly one example
    ([0.01, 0.011, 0.012], 0.00101, True),
    ([0.01, 0.01 + 3e-8, 0.01 + 6e-8], 0.0, True),  # float32's rounding of scores near 0.9
    ([0.01, 0.01 + 1e-6, 0.01 + 2e-6], 0.0, False),
])  # fmt: skip
def test_differences_that_hardly_vary(differences, resolution, expected):
    assert hardly_varies(np.array(differences), 0.9, resolution) is expected


def test_rank_sets_under_a_plan_and_without_one():
    random = np.random.default_rng(1)
    arms = [arm(name, base + 0.004 * random.standard_normal(5)) for name, base in zip("abc", (0.9, 0.9, 0.886))]  # noqa: B905
    planned, open_ended = rank_sets(arms, 0.05), rank_sets(arms, 0.05, sequential=True)
    assert planned["c"] == (3, 3)
    assert open_ended == dict.fromkeys("abc", (1, 3)), "evidence that may be looked at any time asks for more"
    assert compare_setting(arms, "a", margin=0.005).ranks == planned
    assert compare_setting(arms, "a", margin=0.005, looks=Looks()).ranks == open_ended
    clear = [arm("a", 0.9 + 0.001 * np.arange(8) ** 0.5), arm("b", 0.5 + 0.001 * np.arange(8))]
    assert rank_sets(clear, 0.05, sequential=True) == {"a": (1, 1), "b": (2, 2)}
    assert rank_sets(clear, 0.05, higher_is_better=False, sequential=True) == {"a": (2, 2), "b": (1, 1)}


@pytest.mark.parametrize("form", ["bool", "uint8", "packed"])
def test_outcomes_are_read_in_each_form(form):
    outcomes = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 1])
    given = {"bool": outcomes.astype(bool), "uint8": outcomes.astype(np.uint8), "packed": np.packbits(outcomes)}[form]
    found = ArmScores("max", {3: 0.6}, correct={3: given}, examples=10)
    assert found.outcomes(3).tolist() == outcomes.tolist()
    assert found.outcomes(3).dtype == np.int8
    assert found.outcomes(4) is None
    assert found.test_examples == 10
    assert ArmScores("max", {3: 0.6}, correct={3: outcomes.astype(bool)}).test_examples == 10
    with pytest.raises(ConfigError, match="of length 2 or 9"):
        ArmScores("max", {3: 0.6}, correct={3: outcomes.astype(bool)}, examples=9)


def settings_of(means, scale, count=14, **more):
    random = np.random.default_rng(5)
    names = "abcdef"[: len(means)]
    return [
        compare_setting(
            [arm(n, 0.5 + mean + scale * random.standard_normal() + 0.01 * random.standard_normal(4))
             for n, mean in zip(names, means, strict=True)],
            "a", margin=0.005, setting=str(place), **more,
        )
        for place in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("means", [(0, 0.01, 0.02, 0.03, 0.3), (0.2, 0, 0.012, 0.1), (0.3, 0.2, 0.1, 0)])
def test_groups_are_the_longest_runs_in_which_no_two_are_told_apart(means, higher_is_better):
    found = compare_overall(settings_of(means, 0.02, higher_is_better=higher_is_better)).critical_difference
    order = sorted(found.mean_ranks, key=found.mean_ranks.get)
    assert (order[0] == "abcdef"[int(np.argmax(means))]) is higher_is_better

    def alike(run):
        told = {frozenset(pair): p for pair, p in found.p_pairs.items()}
        return all(told[frozenset(pair)] > 0.05 for pair in itertools.combinations(run, 2))

    runs = [tuple(order[i:j]) for i in range(len(order)) for j in range(i + 2, len(order) + 1) if alike(order[i:j])]
    longest = [run for run in runs if not any(set(run) < set(other) for other in runs)]
    assert list(found.groups) == longest
    assert all(len(run) > 1 for run in found.groups)


def test_the_settings_of_a_mean_must_be_alike():
    [one, *_], [other, *_] = settings_of((0, 0.1), 0.02), settings_of((0, 0.1), 0.02, confidence=0.9)
    with pytest.raises(ConfigError, match=r"different values of confidence: 0.95, 0.9"):
        compare_overall([one, other])
    with pytest.raises(ConfigError, match="no setting"):
        compare_overall([])


def test_arms_by_seeds_divide_what_arms_by_examples_leave():
    random = np.random.default_rng(2)
    right = random.integers(0, 2, (3, 40)).astype(np.uint8)
    right[:, 5] = 0
    base = ArmScores("max", dict(enumerate(right.mean(1))), correct=dict(enumerate(right)))
    more = right.copy()
    more[:, 5] = 1  # one example more with each seed
    by_examples = ArmScores("one more", dict(enumerate(more.mean(1))), correct=dict(enumerate(more)))
    by_seeds = [arm(name, 0.6 + 0.1 * random.standard_normal(3)) for name in "ab"]
    pairs = [Pairs(one, base) for one in (by_seeds[0], by_examples, by_seeds[1])]
    assert [pair.basis for pair in pairs] == ["seeds", "examples", "seeds"]
    found = arm_alphas(pairs, 0.06, "max_t", 2_000)
    joint = comparison_alpha(difference_matrix([pairs[0], pairs[2]]), 0.04, 2_000)
    assert found == [joint, pytest.approx(0.02), joint]
    assert 0.02 <= joint <= 0.04
    assert joint != comparison_alpha(difference_matrix([pairs[0], pairs[2]]), 0.04)
    assert arm_alphas(pairs, 0.06, "e_process") == pytest.approx([0.02] * 3)
    assert arm_alphas(pairs[1:2], 0.06, "max_t") == [0.06]
    inferred = infer(pairs, margin=0.005, alpha=0.06, method="max_t", draws=2_000)
    assert [one.alpha for one in inferred] == found
    assert [one.interval for one in inferred] == [p.estimate.interval(a) for p, a in zip(pairs, found, strict=True)]


def test_a_baseline_without_matching_examples_is_told():
    arms = [ArmScores(n, {0: 0.5, 1: 0.5}, correct=dict.fromkeys((0, 1), np.array([1, 0] * k, np.uint8)))
            for n, k in (("max", 2), ("avg", 3))]  # fmt: skip
    with pytest.raises(ConfigError, match="arm avg has 6 outcomes, max has 4"):
        Pairs(arms[1], arms[0]).components  # noqa: B018


def test_a_share_of_diverged_runs_with_its_exact_interval():
    for count, total in ((0, 5), (1, 5), (3, 8), (5, 5)):
        expected = stats.binomtest(count, total).proportion_ci(0.9, method="exact")
        found = clopper_pearson(count, total, 0.9)
        assert found.interval == pytest.approx((expected.low, expected.high))
        assert (found.count, found.total, found.rate) == (count, total, count / total)


def test_rates_differ_by_more_than_one_run_of_the_smaller_group():
    whole = arm("a", [0.9] * 8)
    assert not rates_differ(whole, ArmScores("b", {}))
    assert not rates_differ(arm("a", [0.9] * 4), ArmScores("b", dict.fromkeys(range(3), 0.9), diverged=(3,)))
    assert not rates_differ(whole, ArmScores("b", dict.fromkeys(range(3), 0.9), diverged=(3,)))
    assert rates_differ(whole, ArmScores("b", dict.fromkeys(range(2), 0.9), diverged=(2, 3)))
    assert rates_differ(ArmScores("b", dict.fromkeys(range(2), 0.9), diverged=(2, 3)), whole)


def test_the_worst_case_has_the_paired_interval_of_the_filled_scores():
    first = ArmScores("a", {0: 0.92, 1: 0.94}, diverged=(2, 7))
    second = ArmScores("b", {0: 0.91, 1: 0.90, 2: 0.90, 3: 0.5}, diverged=(4,))
    found = worst_case(first, second, 0.1, 0.1)
    values = [0.92 - 0.91, 0.94 - 0.90, 0.1 - 0.90]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found.pairs, found.difference) == (3, pytest.approx(np.mean(values)))
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert worst_case(ArmScores("a", {}, diverged=(0,)), second, 0.1, 0.1).interval is None
    assert worst_case(ArmScores("a", {}, diverged=(9,)), second, 0.1, 0.1) is None
    assert worst_case(arm("a", [0.9, 0.8]), arm("b", [0.9, 0.8]), 0.1, 0.1) is None
    assert worst_case(arm("a", [0.9, 0.8]), second, 0.1, 0.1).pairs == 2
    assert worst_score([first, second], higher_is_better=False) == 0.94
    assert worst_score([first, second], higher_is_better=True) == 0.5
    assert worst_score([ArmScores("a", {})], higher_is_better=True) == 0.0


def test_improvement_counts_pairs_of_runs_and_half_of_the_ties():
    first, second = np.array([0.9, 0.8, 0.7]), np.array([0.8, 0.75])
    wins = sum(float(a > b) + 0.5 * float(a == b) for a in first for b in second) / 6
    assert probability_of_improvement(first, second) == pytest.approx(wins)
    assert probability_of_improvement(first, second, higher_is_better=False) == pytest.approx(1 - wins)
    assert probability_of_improvement(first, np.array([])) is None
    assert probability_of_improvement(np.array([]), second) is None


def test_pairing_needs_three_seeds_that_vary():
    first, second = np.array([0.90, 0.93, 0.94]), np.array([0.91, 0.92, 0.95])
    correlation, gain = pairing(first, second)
    assert correlation == pytest.approx(stats.pearsonr(first, second).statistic)
    assert gain == pytest.approx((first.var(ddof=1) + second.var(ddof=1)) / (first - second).var(ddof=1))
    assert pairing(first[:2], second[:2]) == (None, None)
    assert pairing(first, np.full(3, 0.9)) == pairing(np.full(3, 0.9), first) == (None, None)
    assert pairing(np.array([0.0, 0.25, 1.0]), np.array([0.5, 0.75, 1.5])) == (pytest.approx(1.0), None)


def test_the_seeds_that_decide_are_the_first_number_that_does():
    rule = fixed_rule(0.004, 0.03, 0.05)
    for difference in (0.0, 0.002, 0.01):
        needed = seeds_to_decide(difference, 0.01, rule)
        assert rule.decides(difference, 0.01, needed)
        assert not rule.decides(difference, 0.01, needed - 1)
    assert seeds_to_decide(1.0, 0.01, rule) == 2
    assert seeds_to_decide(0.004, 0.1, rule) == 1000


def test_the_level_of_simultaneous_intervals_by_another_simulation():
    """Four arms that share half of their variance over 12 seeds; the same t-tests by scipy on other draws."""
    random = np.random.default_rng(11)
    values = random.normal(size=(12, 1)) + random.normal(size=(12, 4))
    values[0, 1] = values[3, 2] = np.nan
    there = ~np.isnan(values)
    drawn = random.multivariate_normal(np.zeros(4), shrunk_correlation(values), size=(40_000, 12))
    p = np.stack([stats.ttest_1samp(drawn[:, there[:, i], i], 0, axis=1).pvalue for i in range(4)])
    assert comparison_alpha(values, 0.1) == pytest.approx(np.quantile(p.min(0), 0.1), rel=0.08)


def test_an_estimate_is_that_of_a_paired_t():
    found = paired_estimate(DIFFERENCES)
    reference = stats.ttest_1samp(DIFFERENCES, 0)
    low, high = reference.confidence_interval(0.9)
    assert found.p == pytest.approx(reference.pvalue)
    assert found.interval(0.1) == pytest.approx((low, high))


def test_verdicts_and_reasons_have_the_words_that_a_saved_report_has():
    assert {one.name: one.value for one in Reason} == {one.name: one.name.lower() for one in Reason}
    assert {one.name: one.value for one in Verdict} == {one.name: one.name.lower() for one in Verdict}
    alone = compare_setting([arm("a", [0.5])], "a", margin=0.005)["a"]
    assert (alone.sd, alone.permutation_floor, alone.interval, alone.p) == (None, None, None, None)
    assert "correct" not in repr(arm("a", [0.5]))
