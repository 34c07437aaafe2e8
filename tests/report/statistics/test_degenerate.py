"""Studies that lack something: each has a defined result and a reason, and none raises."""

import math

import numpy as np
import pytest

from poolab.errors import ConfigError
from poolab.report.statistics import ArmScores, Looks, Reason, Verdict, compare_overall, compare_setting

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def fresh():
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


BASE = ArmScores("max", {seed: 0.90 + 0.002 * (seed * 3 % 7) for seed in range(8)})


def arm(name="avg", shift=0.0, seeds=range(8), **more):
    scores = {seed: BASE.scores[seed % 8] + shift + 0.001 * math.sin(5 * seed) for seed in seeds}
    return ArmScores(name, scores, **more)


def compare(*arms, baseline="max", **more):
    return compare_setting(arms, baseline, margin=more.pop("margin", 0.005), **more)


CASES = {
    "no baseline of that name": ([arm(), arm("lp")], Reason.NO_BASELINE),
    "baseline without a completed run": ([ArmScores("max", {}, failed=3), arm()], Reason.NO_BASELINE),
    "baseline diverged always": ([ArmScores("max", {}, diverged=(0, 1)), arm()], Reason.NO_BASELINE),
    "baseline with null scores": ([ArmScores("max", {0: None, 1: math.nan}), arm()], Reason.NO_BASELINE),
    "no run": ([BASE, ArmScores("avg", {}, missing=8)], Reason.NO_RUNS),
    "only failed runs": ([BASE, ArmScores("avg", {}, failed=8)], Reason.NO_RUNS),
    "only null scores": ([BASE, ArmScores("avg", {0: None, 1: math.inf})], Reason.NO_RUNS),
    "all diverged": ([BASE, ArmScores("avg", {}, diverged=range(8))], Reason.ALL_DIVERGED),
    "one seed": ([BASE, arm(seeds=[3])], Reason.TOO_FEW_PAIRS),
    "no shared seed": ([BASE, arm(seeds=range(8, 16))], Reason.TOO_FEW_PAIRS),
    "equal differences": (
        [BASE, ArmScores("avg", {s: x + 0.01 for s, x in BASE.scores.items()})],
        Reason.ZERO_VARIANCE,
    ),
    "the same scores": ([BASE, ArmScores("avg", BASE.scores)], Reason.ZERO_VARIANCE),
    "two equal differences": ([BASE, ArmScores("avg", {0: 0.95, 1: BASE.scores[1] + 0.05})], Reason.ZERO_VARIANCE),
    "one value but for one seed": (
        [BASE, ArmScores("avg", {s: x + 0.01 * (s == 2) for s, x in BASE.scores.items()})],
        Reason.ZERO_VARIANCE,
    ),
    "less than one example": ([BASE, arm(examples=364)], Reason.ZERO_VARIANCE),
    "wide": ([BASE, arm(shift=0.004, seeds=[0, 1])], Reason.INTERVAL_TOO_WIDE),
}


@pytest.mark.parametrize("case", CASES)
def test_undecided_with_its_reason(case):
    arms, reason = CASES[case]
    found = compare(*arms)
    (avg,) = [one for one in found.arms if one.arm == "avg"]
    assert (avg.verdict, avg.reason) == (Verdict.UNDECIDED, reason)
    assert not avg.within_margin
    if reason is not Reason.INTERVAL_TOO_WIDE:
        assert (avg.interval, avg.p, avg.p_adjusted, avg.moderated, avg.e_value) == (None,) * 5
    assert found.ranks["avg"] == (1, 2)


def test_only_the_baseline():
    found = compare(BASE)
    assert [one.verdict for one in found.arms] == [Verdict.BASELINE]
    assert found.comparison_confidence is None
    assert found.ranks == {"max": (1, 1)}


def test_no_arm_at_all():
    assert compare().arms == ()


def test_one_pair_shows_its_difference_without_an_interval():
    found = compare(BASE, arm(shift=0.01, seeds=[3]))["avg"]
    assert found.difference == pytest.approx(0.01 + 0.001 * math.sin(15))
    assert (found.sd, found.deviation, found.interval_single) == (None, None, None)


def test_unequal_seeds_show_the_mean_of_the_pairs_beside_the_mean():
    found = compare(BASE, arm(shift=-0.02, seeds=[0, 2, 3, 5, 40]))["avg"]
    assert (found.n, found.pairs) == (5, 4)
    assert found.mean != found.mean_of_pairs
    assert found.difference == pytest.approx(found.mean_of_pairs - found.baseline_mean_of_pairs)
    assert found.permutation_floor == 2 / 2**4
    assert not found.permutation_can_reject
    assert found.p_permutation >= found.permutation_floor


