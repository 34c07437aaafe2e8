"""The measure of growth tells linear work from work that grows faster; by a clock that the work itself advances."""

import pytest

from tests.growth import assert_grows


@pytest.fixture
def takes(monkeypatch):
    """Makes work that takes so many seconds of the processor."""
    now = [0.0]
    monkeypatch.setattr("tests.growth.process_time", lambda: now[0])

    def make(seconds):
        def work():
            now[0] += seconds

        return work

    return make


def test_linear_work_passes(takes):
    assert_grows(takes, (10, 40), less_than=5.2)


def test_quadratic_work_is_refused(takes):
    with pytest.raises(AssertionError, match=r"16 times, not less than 5\.2"):
        assert_grows(lambda size: takes(size * size), (10, 40), less_than=5.2)


def test_a_time_that_was_disturbed_is_measured_again(takes):
    """Work that takes twice as long in the first five rounds, as beside another program."""
    rounds = []

    def disturbed(size):
        rounds.append(size)
        return takes(2 * size if size == 40 and len(rounds) < 11 else size)

    assert_grows(disturbed, (10, 40), less_than=5.2)
    assert len(rounds) == 12
