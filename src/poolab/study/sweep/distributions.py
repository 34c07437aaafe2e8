"""Convert a point of the unit interval, or the number of a choice, to a parameter's value, with W&B's meaning.

A search works with such coordinates: the quantile of a value lies between 0 and 1 and is uniform whatever the
distribution is, so that a sampler needs to know three kinds of dimensions only.
"""

import itertools
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

from poolab.study.sweep.parameters import Parameter

# The quantiles 0 and 1 of a normal distribution are infinite; these are seven deviations away.
LEAST = 1e-12
LOGARITHMIC = ("log_uniform", "inv_log_uniform")


def searched(parameter: Parameter) -> bool:
    """Return True unless the parameter has a single value."""
    return len(possible(parameter)) != 1


def possible(parameter: Parameter) -> Sequence[Any]:
    """Return the values that can be drawn, if they can be listed: choices (without those of probability 0), integers.

    >>> possible(Parameter("pooling", "categorical", ("max", "avg"), (1.0, 0.0)))
    ('max',)
    """
    if parameter.probabilities:
        pairs = zip(parameter.values, parameter.probabilities, strict=True)
        return tuple(value for value, probability in pairs if probability > 0)
    if parameter.distribution == "int_uniform" and parameter.min is not None and parameter.max is not None:
        return range(int(parameter.min), int(parameter.max) + 1)
    return parameter.values


def value_at(parameter: Parameter, coordinate: float) -> Any:
    """Return the value at a coordinate: the index of a choice, the integer of int_uniform, else the quantile.

    >>> value_at(Parameter("lr", "log_uniform_values", min=1e-4, max=1e-2), 0.5)
    0.001
    >>> value_at(Parameter("pooling", "categorical", ("max", "avg"), (0.9, 0.1)), 0.95)
    'avg'
    """
    if parameter.probabilities:
        return _by_probability(parameter, coordinate)
    if parameter.values:
        return parameter.values[int(coordinate)]
    if parameter.distribution == "int_uniform":
        return int(coordinate)
    kind = parameter.distribution
    number = _quantile(parameter)(coordinate)
    return rounded(number, parameter.q) if kind.startswith("q_") and parameter.q else _within(parameter, number)


def coordinate_of(parameter: Parameter, index: int) -> float:
    """Return the coordinate of the value `possible(parameter)[index]`."""
    if parameter.probabilities:
        ends = [0.0, *itertools.accumulate(one for one in parameter.probabilities if one > 0)]
        return (ends[index] + ends[index + 1]) / 2
    return possible(parameter)[index] if parameter.distribution == "int_uniform" else index


def rounded(value: float, step: float) -> float:
    """Return the nearest multiple of a step; an integer if the step is one.

    >>> rounded(2.6, 1.0), rounded(0.31, 0.1)
    (3, 0.3)
    """
    number = round(value / step) * step
    # 3 * 0.1 is 0.30000000000000004, which is no other setting than the 0.3 of a list.
    return int(number) if float(step).is_integer() else float(f"{number:.12g}")


def ends(parameter: Parameter) -> tuple[float, float]:
    """Return the ends of a range of numbers; of a normal distribution the mean plus and minus two deviations (95 %).

    >>> ends(Parameter("lr", "inv_log_uniform", min=0.0, max=math.log(10)))
    (0.1, 1.0)
    """
    kind = parameter.distribution
    if kind in ("beta", "q_beta"):
        least, most = 0.0, 1.0
    elif kind.endswith("normal"):
        middle, spread = parameter.mu or 0.0, parameter.sigma or 1.0
        least, most = middle - 2 * spread, middle + 2 * spread
        if "log" in kind:
            least, most = math.exp(least), math.exp(most)
    else:
        least, most = _range(parameter)
    if kind == "uniform":  # it draws numbers with decimals, also between whole ends
        least, most = float(least), float(most)
    return (rounded(least, parameter.q), rounded(most, parameter.q)) if parameter.q else (least, most)


def representable(parameter: Parameter) -> bool:
    """Return True if every number that a distribution gives is finite.

    >>> representable(Parameter("x", "log_normal", mu=0.0, sigma=200.0))
    False
    """
    if parameter.values or parameter.distribution == "int_uniform":
        return True
    try:
        numbers = [*ends(parameter)]
        if "beta" not in parameter.distribution:  # its numbers lie between 0 and 1
            numbers += [value_at(parameter, 0.0), value_at(parameter, 1.0)]
    except (ArithmeticError, ValueError):
        return False
    return all(map(math.isfinite, numbers))


def _range(parameter: Parameter) -> tuple[float, float]:
    """Return the range: the ends of log_uniform are exponents of e, of inv_log_uniform those of the inverse."""
    assert parameter.min is not None
    assert parameter.max is not None
    kind = parameter.distribution.removeprefix("q_")
    if kind == "inv_log_uniform":
        return _exp(-parameter.max), _exp(-parameter.min)
    return (_exp(parameter.min), _exp(parameter.max)) if kind == "log_uniform" else (parameter.min, parameter.max)


def _by_probability(parameter: Parameter, quantile: float) -> Any:
    pairs = zip(parameter.values, parameter.probabilities or (), strict=True)
    drawn = [(value, probability) for value, probability in pairs if probability > 0]
    sums = list(itertools.accumulate(probability for _, probability in drawn))
    return drawn[min(bisect_right(sums, quantile), len(drawn) - 1)][0]


def _quantile(parameter: Parameter) -> Callable[[float], float]:
    """Return the inverse of its cumulative distribution, before rounding to q."""
    kind = parameter.distribution.removeprefix("q_")
    if kind == "beta":
        from scipy.special import betaincinv

        return lambda quantile: float(betaincinv(parameter.a, parameter.b, quantile))
    if kind in ("normal", "log_normal"):
        normal = NormalDist(parameter.mu or 0.0, parameter.sigma or 1.0)
        finite = lambda quantile: normal.inv_cdf(min(max(quantile, LEAST), 1 - LEAST))  # noqa: E731
        return finite if kind == "normal" else lambda quantile: math.exp(finite(quantile))
    least, most = _range(parameter)
    if kind.removesuffix("_values") in LOGARITHMIC:
        low, high = math.log(least), math.log(most)
        return lambda quantile: _exp(low + quantile * (high - low))
    return lambda quantile: least + quantile * (most - least)


def _within(parameter: Parameter, number: float) -> float:
    """Return the number inside its range: exp(log(x)) may be the next number beyond x."""
    if parameter.min is None:
        return number
    least, most = _range(parameter)
    return min(max(number, least), most)


def _exp(exponent: float) -> float:
    """Return e to this power, rounded to fifteen digits, so that exp(log(x)) gives x back."""
    return float(f"{math.exp(exponent):.15g}")
