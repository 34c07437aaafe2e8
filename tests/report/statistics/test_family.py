"""Joint inference: the max-t level, sign flips, looks, ranks, and several settings."""

import itertools

import numpy as np
import pytest
from report_simulation.cells import Cell, noise, study

from poolab.report.statistics import ArmScores, Looks, Reason, Verdict, compare_overall, compare_setting
from poolab.report.statistics.family import moderated_lines
from poolab.report.statistics.permutation import sign_flip_step_down
from poolab.report.statistics.simultaneous import comparison_alpha, shrunk_correlation

RNG = np.random.default_rng(9)


@pytest.fixture(autouse=True)
def fresh():
    """Each test draws the same numbers, whatever ran before it. (With seed 8 two equal arms differ by chance.)"""
    RNG.bit_generator.state = np.random.default_rng(9).bit_generator.state


MEANS = (0.9, 0.9, 0.8, 0.7)


def scores(name, values, start=0):
    return ArmScores(name, {start + seed: float(value) for seed, value in enumerate(values)})


class TestLevel:
    @pytest.mark.parametrize("arms", [2, 5, 11])
    @pytest.mark.parametrize("seeds", [2, 3, 8, 20])
    def test_lies_between_bonferroni_and_one_comparison(self, arms, seeds):
        level = comparison_alpha(RNG.normal(size=(seeds, arms)), draws=3000)
        assert 0.05 / arms <= level <= 0.05

    def test_one_arm_is_the_paired_t(self):
        assert comparison_alpha(RNG.normal(size=(5, 1))) == 0.05

    def test_copies_of_one_arm_are_nearly_one_comparison(self):
        one = RNG.normal(size=(20, 1))
        assert comparison_alpha(one + 1e-6 * RNG.normal(size=(20, 5))) > 0.045

    def test_is_the_same_each_time_and_for_any_unit_and_shift(self):
        values = RNG.normal(size=(8, 4))
        level = comparison_alpha(values)
        assert comparison_alpha(values) == level
        assert comparison_alpha(100 * values + 3) == pytest.approx(level, rel=1e-6)

    def test_missing_seeds(self):
        values = RNG.normal(size=(8, 4))
        values[5:, 0] = values[0, 2] = np.nan
        assert 0.0125 <= comparison_alpha(values) <= 0.05

    def test_disjoint_seeds_have_no_correlation(self):
        values = np.full((6, 2), np.nan)
        values[:3, 0], values[3:, 1] = (1, 2, 4), (1, 3, 2)
        assert shrunk_correlation(values).tolist() == [[1, 0], [0, 1]]

    def test_three_seeds_promise_nothing_of_the_correlation(self):
        values = RNG.normal(size=(3, 6))
        assert comparison_alpha(values) < 0.05 / 6 * 1.3


class TestSignFlips:
    def test_is_the_enumeration_by_hand(self):
        values = RNG.normal(0.5, 1, size=(6, 3))

        def statistic(sample):
            return np.abs(sample.mean(axis=0)) / sample.std(axis=0, ddof=1)

        observed = statistic(values)
        flipped = np.array(
            [statistic(values * np.array(signs)[:, None]) for signs in itertools.product((1, -1), repeat=6)]
        )
        order = np.argsort(-observed)
        expected, least = np.empty(3), 0.0
        for place, arm in enumerate(order):
            share = np.mean(flipped[:, order[place:]].max(axis=1) >= observed[arm] * (1 - 1e-9))
            least = max(least, share)
            expected[arm] = least
        assert sign_flip_step_down(values) == pytest.approx(expected, abs=1e-12)

    def test_many_seeds_are_drawn_and_repeat(self):
        values = RNG.normal(0.3, 1, size=(25, 3))
        first = sign_flip_step_down(values)
        assert first == sign_flip_step_down(values)
        assert sign_flip_step_down(values + 5) == [pytest.approx(1 / 20_001)] * 3

    def test_all_of_one_sign_reach_the_floor_though_their_t_is_infinite(self):
        assert sign_flip_step_down(np.full((8, 1), 0.25)) == [2 / 2**8]

    def test_zeros_among_the_differences(self):
        assert sign_flip_step_down(np.array([[0.0], [0.0], [1.0], [2.0]])) == [0.5]


