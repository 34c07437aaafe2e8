import random
from itertools import product
from statistics import median

import pytest

from poolab.bench.figures import Figure, figure, interval, paired, quotient


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0], [1.0, 5.0, 2.0, 9.0, 4.0]])
def test_the_interval_is_that_of_all_resamples(values):
    """Every resample of a small sample, counted: the percentiles of their medians."""
    medians = sorted(median(draw) for draw in product(values, repeat=len(values)))
    low, high = (medians[round(share * len(medians))] for share in (0.025, 0.975))
    assert interval(values) == (low, high)


@pytest.mark.parametrize("n", [10, 15, 30])
def test_the_interval_covers_the_true_median_about_as_often_as_it_says(n):
    rng, truth, trials = random.Random(1), 1.0, 1000
    held = 0
    for _ in range(trials):
        low, high = interval([rng.lognormvariate(0.0, 0.3) for _ in range(n)])
        held += low <= truth <= high
    assert 0.92 < held / trials < 0.99


def test_the_interval_bears_many_rounds():
    low, high = interval(range(5000))
    assert 2400 < low < 2500 < high < 2600


@pytest.mark.parametrize(("values", "refused"), [
    ([1.00, 1.01, 1.02, 1.03, 1.04], False),
    ([1.00, 1.00, 1.00, 1.00, 9.00], False),  # one disturbed round of five is not the spread
    ([1.00, 1.00, 1.05, 1.20, 1.30], True),
    ([2.0], False),
])  # fmt: skip
def test_a_spread_over_a_tenth_of_the_median_is_refused(values, refused):
    assert figure(values).refused is refused


def test_a_ratio_is_formed_within_each_round():
    """The machine is ten times as slow in every second round; the ratio of two stays 2."""
    slow = [1.0, 10.0] * 8
    ours = dict(enumerate(2.0 * each for each in slow))
    theirs = dict(enumerate(slow))
    assert figure(list(ours.values())).refused
    ratio = paired(ours, theirs)
    assert (ratio.median, ratio.low, ratio.high, ratio.refused) == (2.0, 2.0, 2.0, False)


def test_rounds_that_only_one_side_has_do_not_count():
    assert paired({0: 3.0, 7: 1.0}, {0: 1.0, 8: 1.0}).rounds == 1
    assert paired({0: 3.0}, {1: 1.0}) is None


def test_the_interval_of_a_quotient_is_wider_than_either():
    old, new = Figure(2.0, 1.9, 2.1, 0.1, 15, False), Figure(1.0, 0.9, 1.1, 0.1, 15, False)
    changed, low, high = quotient(new, old)
    assert changed == 0.5
    assert 0.5 * 1.9 / 2.1 * 0.9 < low < 0.45 < 0.55 < high < 0.5 * 1.1 * 2.1 / 1.9