def test_null_scores_are_counted_and_left_out():
    scores = dict(arm(shift=0.01).scores) | {2: None, 5: math.nan}
    found = compare(BASE, ArmScores("avg", scores))["avg"]
    assert (found.n, found.unscored, found.pairs) == (6, 2, 6)
    assert found.verdict is Verdict.BETTER


def test_ties_count_half():
    assert compare(BASE, ArmScores("avg", BASE.scores))["avg"].probability_of_improvement == 0.5


@pytest.mark.parametrize(("shift", "verdict"), [(0.02, Verdict.WORSE), (-0.02, Verdict.BETTER)])
def test_a_loss_is_better_when_it_is_lower(shift, verdict):
    found = compare(BASE, arm(shift=shift), higher_is_better=False)["avg"]
    assert found.verdict is verdict
    assert found.difference == pytest.approx(shift, abs=0.001)
    assert (found.probability_of_improvement > 0.5) == (verdict is Verdict.BETTER)


def test_a_small_sure_difference_is_better_and_within_the_margin():
    found = compare(BASE, arm(shift=0.002))["avg"]
    assert (found.verdict, found.within_margin) == (Verdict.BETTER, True)


def test_equivalent():
    found = compare(BASE, arm(shift=0.0))["avg"]
    assert (found.verdict, found.reason) == (Verdict.EQUIVALENT, Reason.WITHIN_MARGIN)
    assert found.seeds_needed is None


class TestDivergence:
    def test_one_run_more_changes_no_verdict(self):
        found = compare(BASE, arm(shift=0.02, seeds=range(7), diverged=(7,)))["avg"]
        assert found.verdict is Verdict.BETTER
        assert (found.diverged.count, found.diverged.total) == (1, 8)

    @pytest.mark.parametrize("shift", [0.02, 0.0])
    def test_no_better_and_no_equivalent_where_rates_differ(self, shift):
        found = compare(BASE, arm(shift=shift, seeds=range(6), diverged=(6, 7)))["avg"]
        assert (found.verdict, found.reason) == (Verdict.UNDECIDED, Reason.DIVERGENCE)

    def test_worse_among_runs_that_trained_stays_worse(self):
        assert compare(BASE, arm(shift=-0.02, seeds=range(5), diverged=(5, 6, 7)))["avg"].verdict is Verdict.WORSE

    def test_no_worse_than_a_baseline_that_diverges_more(self):
        base = ArmScores("max", {seed: BASE.scores[seed] for seed in range(5)}, diverged=(5, 6, 7))
        assert compare(base, arm(shift=-0.02))["avg"].reason is Reason.DIVERGENCE

    def test_worst_case_counts_the_diverged_runs(self):
        found = compare(BASE, arm(shift=0.02, seeds=range(4), diverged=(4, 5, 6, 7)), worst=0.1)["avg"]
        assert found.pairs == 4
        assert found.worst_case.pairs == 8
        assert found.worst_case.difference < -0.35
        assert found.worst_case.interval[0] < found.worst_case.difference < found.worst_case.interval[1]
        assert found.diverged.rate == 0.5
        assert found.diverged.interval == pytest.approx((0.1570, 0.8430), abs=1e-4)

    def test_no_worst_case_where_none_diverged(self):
        assert compare(BASE, arm())["avg"].worst_case is None

    def test_four_diverged_seeds_do_not_pass_in_silence(self, committed):
        """Four diverged seeds turn mixed's difference from -0.92 into -0.30 points."""
        mixed = next(one for one in committed if one.name == "mixed")
        kept = ArmScores("mixed", {seed: mixed.scores[seed] for seed in (4, 5, 6, 7)}, diverged=(0, 1, 2, 3))
        found = compare(next(one for one in committed if one.name == "max"), kept, worst=0.1)["mixed"]
        assert found.difference == pytest.approx(-0.0030, abs=5e-5)
        assert found.diverged.count == 4
        assert found.worst_case.difference < -0.2