class TestLooks:
    @staticmethod
    def arms(seeds, gain=0.012):
        base = 0.9 + 0.004 * np.sin(np.arange(30) * 2.0)
        other = base + gain + 0.004 * np.sin(np.arange(30) * 3.7)
        return [scores("max", base[:seeds]), scores("avg", other[:seeds])]

    def test_a_declared_look_spends_its_part(self):
        found = compare_setting(self.arms(8), "max", margin=0.005, looks=Looks((3, 5, 8, 12, 20)))
        assert (found.method, found.looks_spent) == ("look", (3, 5, 8))
        assert found.family_confidence == pytest.approx(0.99)
        plain = compare_setting(self.arms(8), "max", margin=0.005)
        assert found["avg"].interval[0] < plain["avg"].interval[0]
        assert found["avg"].interval_single == plain["avg"].interval_single

    @pytest.mark.parametrize("looks", [Looks(), Looks((3, 5, 12)), Looks((3, 5))])
    def test_another_number_of_seeds_is_judged_by_the_e_process(self, looks):
        found = compare_setting(self.arms(8), "max", margin=0.005, looks=looks)
        assert found.method == "e_process"
        line = found["avg"]
        assert (line.verdict is Verdict.BETTER) == (line.e_value >= 20) == (line.interval[0] > 0)

    def test_two_seeds_exclude_nothing(self):
        found = compare_setting(self.arms(2), "max", margin=0.005, looks=Looks())["avg"]
        assert (found.interval, found.verdict, found.reason) == (None, Verdict.UNDECIDED, Reason.INTERVAL_TOO_WIDE)
        assert found.detectable is None
        assert found.seeds_needed > 2

    def test_many_seeds_without_a_difference_are_equivalent(self):
        found = compare_setting(self.arms(30, 0.0), "max", margin=0.02, looks=Looks())["avg"]
        assert found.verdict is Verdict.EQUIVALENT

    def test_diverged_seeds_count_as_seen(self):
        base, other = self.arms(8)
        other = ArmScores("avg", {seed: other.scores[seed] for seed in range(7)}, diverged=(7,))
        assert compare_setting([base, other], "max", margin=0.005, looks=Looks((8,))).method == "look"

    def test_the_number_may_be_told(self):
        assert compare_setting(self.arms(7), "max", margin=0.005, looks=Looks((8,), seeds=8)).method == "look"


class TestOverall:
    @staticmethod
    def settings(count, gain=0.01, spread=0.0, arms=3):
        rng = np.random.default_rng(count)
        found = []
        for setting in range(count):
            gains = [0.0, gain + spread * rng.standard_normal(), *[0.0] * (arms - 2)]
            values = [0.8 + one + 0.004 * rng.standard_normal(6) for one in gains]
            names = ("max", "better", "same", "alike")
            found.append(
                compare_setting(
                    [scores(name, row) for name, row in zip(names, values, strict=False)],
                    "max",
                    margin=0.005,
                    setting=f"set {setting}",
                )
            )
        return found

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_refused_below_four_settings(self, count):
        found = compare_overall(self.settings(count))
        assert all(arm.difference is None and arm.prediction is None for arm in found.arms)
        assert all(
            arm.refused.endswith(f"needs at least 4, and there {'is' if count == 1 else 'are'} {count}")
            for arm in found.arms
        )
        assert found.arms[0].better + found.arms[0].undecided == count

    def test_pooled_from_four_settings_on(self):
        better, same = compare_overall(self.settings(6)).arms
        assert better.interval[0] > 0
        assert better.p_adjusted >= better.p
        assert same.interval[0] < 0 < same.interval[1]
        assert better.prediction[0] <= better.interval[0]

    def test_prediction_is_wider_where_settings_differ(self):
        found = compare_overall(self.settings(8, spread=0.02)).arms[0]
        assert found.tau > 0.01
        assert found.i2 > 0.8
        assert found.prediction[1] - found.prediction[0] > 2 * (found.interval[1] - found.interval[0])

    def test_a_setting_without_the_baseline_or_the_arm_is_left_out(self):
        settings = self.settings(4)
        lone = compare_setting([scores("better", [0.8, 0.82, 0.81])], "max", margin=0.005, setting="no baseline")
        found = compare_overall([*settings, lone])
        assert (found.arms[0].settings, found.arms[0].undecided) == (4, 1)
        assert found.arms[1].settings == 4

    @pytest.mark.parametrize(("count", "drawn"), [(4, False), (11, False), (12, True)])
    def test_critical_difference_only_from_twelve_settings_on(self, count, drawn):
        found = compare_overall(self.settings(count))
        assert (found.critical_difference is not None) == drawn
        assert (found.refused is None) == drawn

    def test_mean_ranks_and_groups(self):
        found = compare_overall(self.settings(14, arms=4)).critical_difference
        assert found.mean_ranks["better"] == 1.0
        assert set(found.groups) == {tuple(sorted(("max", "same", "alike"), key=found.mean_ranks.get))}
        assert found.p_friedman < 0.001

    def test_two_arms_have_no_friedman(self):
        found = compare_overall(self.settings(12, arms=2)).critical_difference
        assert found.p_friedman is None
        assert found.p_pairs[("max", "better")] < 0.01

    def test_equal_means_everywhere(self):
        rows = [0.8, 0.81, 0.82]
        settings = [
            compare_setting([scores("max", rows), scores("avg", rows)], "max", margin=0.005, setting=str(number))
            for number in range(12)
        ]
        found = compare_overall(settings)
        assert found.critical_difference.p_pairs == {("max", "avg"): 1.0}
        assert found.arms[0].refused is not None


