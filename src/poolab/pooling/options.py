"""The options of a pooling method: declared once per class, checked by one mechanism, all faults told at once."""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from poolab.errors import nearest


@dataclass(frozen=True)
class Option:
    """A named option's default and what it allows; `fault` answers None or what is wrong.

    Attributes:
        default: what it is where nothing is given; None means that None may be given too.
        optional: whether None may be given though it is not the default.
    """

    default: Any
    optional: bool = field(default=False, kw_only=True)

    def is_open(self, value: Any) -> bool:
        """Whether the option is left open, and may be."""
        return value is None and (self.optional or self.default is None)

    def kept(self, value: Any) -> Any:
        """An allowed value as the pooling keeps it: of one type, whatever a configuration or numpy gives."""
        return value

    @property
    def or_none(self) -> str:
        """The end of the sentence that says what is allowed."""
        return " or None" if self.is_open(None) else ""

    def fault(self, value: Any, cells: int | None) -> str | None:
        """What is wrong with `value`, for a window of so many `cells` (None where there is no window)."""
        raise TypeError(f"{type(self).__name__} does not say what it allows: give it a method fault(value, cells)")


@dataclass(frozen=True)
class Integer(Option):
    """A whole number from `least` to `most`; `within_window` bounds it by the number of cells of the window."""

    least: int = 1
    most: int | None = None
    within_window: bool = False

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        if self.is_open(value):
            return None
        most = cells if self.within_window else self.most
        whole = is_whole(value)
        if whole and value >= self.least and (most is None or value <= most):
            return None
        bound = f">= {self.least}" if most is None else f"from {self.least} to {most}"
        why = " (the window has no more cells)" if self.within_window and whole and value > self.least else ""
        return f"must be an int {bound}{why}{self.or_none}, found {value!r}"

    def kept(self, value: Any) -> int | None:
        """An int."""
        return None if value is None else int(value)


@dataclass(frozen=True)
class Real(Option):
    """A real number between `least` and `most`; `open_least` leaves out the lower bound, `infinite` allows inf too."""

    least: float = -math.inf
    most: float = math.inf
    open_least: bool = False
    infinite: bool = False

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        if self.is_open(value):
            return None
        number = isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value)
        if number and self.infinite and value == math.inf:
            return None
        if number and math.isfinite(value):
            above = value > self.least if self.open_least else value >= self.least
            if above and value <= self.most:
                return None
        low = f"{'>' if self.open_least else '>='} {self.least:g}" if self.least > -math.inf else ""
        high = f"<= {self.most:g}" if self.most < math.inf else ""
        bounds = " and ".join(part for part in (low, high) if part)
        return f"must be a number{' ' + bounds if bounds else ''}{self.or_none}, found {value!r}"

    def kept(self, value: Any) -> float | None:
        """A float: a formula that asks for 0.0 must know an int 0 too."""
        return None if value is None else float(value)


@dataclass(frozen=True)
class Choice(Option):
    """One of `allowed`."""

    allowed: tuple[Any, ...] = ()

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        # `type` too: 1 == True, but `learnable=1` is a slip.
        if any(value == one and type(value) is type(one) for one in self.allowed):
            return None
        hint = nearest(value, [one for one in self.allowed if isinstance(one, str)]) if isinstance(value, str) else ""
        return (
            f"must be one of {', '.join(map(repr, self.allowed))}, found {value!r}{'; ' + hint if hint else ''}".strip()
        )


@dataclass(frozen=True)
class Size(Option):
    """A positive int or a pair of them."""

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        if self.is_open(value):
            return None
        pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
        if len(pair) == 2 and all(is_whole(v) and v >= 1 for v in pair):
            return None
        return f"must be an int >= 1 or a pair of them{self.or_none}, found {value!r}"

    def kept(self, value: Any) -> int | tuple[int, ...] | None:
        """An int or a tuple."""
        return tuple(map(int, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Integers(Option):
    """A list of whole numbers, each at least `least`; at least one."""

    least: int = 1

    def fault(self, value: Any, cells: int | None) -> str | None:
        """None, or the fault."""
        listed = isinstance(value, list | tuple) and len(value) > 0
        if listed and all(is_whole(v) and v >= self.least for v in value):
            return None
        return f"must be a list of ints >= {self.least}, found {value!r}"

    def kept(self, value: Any) -> tuple[int, ...]:
        """A tuple."""
        return tuple(map(int, value))


def magnitude(default: float, infinite: bool = False) -> Real:
    """A number above 0 by which float32 can multiply and divide without a loss of its range: from 1e-12 to 1e12."""
    return Real(default, least=1e-12, most=1e12, infinite=infinite)


def flag(default: bool) -> Choice:
    """A True or False option."""
    return Choice(default, (True, False))


def checked(owner: str, declared: Mapping[str, Option], given: Mapping[str, Any], cells: int | None) -> dict[str, Any]:
    """The declared options with the given values over their defaults.

    Raises:
        ValueError: every unknown name and every value out of range, in one message that names `owner`.

    >>> checked("AvgTopKPool2d", {"k": Integer(2)}, {"k": 0, "K": 1}, 4)
    Traceback (most recent call last):
    ...
    ValueError: AvgTopKPool2d: no option K (did you mean k? options: k); k must be an int >= 1, found 0
    """
    values, faults = sorted_out(declared, given, cells)
    if faults:
        raise ValueError(f"{owner}: {'; '.join(faults.values())}")
    return values


def sorted_out(
    declared: Mapping[str, Option], given: Mapping[str, Any], cells: int | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The value of each declared option, its default where the given one is wrong; and what is wrong, by name."""
    faults = {name: f"no option {name} ({_hint(name, declared)})" for name in given if name not in declared}
    values = {}
    for name, option in declared.items():
        value = given.get(name, option.default)
        fault = option.fault(value, cells)
        if fault:
            faults[name] = f"{name} {fault}"
        values[name] = option.default if fault else option.kept(value)
    return values, faults


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, Python's or numpy's; True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _hint(name: str, declared: Mapping[str, Option]) -> str:
    if not declared:
        return "it has none"
    lowered = {option.lower(): option for option in declared}
    same = lowered.get(name.lower())
    near = f"did you mean {same}? " if same else nearest(name, list(declared))
    return f"{near}options: {', '.join(declared)}"
