"""The options of a pooling method: declared once per class, checked by one mechanism, all faults told at once."""

import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from poolab.errors import nearest


@dataclass(frozen=True)
class Option:
    """Declare an option: its default and what it allows; `fits` says whether it takes a value, `words` what it takes.

    Attributes:
        default: what it is where nothing is given; None means that None may be given too.
        optional: whether None may be given though it is not the default.
        unit: what a number counts or measures, as in "must be an int from 1 to 9 (pixels)".
    """

    default: Any
    optional: bool = field(default=False, kw_only=True)
    unit: str = field(default="", kw_only=True)

    @property
    def annotation(self) -> Any:
        """Return the type of the values that may be given, for signatures, editors and type checkers.

        >>> Integer(None).annotation, Real(0.5).annotation, flag(True).annotation, Size(1).annotation
        (int | None, <class 'float'>, <class 'bool'>, int | tuple[int, int])
        >>> Choice("mean", ("mean", "sum")).annotation
        typing.Literal['mean', 'sum']
        """
        return self._type | None if self.is_open(None) else self._type

    @property
    def kept_annotation(self) -> Any:
        """Return the type of the value that the pooling keeps as an attribute."""
        return self.annotation

    @property
    def _type(self) -> Any:
        return Any

    def is_open(self, value: Any) -> bool:
        """Return True if the value is None and the option may be left open."""
        return value is None and (self.optional or self.default is None)

    def kept(self, value: Any) -> Any:
        """Return an allowed value as the pooling keeps it: of one type, whatever a configuration or numpy gives."""
        return value

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if a value, no allowed None, is right for a window of so many `taps` (None: no window)."""
        raise TypeError(f"{type(self).__name__} does not say what it allows: give it a method fault(value, taps)")

    def words(self, taps: int | None = None) -> str:
        """Return what is allowed, as the end of "must be ..."."""
        return "another value"

    def hint(self, value: Any, taps: int | None) -> str:
        """Return how to mend a value that is not allowed, where that can be told; else nothing."""
        return ""

    def describe(self) -> str:
        """Return what is allowed, with the unit: for a message and for a reference of all settings.

        >>> Integer(None, most=9, unit="pixels").describe()
        'an int from 1 to 9 (pixels) or None'
        """
        return self._described(None)

    def fault(self, value: Any, taps: int | None) -> str | None:
        """Return what is wrong with a value, for a window of so many `taps` (None: no window); None if nothing is."""
        if self.is_open(value) or self.fits(value, taps):
            return None
        hint = self.hint(value, taps)
        return f"must be {self._described(taps)}, found {shown(value)}{'; ' + hint if hint else ''}".strip()

    def _described(self, taps: int | None) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.words(taps)}{unit}{' or None' if self.is_open(None) else ''}"


@dataclass(frozen=True)
class Integer(Option):
    """Declare a whole number from `least` to `most`; `within_window` bounds it by the size of the window."""

    least: int = 1
    most: int | None = None
    within_window: bool = False

    @property
    def _type(self) -> Any:
        return int

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True for a whole number within the bounds."""
        most = taps if self.within_window else self.most
        return is_whole(value) and value >= self.least and (most is None or value <= most)

    def words(self, taps: int | None = None) -> str:
        """Return the bounds."""
        most = taps if self.within_window else self.most
        if most is None:
            return f"an int >= {self.least}"
        return f"an int from {self.least} to {'2**63 - 1' if most == 2**63 - 1 else most}"

    def fault(self, value: Any, taps: int | None) -> str | None:
        """Return what is wrong with a value; of a number beyond the window's taps, why."""
        told = super().fault(value, taps)
        if told and self.within_window and taps is not None and is_whole(value) and value > self.least:
            return told.replace(", found", " (the window has no more taps), found", 1)
        return told

    def hint(self, value: Any, taps: int | None) -> str:
        """Return the whole number that a float or a text stands for, where it would be right."""
        return whole_hint(value, lambda whole: self.fits(whole, taps))

    def kept(self, value: Any) -> int | None:
        """Return an int."""
        return None if value is None else int(value)


