"""The statistics beside scipy's and, where installed, statsmodels', pingouin's, rliable's and scikit-posthocs'.

`pip install poolab[oracles]` installs the latter; without them these tests are skipped.
"""

import warnings

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from poolab.report.statistics import ArmScores, compare_overall, compare_setting
from poolab.report.statistics.describe import probability_of_improvement
from poolab.report.statistics.divergence import clopper_pearson
from poolab.report.statistics.meta import random_effects, reml
from poolab.report.statistics.moderated import fit_prior, moderated_estimates
from poolab.report.statistics.paired import holm, paired_estimate, t_quantile
from poolab.report.statistics.permutation import sign_flip_step_down
from poolab.report.statistics.power import (
    detectable_difference,
    deviation_interval,
    difference_power,
    equivalence_power,
)
from poolab.report.statistics.sequential import e_value

RNG = np.random.default_rng(3)
SAMPLES = [RNG.normal(0.01, 0.02, size) for size in (2, 3, 8, 20)]


@pytest.fixture(autouse=True)
def fresh():
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(3).bit_generator.state


@pytest.mark.parametrize("sample", SAMPLES, ids=len)
class TestScipy:
    def test_paired_t(self, sample):
        ours, theirs = paired_estimate(sample), stats.ttest_1samp(sample, 0)
        assert ours.p == pytest.approx(theirs.pvalue, rel=1e-12)
        assert ours.interval(0.05) == pytest.approx(theirs.confidence_interval(0.95), rel=1e-10)

    def test_equivalence(self, sample):
        low = stats.ttest_1samp(sample, -0.03, alternative="greater").pvalue
        high = stats.ttest_1samp(sample, 0.03, alternative="less").pvalue
        assert paired_estimate(sample).p_equivalence(0.03) == pytest.approx(max(low, high), rel=1e-10)

    def test_sign_flips_of_one_arm(self, sample):
        """Up to 14 pairs both enumerate; above, both draw 20,000 patterns."""
        enumerated = len(sample) <= 14
        found = stats.permutation_test(
            (sample,),
            lambda x, axis: np.abs(x.mean(axis=axis)),
            permutation_type="samples",
            n_resamples=np.inf if enumerated else 20_000,
            alternative="greater",
            rng=np.random.default_rng(0),
        )
        agreement = pytest.approx(found.pvalue, rel=1e-12) if enumerated else pytest.approx(found.pvalue, abs=0.015)
        assert sign_flip_step_down(sample[:, None]) == [agreement]

    def test_deviation(self, sample):
        """The interval's ends are those deviations from which the sample's one is just not surprising."""
        low, high = deviation_interval(sample.std(ddof=1), len(sample))
        squares = ((sample - sample.mean()) ** 2).sum()
        assert stats.chi2.sf(squares / low**2, len(sample) - 1) == pytest.approx(0.025, rel=1e-9)
        assert stats.chi2.cdf(squares / high**2, len(sample) - 1) == pytest.approx(0.025, rel=1e-9)


@pytest.mark.parametrize(("count", "total"), [(0, 8), (1, 8), (4, 8), (8, 8), (3, 100)])
def test_clopper_pearson(count, total):
    theirs = stats.binomtest(count, total).proportion_ci(0.95, "exact")
    assert clopper_pearson(count, total).interval == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize("pairs", [2, 3, 5, 8, 20])
def test_power_is_the_noncentral_t(pairs):
    critical = t_quantile(0.975, pairs - 1)
    theirs = stats.nct.sf(critical, pairs - 1, 0.7 * np.sqrt(pairs))
    assert difference_power(-0.7, 1.0, pairs, critical) == pytest.approx(theirs, abs=1e-10)
    found = detectable_difference(2.0, pairs, critical)
    assert difference_power(found, 2.0, pairs, critical) == pytest.approx(0.8, abs=1e-8)


@pytest.mark.parametrize(("pairs", "difference"), [(3, 0.0), (5, 0.3), (8, 0.0), (20, -0.5)])
def test_power_of_equivalence_is_the_integral(pairs, difference):
    critical, margin = t_quantile(0.95, pairs - 1), 1.0

    def integrand(square):
        reach = margin - critical * np.sqrt(square / (pairs - 1) / pairs)
        chance = stats.norm.cdf((reach - difference) * np.sqrt(pairs)) - stats.norm.cdf(
            (-reach - difference) * np.sqrt(pairs)
        )
        return max(chance, 0.0) * stats.chi2.pdf(square, pairs - 1)

    end = (margin / critical) ** 2 * pairs * (pairs - 1)
    exact = integrate.quad(integrand, 0, end)[0]
    assert equivalence_power(difference, 1.0, pairs, margin, critical) == pytest.approx(exact, abs=2e-3)


