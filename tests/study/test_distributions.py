"""What is drawn has W&B's distributions: held to scipy's and to closed forms, on fixed seeds."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from poolab.study.search.samplers import Sampler
from poolab.study.search.space import Space
from poolab.study.sweep.distributions import coordinate_of, possible, value_at
from poolab.study.sweep.parameters import read_parameters

DRAWS = 1000

CONTINUOUS = {
    "uniform": ("{min: -1.0, max: 3.0}", stats.uniform(-1, 4).cdf),
    "log_uniform": ("{min: -3, max: 2}", lambda x: stats.uniform(-3, 5).cdf(np.log(x))),
    "log_uniform_values": ("{min: 0.001, max: 10}", stats.loguniform(0.001, 10).cdf),
    # 1/x is log-uniform, between e^min and e^max; of the values' kind the ends are those of x.
    "inv_log_uniform": ("{min: 1, max: 4}", lambda x: 1 - stats.loguniform(math.e, math.exp(4)).cdf(1 / np.array(x))),
    "inv_log_uniform_values": ("{min: 0.01, max: 2}", stats.loguniform(0.01, 2).cdf),
    "normal": ("{mu: 2, sigma: 0.5}", stats.norm(2, 0.5).cdf),
    "log_normal": ("{mu: -1, sigma: 0.7}", stats.lognorm(s=0.7, scale=math.exp(-1)).cdf),
    "beta": ("{a: 2, b: 5}", stats.beta(2, 5).cdf),
}
# Each with what it rounds.
ROUNDED = {
    "q_uniform": ("{min: 0, max: 10, q: 4}", stats.uniform(0, 10).cdf, 4),
    "q_log_uniform": ("{min: 0, max: 3, q: 5}", lambda x: stats.loguniform(1, math.exp(3)).cdf(x), 5),
    "q_log_uniform_values": ("{min: 1, max: 100, q: 10}", stats.loguniform(1, 100).cdf, 10),
    "q_normal": ("{mu: 1, sigma: 2, q: 2}", stats.norm(1, 2).cdf, 2),
    "q_log_normal": ("{mu: 0, sigma: 1, q: 0.5}", stats.lognorm(s=1).cdf, 0.5),
    "q_beta": ("{a: 2, b: 2, q: 0.25}", stats.beta(2, 2).cdf, 0.25),
}


@pytest.fixture
def drawn(written):
    """Values that a random study draws of its parameters."""

    def draw(parameters, count=DRAWS, seed=0):
        space = Space(written(parameters, "random"))
        drawer = Sampler("random", seed=seed)
        cells = [space.cell(drawer.draw(space, number, 0)[0]).values for number in range(count)]
        return {name: [cell[name] for cell in cells] for name in cells[0]}

    return draw


def fits(values, expected):
    """Whether counts fit probabilities, by chi-square over the values that are not too rare."""
    counts = [sum(value == one for value in values) for one in expected]
    assert sum(counts) >= len(values) - 0.02 * len(values)
    usual = [(count, expected[one] * len(values)) for count, one in zip(counts, expected, strict=True)]
    found, wanted = zip(*[pair for pair in usual if pair[1] >= 5], strict=True)
    return stats.chisquare(found, np.array(wanted) * sum(found) / sum(wanted)).pvalue > 0.001


def test_continuous_distributions(drawn):
    parameters = ", ".join(
        f"{name}: {{distribution: {name}, {given[1:-1]}}}" for name, (given, _) in CONTINUOUS.items()
    )
    values = drawn(f"{{{parameters}}}")
    p_values = {name: stats.kstest(values[name], cdf).pvalue for name, (_, cdf) in CONTINUOUS.items()}
    assert min(p_values.values()) > 0.001, p_values
    # Drawn independently of each other.
    names = list(CONTINUOUS)
    correlations = [stats.spearmanr(values[a], values[b]).statistic for a, b in itertools.combinations(names, 2)]
    assert max(map(abs, correlations)) < 0.12


def test_rounded_distributions(drawn):
    parameters = ", ".join(
        f"{name}: {{distribution: {name}, {given[1:-1]}}}" for name, (given, _, _) in ROUNDED.items()
    )
    values = drawn(f"{{{parameters}}}")
    for name, (_, cdf, step) in ROUNDED.items():
        multiples = [index * step for index in range(-20, 40)]
        expected = {one: float(cdf(one + step / 2) - cdf(one - step / 2)) for one in multiples}
        assert fits(values[name], {one: share for one, share in expected.items() if share > 0}), name
        assert {type(value) for value in values[name]} == {int if step == int(step) else float}


def test_choices_and_integers(drawn):
    values = drawn(
        "{plain: {values: [max, avg, null, [1, 2]]}, whole: {min: -1, max: 3}, constant: {value: 7},"
        "weighted: {values: [a, b, c], probabilities: [0.7, 0.0, 0.3]}}"
    )
    assert fits([str(value) for value in values["plain"]], dict.fromkeys(["max", "avg", "None", "[1, 2]"], 0.25))
    assert fits(values["whole"], dict.fromkeys(range(-1, 4), 0.2))
    assert fits(values["weighted"], {"a": 0.7, "c": 0.3})
    assert set(values["weighted"]) == {"a", "c"}
    assert set(values["constant"]) == {7}


def test_a_nested_parameter_is_drawn_by_its_dotted_name(drawn):
    values = drawn("{optim: {parameters: {lr: {min: 0.1, max: 0.2}, more: {parameters: {k: {values: [1, 2]}}}}}}", 50)
    assert values.keys() == {"optim.lr", "optim.more.k"}
    assert all(0.1 <= value <= 0.2 for value in values["optim.lr"])


def test_a_trial_depends_on_its_number_and_the_seed_alone(written):
    space = Space(written("{a: {min: 0.0, max: 1.0}, b: {values: [1, 2, 3]}}", "random"))
    in_order = [Sampler("random", seed=4).draw(space, number, 0) for number in range(5)]
    assert [Sampler("random", seed=4).draw(space, number, 0) for number in reversed(range(5))] == in_order[::-1]
    assert Sampler("random", seed=5).draw(space, 0, 0) != in_order[0]
    assert Sampler("random", seed=4).draw(space, 0, 1) != in_order[0]


@pytest.mark.parametrize("given", [
    "{values: [a, b, c]}",
    "{values: [a, b, c, d], probabilities: [0.5, 0.25, 0.0, 0.25]}",
    "{min: 3, max: 9}",
])  # fmt: skip
def test_every_value_that_can_be_listed_has_its_coordinate(written, given):
    (parameter,) = written(f"{{x: {given}}}", "random").parameters
    values = possible(parameter)
    assert tuple(value_at(parameter, coordinate_of(parameter, index)) for index in range(len(values))) == tuple(values)


def test_the_ends_of_the_unit_interval_give_numbers():
    for kind in ("normal", "q_normal", "log_normal", "q_log_normal"):
        (parameter,) = read_parameters({"x": {"distribution": kind}}, [])
        assert all(math.isfinite(value_at(parameter, end)) for end in (0.0, 1.0))
    (rate,) = read_parameters({"x": {"distribution": "log_uniform_values", "min": 0.0003, "max": 0.7}}, [])
    assert (value_at(rate, 0.0), value_at(rate, 1.0)) == (0.0003, 0.7)


def test_what_the_command_line_says_is_not_searched(written):
    study = written("{pooling: {values: [max, avg]}, seed: {values: [0, 1]}, optim.lr: {value: 0.1}}", "random")
    space = Space(study, ["seed=7"])
    assert ([one.name for one in space.parameters], space.size) == (["pooling"], 2)
    assert [str(space.cell(at)) for at in space.everything()] == [
        "pooling=max optim.lr=0.1 seed=7",
        "pooling=avg optim.lr=0.1 seed=7",
    ]