@dataclass(frozen=True)
class Real(Option):
    """Declare a number between `least` and `most`; `open_least` excludes the lower bound, `infinite` allows inf."""

    least: float = -math.inf
    most: float = math.inf
    open_least: bool = False
    infinite: bool = False

    @property
    def _type(self) -> Any:
        return float

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True for a number within the bounds."""
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return False
        try:
            number = float(value)
        except OverflowError:  # an int beyond all floats
            return False
        if not math.isfinite(number):
            return self.infinite and number == math.inf
        return (number > self.least if self.open_least else number >= self.least) and number <= self.most

    def words(self, taps: int | None = None) -> str:
        """Return the bounds."""
        low = f"{'>' if self.open_least else '>='} {self.least:g}" if self.least > -math.inf else ""
        high = f"<= {self.most:g}" if self.most < math.inf else ""
        bounds = " and ".join(part for part in (low, high) if part)
        return f"a number{' ' + bounds if bounds else ''}"

    def kept(self, value: Any) -> float | None:
        """Return a float: a formula that asks for 0.0 must know an int 0 too."""
        return None if value is None else float(value)


@dataclass(frozen=True)
class Choice(Option):
    """Declare one of the values `allowed`."""

    allowed: tuple[Any, ...] = ()

    @property
    def _type(self) -> Any:
        values = tuple(one for one in self.allowed if one is not None)
        return bool if set(map(type, values)) == {bool} else Literal[values]

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True for one of the values; the type must fit too: 1 == True, but `learnable=1` is a slip."""
        return any(type(value) is type(one) and value == one for one in self.allowed)

    def is_open(self, value: Any) -> bool:
        """Return True for None where it is one of the values, or `optional`."""
        return value is None and (self.optional or None in self.allowed)

    def words(self, taps: int | None = None) -> str:
        """Return the values."""
        return f"one of {', '.join(map(repr, self.allowed))}"

    def hint(self, value: Any, taps: int | None) -> str:
        """Return the values that look like it."""
        if any(one is True for one in self.allowed):
            word = str(value).lower()
            meant = {"no": "false", "off": "false", "0": "false", "yes": "true", "on": "true", "1": "true"}.get(word)
            return f"write {meant}" if meant else ""
        return nearest(value, [one for one in self.allowed if isinstance(one, str)]) if _is_text(value) else ""

    def _described(self, taps: int | None) -> str:
        """Return what is allowed, without "or None" where None is among the values that are listed."""
        return self.words(taps) if None in self.allowed else super()._described(taps)


@dataclass(frozen=True)
class Size(Option):
    """Declare an int from `least` to `most`, or a pair of them."""

    least: int = 1
    most: int | None = None

    @property
    def _type(self) -> Any:
        return int | tuple[int, int]

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True for one of them, or a list of two."""
        pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
        return len(pair) == 2 and all(self._one.fits(side, None) for side in pair)

    def words(self, taps: int | None = None) -> str:
        """Return the bounds."""
        return f"{self._one.words()} or a pair of them"

    def hint(self, value: Any, taps: int | None) -> str:
        """Return the whole number that a float or a text stands for, where it would be right."""
        return whole_hint(value, lambda whole: self.fits(whole, taps))

    def kept(self, value: Any) -> int | tuple[int, ...] | None:
        """Return an int or a tuple."""
        return tuple(map(int, value)) if isinstance(value, list | tuple) else value

    @property
    def _one(self) -> Integer:
        return Integer(1, least=self.least, most=self.most)


@dataclass(frozen=True)
class Integers(Option):
    """Declare a list of whole numbers, each from `least` to `most`; at least one, and at most `longest`."""

    least: int = 1
    most: int | None = None
    longest: int | None = None

    @property
    def _type(self) -> Any:
        return tuple[int, ...] | list[int]

    @property
    def kept_annotation(self) -> Any:
        """Return the type of a tuple."""
        return tuple[int, ...]

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True for such a list."""
        listed = isinstance(value, list | tuple) and len(value) > 0 and len(value) <= (self.longest or len(value))
        return listed and all(Integer(1, least=self.least, most=self.most).fits(one, None) for one in value)

    def words(self, taps: int | None = None) -> str:
        """Return the bounds."""
        bounds = f">= {self.least}" if self.most is None else f"from {self.least} to {self.most}"
        return f"a list of {f'1 to {self.longest} ' if self.longest else ''}ints {bounds}"

    def kept(self, value: Any) -> tuple[int, ...]:
        """Return a tuple."""
        return tuple(map(int, value))


