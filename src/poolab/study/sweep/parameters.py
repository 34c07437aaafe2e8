"""A parameter of a study: its possible values, as a W&B sweep file declares them."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poolab.configuration import current_setting
from poolab.errors import nearest

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# What OmegaConf looks up; Hydra takes backslashes out of a word that has no quotes.
LOOKED_UP = re.compile(r"\$\\*\{")
EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
# What each distribution needs, and what it may have beside that with the default that W&B takes.
DISTRIBUTIONS: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    "constant": (("value",), {}),
    "categorical": (("values",), {}),
    "categorical_w_probabilities": (("values", "probabilities"), {}),
    "int_uniform": (("min", "max"), {}),
    "uniform": (("min", "max"), {}),
    "q_uniform": (("min", "max"), {"q": 1.0}),
    "log_uniform": (("min", "max"), {}),  # of the exponents of e
    "log_uniform_values": (("min", "max"), {}),
    "q_log_uniform": (("min", "max"), {"q": 1.0}),
    "q_log_uniform_values": (("min", "max"), {"q": 1.0}),
    "inv_log_uniform": (("min", "max"), {}),
    "inv_log_uniform_values": (("min", "max"), {}),
    "normal": ((), {"mu": 0.0, "sigma": 1.0}),
    "q_normal": ((), {"mu": 0.0, "sigma": 1.0, "q": 1.0}),
    "log_normal": ((), {"mu": 0.0, "sigma": 1.0}),
    "q_log_normal": ((), {"mu": 0.0, "sigma": 1.0, "q": 1.0}),
    "beta": (("a", "b"), {}),
    "q_beta": (("a", "b"), {"q": 1.0}),
}
KEYS = ("value", "values", "probabilities", "distribution", "min", "max", "mu", "sigma", "q", "a", "b", "parameters")
LONGEST = 2**63
POSITIVE = ("sigma", "q", "a", "b")
# Those that a grid can step through.
COUNTABLE = ("constant", "categorical", "categorical_w_probabilities", "int_uniform", "q_uniform")


@dataclass(frozen=True)
class Parameter:
    """One parameter: its dotted name, its distribution, and the distribution's arguments (None: not used).

    `values` has the single value of a constant too. `min` and `max` of log_uniform are exponents of e, as in W&B.
    """

    name: str
    distribution: str
    values: tuple[Any, ...] = ()
    probabilities: tuple[float, ...] | None = None
    min: float | None = None
    max: float | None = None
    mu: float | None = None
    sigma: float | None = None
    q: float | None = None
    a: float | None = None
    b: float | None = None

    @property
    def choices(self) -> tuple[Any, ...]:
        """Every value that it can take, in the order of the file; empty if they cannot be counted.

        >>> Parameter("pooling.k", "int_uniform", min=2, max=4).choices
        (2, 3, 4)
        """
        if self.values:
            return self.values
        if self.distribution not in COUNTABLE or self.min is None or self.max is None:
            return ()
        step = 1 if self.q is None else self.q
        return tuple(self.min + step * index for index in range(self.count))

    @property
    def count(self) -> int:
        """The number of values that it can take; 0 if they cannot be counted.

        >>> Parameter("seed", "int_uniform", min=0, max=10**12).count
        1000000000001
        """
        if self.values:
            return len(self.values)
        if self.distribution not in COUNTABLE or self.min is None or self.max is None:
            return 0
        if self.q is None:
            return int(self.max) - int(self.min) + 1
        steps = (self.max - self.min) / self.q
        return int(min(steps + 1e-9, LONGEST)) + 1

    def __str__(self) -> str:
        """Return in one line what a study draws from."""
        if self.values:
            weights = f" with probabilities {', '.join(map(str, self.probabilities))}" if self.probabilities else ""
            return f"{', '.join('null' if value is None else str(value) for value in self.values)}{weights}"
        keys = ("min", "max", "mu", "sigma", "q", "a", "b")
        given = [f"{key} {getattr(self, key):g}" for key in keys if getattr(self, key) is not None]
        return f"{self.distribution}, {', '.join(given)}"


def read_parameters(tree: Any, errors: list[str], prefix: str = "") -> Iterator[Parameter]:
    """Return the parameters of a file, nested ones by their dotted names; errors are added to `errors`.

    >>> [one.name for one in read_parameters({"optim": {"parameters": {"lr": {"value": 0.1}}}}, [])]
    ['optim.lr']
    """
    if not isinstance(tree, Mapping) or not tree:
        errors.append(f"{prefix or 'the file: '}parameters must be a mapping from names to values, found {cut(tree)}")
        return
    for key, given in tree.items():
        name = current_setting(f"{prefix}{key}")
        if not isinstance(key, str) or not NAME.fullmatch(key):
            errors.append(f"{name}: W&B takes a letter or _, then letters, digits, _ . and -, as a parameter's name")
        elif name == "hydra" or name.startswith("hydra."):
            errors.append(f"{name}: a study sets the settings of a run, not Hydra's own")
        elif not isinstance(given, Mapping):
            errors.append(f"{name}: write `value: {cut(given)}` or `values: [...]` below it, found {cut(given)}")
        elif "parameters" in given:
            others = [other for other in given if other != "parameters"]
            errors += [f"{name}: {', '.join(map(str, others))} cannot be given with parameters"] if others else []
            yield from read_parameters(given["parameters"], errors, f"{name}.")
        else:
            own = list(_errors(given))
            errors += [f"{name}: {error}" for error in own]
            if not own:
                yield _parameter(name, given)


def _parameter(name: str, given: Mapping[str, Any]) -> Parameter:
    distribution = _distribution(given)
    _, defaults = DISTRIBUTIONS[distribution]
    numbers = {**defaults, **{key: given[key] for key in given if key not in ("value", "values", "distribution")}}
    probabilities = numbers.pop("probabilities", None)
    values = (given["value"],) if "value" in given else tuple(given.get("values", ()))
    return Parameter(name, distribution, values, probabilities and tuple(probabilities), **numbers)


def _distribution(given: Mapping[str, Any]) -> str:
    """Return the distribution; without a name, the one that W&B takes for these keys."""
    if "distribution" in given:
        return str(given["distribution"])
    if "value" in given:
        return "constant"
    if "values" in given:
        return "categorical_w_probabilities" if "probabilities" in given else "categorical"
    if "min" in given or "max" in given:
        whole = all(isinstance(given.get(key, 0), int) for key in ("min", "max"))
        return "int_uniform" if whole else "uniform"
    return "normal" if "mu" in given or "sigma" in given else ""


def _errors(given: Mapping[str, Any]) -> Iterator[str]:
    unknown = [str(key) for key in given if key not in KEYS]
    if unknown:
        for key in unknown:
            yield f"there is no key {key}; {nearest(key, list(KEYS))}a parameter takes {', '.join(KEYS)}"
        return
    kind = _distribution(given)
    if kind not in DISTRIBUTIONS:
        what = f"distribution {kind} is not known; {nearest(kind, list(DISTRIBUTIONS))}" if kind else ""
        yield f"{what or 'it needs value, values, or min and max; '}distributions are {', '.join(DISTRIBUTIONS)}"
        return
    needed, optional = DISTRIBUTIONS[kind]
    allowed = {"distribution", *needed, *optional} | ({"probabilities"} if kind == "categorical" else set())
    wrong = [f"{kind} takes no {key}" for key in given if key not in allowed]
    wrong += [f"{kind} needs {key}" for key in needed if key not in given]
    yield from wrong
    if not wrong:
        yield from _value_errors(given, kind)


def _value_errors(given: Mapping[str, Any], kind: str) -> Iterator[str]:
    for key in given.keys() - {"value", "values", "probabilities", "distribution"}:
        yield from _number_errors(key, given[key], kind)
    lowest, highest = given.get("min"), given.get("max")
    if isinstance(lowest, int | float) and isinstance(highest, int | float):
        if lowest >= highest:
            yield f"min must be below max, found {lowest} and {highest}"
        elif kind.endswith("log_uniform_values") and lowest <= 0:
            yield f"{kind} needs min above 0, found {lowest}"
        elif kind == "int_uniform" and highest - lowest >= LONGEST:
            yield f"max - min must be below 2^63, found {lowest} and {highest}"
    values = [given["value"]] if "value" in given else given.get("values", [])
    if "values" in given and (not isinstance(values, list) or not values):
        yield f"values must be a list of at least one, found {cut(values)}"
        return
    for value in values:
        yield from _text_errors(value)
    twice = _twice(values)
    if twice:
        yield f"{cut(twice[0])} is twice among its values"
    if given.get("probabilities") is not None:
        yield from _probability_errors(given["probabilities"], len(values))


def _number_errors(key: str, value: Any, kind: str) -> Iterator[str]:
    if isinstance(value, str) and EXPONENT.fullmatch(value):
        yield f"{key}: YAML reads {value} as a text; write {_with_point(value)}"
    elif not _number(value) or not math.isfinite(value):
        yield f"{key} must be a finite number, found {cut(value)}"
    elif key in POSITIVE and value <= 0:
        yield f"{key} must be above 0, found {value}"
    elif kind == "int_uniform" and not isinstance(value, int):
        yield f"int_uniform needs whole numbers, found {key} {value}"


def _text_errors(value: Any) -> Iterator[str]:
    """Return errors of a text: numbers that YAML reads as texts, and interpolations that OmegaConf would resolve.

    An interpolation could put a key of the environment into a record.
    """
    if isinstance(value, Mapping | list):
        for part in [*value, *value.values()] if isinstance(value, Mapping) else value:
            yield from _text_errors(part)
    elif isinstance(value, str) and EXPONENT.fullmatch(value):
        yield f"YAML reads {value} as a text; write {_with_point(value)}"
    elif isinstance(value, str) and LOOKED_UP.search(value):
        yield f"{cut(value)}: a study's values are what they say; ${{...}} is not looked up"
    elif not isinstance(value, str | int | float | None):
        yield f"{cut(value)} is a {type(value).__name__}; write a text, number, true, false, null, list or mapping"


def _probability_errors(given: Any, count: int) -> Iterator[str]:
    if not isinstance(given, Sequence) or not all(_number(one) and one >= 0 for one in given) or len(given) != count:
        yield f"probabilities must be {count} numbers, one for each value, found {cut(given)}"
    elif not math.isclose(sum(given), 1.0, abs_tol=1e-6):
        yield f"probabilities must add up to 1, found {sum(given):g}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _twice(values: Sequence[Any]) -> list[Any]:
    """Return the values that occur more than once; 1, 1.0 and true are three values."""
    seen: set[str] = set()
    found = []
    for value in values:
        said = repr(value)
        found += [value] if said in seen else []
        seen.add(said)
    return found


def cut(value: Any) -> str:
    """Return a value for a message; a long one is shortened."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _with_point(text: str) -> str:
    """Return a number in a form that YAML 1.1, W&B's and ours, reads as a number.

    >>> _with_point("1e-3"), _with_point("2.E5")
    ('1.0e-3', '2.0e+5')
    """
    mantissa, _, power = text.lower().partition("e")
    whole, _, part = mantissa.partition(".")
    return f"{whole}.{part or 0}e{power if power[0] in '+-' else f'+{power}'}"