def test_e_value_is_the_bayes_factor():
    """The marginal likelihoods of the t statistic: noncentral t under N(0, g) on the effect, central under none."""
    for sample in SAMPLES[1:]:
        pairs = len(sample)
        statistic = stats.ttest_1samp(sample, 0).statistic

        def marginal(effect, pairs=pairs, statistic=statistic):
            return stats.nct.pdf(statistic, pairs - 1, effect * np.sqrt(pairs)) * stats.norm.pdf(effect)

        top = integrate.quad(marginal, -8, 8, limit=400, points=[0.0, statistic / np.sqrt(pairs)])[0]
        assert e_value(sample) == pytest.approx(top / stats.t.pdf(statistic, pairs - 1), rel=1e-5)


def test_probability_of_improvement_is_mann_whitneys():
    first, second = RNG.integers(0, 6, 9) / 6, RNG.integers(0, 6, 7) / 6
    theirs = stats.mannwhitneyu(first, second).statistic / 63
    assert probability_of_improvement(first, second) == pytest.approx(theirs, abs=1e-12)
    assert probability_of_improvement(first, second, higher_is_better=False) == pytest.approx(1 - theirs, abs=1e-12)


class TestRandomEffects:
    # Colditz et al. (1994), 13 trials of BCG vaccine: tpos, tneg, cpos, cneg; the standard data of meta-analysis.
    BCG = np.array(
        [
            [4, 119, 11, 128],
            [6, 300, 29, 274],
            [3, 228, 11, 209],
            [62, 13536, 248, 12619],
            [33, 5036, 47, 5761],
            [180, 1361, 372, 1079],
            [8, 2537, 10, 619],
            [505, 87886, 499, 87892],
            [29, 7470, 45, 7232],
            [17, 1699, 65, 1600],
            [186, 50448, 141, 27197],
            [5, 2493, 3, 2338],
            [27, 16886, 29, 17825],
        ],
        dtype=float,
    )

    @classmethod
    def effects(cls):
        treated, control = cls.BCG[:, :2].sum(axis=1), cls.BCG[:, 2:].sum(axis=1)
        effects = np.log(cls.BCG[:, 0] / treated / (cls.BCG[:, 2] / control))
        variances = 1 / cls.BCG[:, 0] - 1 / treated + 1 / cls.BCG[:, 2] - 1 / control
        return effects, np.sqrt(variances)

    def test_published_numbers(self):
        """R's metafor prints for these data: REML tau^2 0.3132, I^2 92.22 %; Hartung-Knapp -0.7145, SE 0.1808."""
        found = random_effects(*self.effects())
        assert found.tau**2 == pytest.approx(0.3132, abs=5e-5)
        assert found.estimate.difference == pytest.approx(-0.7145, abs=5e-5)
        assert found.estimate.error == pytest.approx(0.1808, abs=5e-5)
        assert found.i2 == pytest.approx(0.9222, abs=5e-5)
        assert found.estimate.interval(0.05) == pytest.approx((-1.1084, -0.3206), abs=5e-5)

    @pytest.mark.parametrize("seed", range(6))
    def test_reml_solves_its_equation(self, seed):
        """The derivative of the restricted likelihood is 0 at tau^2, found by another search on another form."""
        rng = np.random.default_rng(seed)
        variances = rng.uniform(0.5, 2, 7) * 1e-6
        values = rng.normal(0, 3e-3, 7)

        def slope(tau2):
            weights = 1 / (variances + tau2)
            mean = (weights * values).sum() / weights.sum()
            squares = (weights**2 * (values - mean) ** 2).sum()
            return squares - weights.sum() + (weights**2).sum() / weights.sum()

        assert reml(values, variances) == pytest.approx(optimize.brentq(slope, 0, 1e-3, xtol=1e-18), rel=1e-4)

    def test_equal_effects_have_no_variance_between(self):
        assert random_effects([0.01] * 5, [0.002] * 5).tau == 0.0

    def test_same_numbers_in_points_and_shares(self):
        small, large = random_effects([0.01, 0.03, 0.0, 0.02], [0.004] * 4), random_effects([1, 3, 0, 2], [0.4] * 4)
        assert 100 * small.estimate.error == pytest.approx(large.estimate.error, rel=1e-6)