class TestRanks:
    def test_from_all_pairs(self):
        arms = [scores(name, base + 0.003 * RNG.standard_normal(8)) for name, base in zip("abcd", MEANS, strict=True)]
        assert compare_setting(arms, "a", margin=0.005).ranks == {"a": (1, 2), "b": (1, 2), "c": (3, 3), "d": (4, 4)}

    def test_the_best_of_ten_equal_arms_is_not_the_best(self):
        rng = np.random.default_rng(0)
        arms = [scores(f"arm{number}", 0.9 + 0.005 * rng.standard_normal(5)) for number in range(10)]
        assert set(compare_setting(arms, "arm0", margin=0.005).ranks.values()) == {(1, 10)}

    def test_a_loss_ranks_the_other_way(self):
        arms = [
            scores(name, base + 0.003 * RNG.standard_normal(8)) for name, base in zip("ab", (0.9, 0.5), strict=True)
        ]
        assert compare_setting(arms, "a", margin=0.005, higher_is_better=False).ranks == {"a": (2, 2), "b": (1, 1)}


class TestPower:
    def test_headroom(self):
        arms = [scores("max", [0.992, 0.993, 0.994]), scores("avg", [0.99, 0.991, 0.993])]
        assert compare_setting(arms, "max", margin=0.005, best=1.0)["avg"].headroom == pytest.approx(0.007)

    def test_a_pilot_of_three_seeds_promises_little(self):
        """A deviation from three seeds may be half or six times the true one."""
        found = compare_setting(
            [scores("max", [0.9, 0.9, 0.9]), scores("avg", [0.901, 0.905, 0.897])], "max", margin=0.005
        )["avg"]
        low, high = found.deviation_interval
        assert low / found.deviation == pytest.approx(0.5207, abs=1e-4)
        assert high / found.deviation == pytest.approx(6.285, abs=1e-3)
        assert found.detectable_range == pytest.approx(
            [found.detectable * end / found.deviation for end in (low, high)]
        )
        assert found.seeds_needed_range[0] <= found.seeds_needed <= found.seeds_needed_range[1]

    def test_pairing_gains_what_the_correlation_says(self):
        common = RNG.normal(0, 0.01, 400)
        first, second = (common + RNG.normal(0, 0.005, 400) for _ in range(2))
        found = compare_setting([scores("max", first), scores("avg", second)], "max", margin=0.005)["avg"]
        assert found.correlation == pytest.approx(0.8, abs=0.04)
        assert found.pairing_gain == pytest.approx(1 / (1 - found.correlation), rel=0.02)


class TestModerated:
    @pytest.mark.parametrize(
        ("seeds", "arms", "shown"),
        [(2, 4, False), (2, 5, True), (3, 3, True), (3, 2, False), (5, 4, True), (6, 4, False)],
    )
    def test_up_to_five_pairs_and_with_two_only_of_four_arms_or_more(self, seeds, arms, shown):
        made = [scores(name, 0.9 + 0.005 * RNG.standard_normal(seeds)) for name in "abcde"[:arms]]
        found = compare_setting(made, "a", margin=0.005)
        assert [one.moderated is not None for one in found.arms] == [False] + [shown] * (arms - 1)

    @pytest.mark.parametrize("seeds", [2, 3])
    def test_ten_arms_without_a_difference_are_claimed_in_less_than_five_percent(self, seeds):
        """With the degrees of freedom of independent variances it were 7 %, which 1,500 studies tell from 5 %."""
        cell, claims = Cell(11, seeds, 0.5), 0
        for values in 0.8 + noise(cell, 1500, np.random.default_rng(0)):
            lines = moderated_lines(study(values, np.ones_like(values, dtype=bool)), 0.05)
            claims += min(line.p_adjusted for line in lines if line is not None) <= 0.05
        assert claims / 1500 < 0.05

    def test_narrower_with_three_seeds_and_many_arms(self):
        arms = [scores(f"arm{one}", 0.9 + 0.005 * RNG.standard_normal(3)) for one in range(11)]
        found = compare_setting(arms, "arm0", margin=0.005)
        widths = [
            (one.moderated.interval[1] - one.moderated.interval[0], one.interval_single[1] - one.interval_single[0])
            for one in found.arms[1:]
        ]
        assert np.mean([first for first, _ in widths]) < 0.6 * np.mean([second for _, second in widths])