def magnitude(default: float, infinite: bool = False) -> Real:
    """Declare a number above 0 that float32 multiplies and divides by without a loss of range: from 1e-12 to 1e12."""
    return Real(default, least=1e-12, most=1e12, infinite=infinite)


def flag(default: bool) -> Choice:
    """Declare an option that is True or False."""
    return Choice(default, (True, False))


def checked(owner: str, declared: Mapping[str, Option], given: Mapping[str, Any], taps: int | None) -> dict[str, Any]:
    """Check the given options and return all declared ones, with the given values over the defaults.

    Raises:
        ValueError: every unknown name and every value out of range, in one message that names `owner`.

    >>> checked("AvgTopKPool2d", {"k": Integer(2)}, {"k": 0, "K": 1}, 4)
    Traceback (most recent call last):
    ...
    ValueError: AvgTopKPool2d: no option K (did you mean k? options: k); k must be an int >= 1, found 0
    """
    values, faults = sorted_out(declared, given, taps)
    if faults:
        raise ValueError(f"{owner}: {'; '.join(faults.values())}")
    return values


def sorted_out(
    declared: Mapping[str, Option], given: Mapping[str, Any], taps: int | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return each declared option's value, the default where the given one is wrong; and what is wrong, by name."""
    faults = {name: f"no option {name} ({_hint(name, declared)})" for name in given if name not in declared}
    values = {}
    for name, option in declared.items():
        value = given.get(name, option.default)
        fault = option.fault(value, taps)
        if fault:
            faults[name] = f"{name} {fault}"
        values[name] = option.default if fault else option.kept(value)
    return values, faults


def is_whole(value: Any) -> bool:
    """Return True for a whole number, Python's or numpy's; True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def shown(value: Any, most: int = 80) -> str:
    """Return a value as a message shows it: as Python writes it, long ones shortened.

    >>> shown("max"), shown("a" * 100, most=10)
    ("'max'", "'aaaaaaaaa... (102 characters)")
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no int of more than 4,300 digits
        return "an int of more than 4,300 digits"
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def whole_hint(value: Any, fits: Callable[[int], bool]) -> str:
    """Return how to write the whole number, or numbers, that a float or a text stands for, where `fits` allows it.

    >>> whole_hint("0-11", lambda whole: True)
    "several values, in a study or with -m, are 0,1,...,11 or 'range(0,12)'"
    >>> whole_hint("0-1", lambda whole: True)
    "several values, in a study or with -m, are 0,1 or 'range(0,2)'"
    >>> whole_hint(16.0, lambda whole: whole < 20), whole_hint("3", lambda whole: True), whole_hint(1.5, bool)
    ('write 16', 'write 3, without quotes', '')
    """
    if isinstance(value, float) and value.is_integer() and fits(int(value)):
        return f"write {int(value)}"
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value) and fits(int(value)):
        return f"write {int(value)}, without quotes"
    span = re.fullmatch(r"(\d{1,6})(?:-|:|\.{2,3})(\d{1,6})", value) if isinstance(value, str) else None
    if span and fits(int(span[1])) and int(span[1]) < int(span[2]):
        first, last = int(span[1]), int(span[2])
        listed = (
            map(str, range(first, last + 1)) if last - first < 4 else (str(first), str(first + 1), "...", str(last))
        )
        spelled = f"{','.join(listed)} or 'range({first},{last + 1})'"
        return f"several values, in a study or with -m, are {spelled}"
    return ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) < 100


def _hint(name: str, declared: Mapping[str, Option]) -> str:
    if not declared:
        return "it has none"
    lowered = {option.lower(): option for option in declared}
    same = lowered.get(name.lower())
    near = f"did you mean {same}? " if same else nearest(name, list(declared))
    return f"{near}options: {', '.join(declared)}"
