"""The measure of growth tells work that grows as its input from work that grows faster."""

import pytest

from tests.growth import assert_grows


def linear(size):
    return lambda: sum(range(10_000 * size))


def quadratic(size):
    return lambda: [sum(range(1_000 * size)) for _ in range(size)]


def test_linear_work_passes():
    assert_grows(linear, (10, 40), less_than=5.2)


def test_quadratic_work_is_refused():
    with pytest.raises(AssertionError, match=r"times, not less than 5\.2"):
        assert_grows(quadratic, (10, 40), less_than=5.2)


def test_a_time_that_was_disturbed_is_measured_again():
    """Work that takes ten times as long in the first five rounds, as beside another program."""
    rounds = []

    def disturbed(size):
        rounds.append(size)
        return linear(10 * size if size == 40 and len(rounds) < 11 else size)

    assert_grows(disturbed, (10, 40), less_than=5.2)
    assert len(rounds) == 12