class TestModerated:
    def test_prior_is_recovered(self):
        """Variances drawn from s0^2 F(d, d0), the model of Smyth (2004)."""
        rng = np.random.default_rng(0)
        variances = 4.0 * rng.f(4, 10, size=40_000)
        prior, variance = fit_prior(variances, np.full(40_000, 4.0))
        assert prior == pytest.approx(10, rel=0.05)
        assert variance == pytest.approx(4, rel=0.03)

    def test_lies_between_own_and_pooled(self):
        samples = [RNG.normal(0, 0.01 * size, 4) for size in (1, 2, 5, 1, 2)]
        own = [paired_estimate(sample) for sample in samples]
        found = moderated_estimates(own, [4] * 5)
        pooled = np.sqrt(np.mean([one.error**2 for one in own]))
        for before, (after, _) in zip(own, found, strict=True):
            assert after.freedom >= before.freedom
            assert min(before.error, pooled) * 0.5 < after.error < max(before.error, pooled) * 1.5

    def test_one_arm_has_nobody_to_borrow_from(self):
        assert moderated_estimates([paired_estimate([0.1, 0.2, 0.4])], [3]) is None


class TestStatsmodels:
    def test_holm(self):
        multitest = pytest.importorskip("statsmodels.stats.multitest")
        p_values = [0.01, 0.04, 0.03, 0.9, 0.03, 0.0001]
        assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1], abs=1e-15)

    def test_equivalence(self):
        weightstats = pytest.importorskip("statsmodels.stats.weightstats")
        first, second = RNG.normal(0.9, 0.01, 8), RNG.normal(0.9, 0.01, 8)
        p = weightstats.ttost_paired(first, second, -0.02, 0.02)[0]
        assert paired_estimate(first - second).p_equivalence(0.02) == pytest.approx(p, rel=1e-10)

    def test_clopper_pearson(self):
        proportion = pytest.importorskip("statsmodels.stats.proportion")
        assert clopper_pearson(3, 8).interval == pytest.approx(proportion.proportion_confint(3, 8, method="beta"))

    def test_power(self):
        module = pytest.importorskip("statsmodels.stats.power")
        theirs = module.TTestPower().power(0.9, 8, 0.05, alternative="two-sided")
        # Theirs counts rejections on the wrong side too.
        assert difference_power(0.9, 1.0, 8, t_quantile(0.975, 7)) == pytest.approx(theirs, abs=1e-4)

    def test_hartung_knapp_given_tau(self):
        """statsmodels has Paule and Mandel's tau^2 instead of REML: beside it, the mean and its error agree."""
        meta = pytest.importorskip("statsmodels.stats.meta_analysis")
        effects, errors = TestRandomEffects.effects()
        theirs = meta.combine_effects(effects, errors**2, method_re="iterated", use_t=True)
        weights = 1 / (errors**2 + theirs.tau2)
        mean = (weights * effects).sum() / weights.sum()
        factor = (weights * (effects - mean) ** 2).sum() / 12
        assert mean == pytest.approx(theirs.mean_effect_re, rel=1e-10)
        assert np.sqrt(factor / weights.sum()) == pytest.approx(theirs.sd_eff_w_re_hksj, rel=1e-8)
        assert random_effects(effects, errors).tau ** 2 == pytest.approx(theirs.tau2, rel=0.05)


class TestOthers:
    def test_pingouin(self):
        pingouin = pytest.importorskip("pingouin")
        first, second = RNG.normal(0.9, 0.01, 8), RNG.normal(0.9, 0.01, 8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = pingouin.ttest(first, second, paired=True)
            equivalence = pingouin.tost(first, second, 0.02, paired=True)
        name = next(name for name in table.columns if name.lower().replace("_", "-").startswith("p-val"))
        assert paired_estimate(first - second).p == pytest.approx(float(table[name].iloc[0]), rel=1e-9)
        name = next(name for name in equivalence.columns if name.lower().startswith("p"))
        assert paired_estimate(first - second).p_equivalence(0.02) == pytest.approx(float(equivalence[name].iloc[0]))

    def test_rliable(self):
        metrics = pytest.importorskip("rliable.metrics")
        first, second = RNG.normal(0.9, 0.01, 8), RNG.normal(0.9, 0.01, 6)
        theirs = metrics.probability_of_improvement(first[:, None], second[:, None])
        assert probability_of_improvement(first, second) == pytest.approx(float(theirs), abs=1e-12)

    def test_scikit_posthocs(self):
        posthocs = pytest.importorskip("scikit_posthocs")
        means = np.array([0.80, 0.82, 0.801, 0.81]) + RNG.normal(0, 0.004, (14, 4))
        settings = [
            compare_setting(
                [ArmScores(f"arm{arm}", {0: means[row, arm], 1: means[row, arm]}) for arm in range(4)],
                "arm0",
                margin=0.005,
                setting=str(row),
            )
            for row in range(14)
        ]
        ours = compare_overall(settings).critical_difference
        theirs = posthocs.posthoc_wilcoxon(means.T.tolist(), p_adjust="holm")
        for (first, second), p in ours.p_pairs.items():
            assert p == pytest.approx(theirs.iloc[int(first[3:]), int(second[3:])], rel=1e-9)
        assert ours.p_friedman == pytest.approx(stats.friedmanchisquare(*means.T).pvalue)
