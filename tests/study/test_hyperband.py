"""W&B's early termination, by the example of its `sweeps` package and by its words."""

import pytest

from poolab.errors import ConfigError
from poolab.study.search.hyperband import Hyperband, brackets


def test_the_example_of_the_sweeps_package():
    """Its docstring's runs; that package counts rows from 0, so that its bands 1 and 2 are our brackets 2 and 3."""
    a, b, c, d, e = [10, 9], [10, 10], [10, 8, 8], [10, 7, 7], [10, 6, 6]
    rule = Hyperband({"type": "hyperband", "min_iter": 2, "eta": 2}, "minimize")
    everybody = [a, b, c, d, e]
    assert rule.verdict(b, everybody) == "not among the best 1/2 of 5 runs at epoch 2: 10 at best, 8 was needed"
    assert rule.verdict(c, everybody) is None
    assert rule.verdict(d, everybody) is None


@pytest.mark.parametrize(("given", "expected"), [
    ({"min_iter": 3, "eta": 3}, [3, 9, 27, 81]),
    ({"min_iter": 3}, [3, 9, 27, 81]),
    ({"min_iter": 2, "eta": 10}, [2, 20]),
    ({"max_iter": 27, "s": 2, "eta": 3}, [3, 9]),
    ({"max_iter": 10, "s": 5, "eta": 2}, [1, 2, 5]),
])  # fmt: skip
def test_brackets(given, expected):
    assert list(brackets(given, 100)) == expected


def test_nobody_is_stopped_before_a_bracket_nor_the_first_to_reach_it():
    rule = Hyperband({"min_iter": 3, "eta": 3}, "maximize")
    assert rule.verdict([0.1, 0.1], [[0.1, 0.1], [0.9, 0.9, 0.9]]) is None
    assert rule.verdict([0.1, 0.1, 0.1], [[0.1, 0.1, 0.1], [0.9, 0.9]]) is None
    assert rule.verdict([], [[]]) is None


def test_the_best_of_all_epochs_counts_and_who_comes_later():
    rule = Hyperband({"min_iter": 2, "eta": 2}, "maximize")
    own = [0.8, 0.5, 0.5]
    others = [[0.1, 0.7], [0.1, 0.6], [0.1, 0.1]]
    assert rule.verdict(own, [own, *others]) is None  # 0.8 in its first epoch
    better = [[0.1, 0.9]] * 5
    assert rule.verdict(own, [own, *others, *better]) is not None
    strict = Hyperband({"min_iter": 2, "eta": 2, "strict": True}, "maximize")
    assert "0.5 there, 0.6 was needed" in strict.verdict(own, [own, *others])
    assert strict.verdict(others[1], [own, *others]) is None


def test_of_nine_runs_strict_lets_three_go_on_and_the_other_four():
    everybody = [[index / 10] for index in range(9)]
    for strict, count in ((True, 3), (False, 4)):
        rule = Hyperband({"min_iter": 1, "eta": 3, "strict": strict}, "maximize")
        assert sum(rule.verdict(one, everybody) is None for one in everybody) == count


def test_a_rule_without_a_bracket_is_a_fault(written):
    more = "metric: {name: val/accuracy, goal: maximize}\nearly_terminate: {type: hyperband, max_iter: 2, s: 1}"
    with pytest.raises(ConfigError, match="no bracket"):
        written("{seed: {values: [0, 1]}}", "random", more)
