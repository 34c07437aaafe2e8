from contextlib import contextmanager

import pytest

from poolab.bench.interleaved import LEAST_ROUNDS, WARM_UP_CALLS, Case, Interleaved, Plan


class Machine:
    """A clock that moves only when a step takes its time, and a record of what ran."""

    def __init__(self):
        self.now, self.ran = 0.0, []

    def case(self, name, cost, baseline=None, **how):
        """A step that takes cost(how often it ran before) seconds."""
        costs = cost if callable(cost) else lambda _: cost

        def step():
            self.now += costs(self.ran.count(name))
            self.ran.append(name)

        return Case(lambda: step, baseline, **how)

    def measure(self, cases, **plan):
        timed = Interleaved(cases, Plan(**{"rounds": 6, "extra_rounds": 12, **plan}), clock=lambda: self.now)
        timed.run()
        return timed


@pytest.fixture
def machine():
    return Machine()


def test_each_round_has_every_case_once_in_a_new_order(machine):
    names = ["a", "b", "c", "d"]
    machine.measure({name: machine.case(name, 0.01) for name in names})
    warm_up = len(names) * (WARM_UP_CALLS + 1)
    rounds = [tuple(machine.ran[at : at + 4]) for at in range(warm_up, len(machine.ran), 4)]
    assert len(rounds) == 6
    assert all(sorted(each) == names for each in rounds)
    assert len(set(rounds)) > 3


def test_the_seed_chooses_the_order():
    orders = []
    for seed in (1, 1, 2):
        machine = Machine()
        machine.measure({name: machine.case(name, 0.01) for name in "abcd"}, seed=seed)
        orders.append(machine.ran)
    assert orders[0] == orders[1] != orders[2]


def test_a_short_call_is_repeated_until_the_sample_is_long_enough(machine):
    timed = machine.measure({"short": machine.case("short", 1e-5), "long": machine.case("long", 0.5)})
    assert timed.samples["long"].repeats == 1
    assert 100 <= timed.samples["short"].repeats <= 110
    assert timed.seconds("short").median == pytest.approx(1e-5)


def test_warm_up_is_not_timed(machine):
    cold = machine.case("a", lambda calls: 5.0 if calls < WARM_UP_CALLS else 0.01)
    assert machine.measure({"a": cold}).seconds("a").high == pytest.approx(0.01)


def test_what_prepare_does_is_not_timed_but_counted_as_spent(machine):
    def prepare():
        machine.now += 3.0
        return step

    def step():
        machine.now += 0.01

    timed = machine.measure({"a": Case(prepare)}, seconds=1e9)
    assert timed.seconds("a").median == pytest.approx(0.01)
    assert timed.samples["a"].spent == pytest.approx(6 * 3.01)


def test_an_unsteady_case_gets_a_bounded_number_of_rounds_and_is_refused(machine):
    unsteady = machine.case("b", lambda calls: 0.01 if calls % 2 else 0.02, "a")
    timed = machine.measure({"a": machine.case("a", 0.01), "b": unsteady, "c": machine.case("c", 0.03, "a")})
    rounds = {name: timed.seconds(name).rounds for name in "abc"}
    assert rounds == {"a": 18, "b": 18, "c": 6}  # the baseline goes along, the steady one does not
    assert timed.seconds("b").refused
    assert timed.ratio("b").refused
    assert timed.seconds("b").iqr == pytest.approx(0.01)  # the figures are there all the same
    assert not timed.seconds("c").refused


def test_a_case_that_settles_is_measured_no_longer_than_it_needs(machine):
    settling = machine.case("a", lambda calls: 0.02 if calls < 7 else 0.01)
    timed = machine.measure({"a": settling}, rounds=4, extra_rounds=50)
    assert not timed.seconds("a").refused
    assert 4 < timed.seconds("a").rounds < 30


def test_a_slow_case_ends_early_but_not_before_it_has_an_interval(machine):
    timed = machine.measure({"a": machine.case("a", 0.01), "b": machine.case("b", 7.0, "a")}, seconds=1.0, rounds=20)
    assert timed.seconds("b").rounds == LEAST_ROUNDS
    assert timed.seconds("a").rounds == 20
    assert timed.ratio("b").rounds == LEAST_ROUNDS


def test_a_ratio_to_another_case(machine):
    timed = machine.measure({name: machine.case(name, cost) for name, cost in {"a": 0.01, "b": 0.03}.items()})
    assert timed.ratio("b") is None
    assert timed.ratio("b", "a").median == pytest.approx(3.0)


@pytest.mark.parametrize("late", [False, True])
def test_a_case_that_raises_keeps_the_reason_and_leaves_the_others(machine, late):
    def cost(calls):
        if not late or calls > 5:
            raise ValueError("no such window\nmore")
        return 0.01

    timed = machine.measure({"a": machine.case("a", 0.01), "b": machine.case("b", cost, "a")})
    assert timed.samples["b"].fault == "ValueError: no such window"
    assert timed.seconds("a").rounds == 6
    assert (timed.seconds("b") is None) is not late


def test_the_context_is_entered_outside_the_timed_stretch(machine):
    @contextmanager
    def around():
        machine.now += 1.0
        inside.append(True)
        yield
        inside.pop()

    inside, seen = [], []
    case = machine.case("a", lambda _: seen.append(bool(inside)) or 0.01, around=around)
    assert machine.measure({"a": case}).seconds("a").high == pytest.approx(0.01)
    assert all(seen)


def test_ctrl_c_goes_through(machine):
    def stop(calls):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        machine.measure({"a": machine.case("a", stop)})


def test_the_device_is_waited_for_on_both_sides():
    events = []
    timed = Interleaved(
        {"a": Case(lambda: lambda: events.append("step"))},
        Plan(rounds=1, extra_rounds=0),
        synchronise=lambda: events.append("wait"),
        clock=lambda: events.append("clock") or float(len(events)),
    )
    timed.run()
    assert events[-7:] == ["clock", "wait", "clock", "step", "wait", "clock", "clock"]