class TestExamples:
    @staticmethod
    def outcomes(rates, examples=364, seeds=3, seed=0):
        rng = np.random.default_rng(seed)
        return {s: (rng.random(examples) < rates).astype(np.uint8) for s in range(seeds)}

    @staticmethod
    def arm(name, correct, **more):
        return ArmScores(name, {seed: float(row.mean()) for seed, row in correct.items()}, correct=correct, **more)

    def test_replace_seeds_that_do_not_vary(self):
        rates = np.arange(364) % 10 > 0
        always = dict.fromkeys(range(3), rates.astype(np.uint8))
        never = dict.fromkeys(range(3), (rates & (np.arange(364) % 5 > 0)).astype(np.uint8))
        found = compare(self.arm("max", always), self.arm("avg", never))["avg"]
        assert found.basis == "examples"
        assert found.verdict is Verdict.WORSE
        assert found.interval[0] < found.difference < found.interval[1] < 0
        # McNemar's standard error over the 364 examples.
        discordant = np.mean(always[0] != never[0])
        assert found.standard_error == pytest.approx(math.sqrt(discordant * (1 - discordant) / 363), rel=1e-6)
        assert found.interval_new_images == found.interval_single

    def test_one_example_more_in_each_seed_says_nothing(self):
        base = np.arange(364) > 10
        more = np.arange(364) > 9
        found = compare(
            self.arm("max", dict.fromkeys(range(3), base.astype(np.uint8))),
            self.arm("avg", dict.fromkeys(range(3), more.astype(np.uint8))),
            margin=0.001,
        )["avg"]
        assert (found.basis, found.verdict) == ("examples", Verdict.UNDECIDED)

    def test_the_same_predictions_cannot_be_judged(self):
        same = dict.fromkeys(range(3), (np.arange(364) > 10).astype(np.uint8))
        assert compare(self.arm("max", same), self.arm("avg", same))["avg"].reason is Reason.ZERO_VARIANCE

    def test_packed_and_plain_are_alike(self):
        base, other = self.outcomes(0.9, 1003, 5, 1), self.outcomes(0.8, 1003, 5, 2)
        plain = compare(self.arm("max", base), self.arm("avg", other))["avg"]

        def packed(name, correct):
            scores = {seed: float(row.mean()) for seed, row in correct.items()}
            bits = {seed: np.packbits(row) for seed, row in correct.items()}
            return ArmScores(name, scores, correct=bits, examples=1003)

        assert compare(packed("max", base), packed("avg", other))["avg"] == plain
        assert plain.basis == "seeds"
        assert plain.interval_new_images is not None

    def test_bool_is_allowed(self):
        base = {seed: row.astype(bool) for seed, row in self.outcomes(0.9).items()}
        assert self.arm("max", base).outcomes(0).dtype == np.int8

    def test_outcomes_that_are_not_the_metric(self):
        base, other = self.outcomes(0.9), self.outcomes(0.8)
        wrong = ArmScores("avg", dict.fromkeys(range(3), 0.3), correct=other)
        with pytest.raises(ConfigError, match="share of correct"):
            compare(self.arm("max", base), wrong)

    def test_outcomes_of_other_test_sets(self):
        with pytest.raises(ConfigError, match="same test examples"):
            compare(self.arm("max", self.outcomes(0.9)), self.arm("avg", self.outcomes(0.8, 300)))

    def test_an_error_rate_has_the_opposite_sign(self):
        base, other = self.outcomes(0.9, 1000), self.outcomes(0.7, 1000, seed=5)

        def error(name, correct):
            return ArmScores(name, {s: 1 - float(row.mean()) for s, row in correct.items()}, correct=correct)

        found = compare(error("max", base), error("avg", other), higher_is_better=False)["avg"]
        assert found.verdict is Verdict.WORSE
        assert found.interval_new_images[0] < found.difference < found.interval_new_images[1]


BAD = {
    "a margin of 0": (lambda: compare(BASE, arm(), margin=0.0), "margin=0"),
    "no number as margin": (lambda: compare(BASE, arm(), margin=math.nan), "margin=nan"),
    "confidence in percent": (lambda: compare(BASE, arm(), confidence=95), "between 0.5 and 1"),
    "two arms of one name": (lambda: compare(BASE, arm(), arm()), "more than once: avg"),
    "a seed that diverged and trained": (lambda: ArmScores("avg", {0: 0.9}, diverged=(0,)), "named as diverged"),
    "a negative count": (lambda: ArmScores("avg", {}, failed=-1), "failed=-1"),
    "outcomes of floats": (lambda: ArmScores("avg", {0: 1.0}, correct={0: np.ones(5)}), "bool or uint8"),
    "outcomes of a wrong length": (
        lambda: ArmScores("avg", {0: 1.0}, correct={0: np.ones(5, np.uint8)}, examples=100),
        "length 13 or 100",
    ),
    "looks that do not ascend": (lambda: Looks((8, 5)), "ascending order"),
    "a look at one seed": (lambda: Looks((1, 5)), "at least 2"),
    "spending for other looks": (lambda: Looks((3, 5), (0.05,)), "2 looks"),
    "spending too much": (lambda: compare(BASE, arm(), looks=Looks((3, 8), (0.05, 0.05))), "more than 0.05"),
    "no setting": (lambda: compare_overall([]), "no setting"),
    "settings of two baselines": (
        lambda: compare_overall([compare(BASE, arm()), compare(BASE, arm(), baseline="avg")]),
        "different values of baseline: max, avg",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_has_one_clear_message(case):
    make, message = BAD[case]
    with pytest.raises(ConfigError, match=message):
        make()


def test_all_faults_at_once():
    with pytest.raises(ConfigError) as raised:
        compare(BASE, arm(), arm(), margin=-1, confidence=2)
    assert len(str(raised.value).splitlines()) == 3
