"""Kinds of settings that no pooling has: texts, paths, devices, lists, and values that may be null."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from poolab.own_code import OwnCode
from poolab.pooling.core import Integer, Option, is_whole, shown, whole_hint

AUTO = "auto"
ONE_RUN = (
    "is auto, which finds a number for one run of `poolab train`. In a study, sweep or multirun each run would find "
    "its own, and runs with different batches compare no poolings: find it once, with the arm that takes most memory, "
    "and write the number"
)


@dataclass(frozen=True)
class Nullable(Option):
    """Another option, or null."""

    default: Any = None
    option: Option = field(kw_only=True)

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if the value is null or fits the other option."""
        return value is None or self.option.fits(value, taps)

    def is_open(self, value: Any) -> bool:
        """Return True if the value is null."""
        return value is None

    def hint(self, value: Any, taps: int | None) -> str:
        """Return the other option's hint."""
        return self.option.hint(value, taps)

    def _described(self, taps: int | None) -> str:
        return f"{self.option.describe().removesuffix(' or None')}, or null"


def nullable(option: Option) -> Nullable:
    """Return an option that may also be null, which is its default."""
    return Nullable(None, option=option)


@dataclass(frozen=True)
class Text(Option):
    """A text that is not empty, of at most `longest` characters, without control characters and those `without`."""

    longest: int = 128
    without: str = ""

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if the value is such a text."""
        if not isinstance(value, str) or not 0 < len(value) <= self.longest:
            return False
        return value.isprintable() and not set(value) & set(self.without)

    def words(self, taps: int | None = None) -> str:
        """Return the bounds."""
        without = f" without {' '.join(self.without)}" if self.without else ""
        return f"a text of 1 to {self.longest} characters{without}"

    def hint(self, value: Any, taps: int | None) -> str:
        """Return how to write a number as a text."""
        if isinstance(value, bool | int | float):
            return "write it in quotes to have it as a text"
        return ""


@dataclass(frozen=True)
class Place(Option):
    """The path of a file or folder, which need not exist."""

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if the system can have a path of that name."""
        if not isinstance(value, str | os.PathLike) or not os.fspath(value):
            return False
        text = os.fsdecode(os.fspath(value))
        return "\0" not in text and len(text) <= 4095 and all(len(part) <= 255 for part in text.split("/"))

    def words(self, taps: int | None = None) -> str:
        """Return a description of a path."""
        return "a path (a text of at most 4095 characters, 255 for each folder)"


@dataclass(frozen=True)
class Devices(Option):
    """A number of devices, a list of their indices, or "auto"; -1 is all of them."""

    most: int = 1024

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if the value is one of these."""
        if isinstance(value, list | tuple):
            return self._indices(value)
        return value == "auto" or (is_whole(value) and (1 <= value <= self.most or value == -1))

    def words(self, taps: int | None = None) -> str:
        """Return the allowed forms of devices."""
        return f"a number >= 1 and <= {self.most}, a list of device indices, or auto"

    def hint(self, value: Any, taps: int | None) -> str:
        """Return the whole number that a float or a text stands for, if it is allowed."""
        return whole_hint(value, lambda whole: self.fits(whole, taps))

    def _indices(self, value: Any) -> bool:
        whole = all(is_whole(one) and 0 <= one < self.most for one in value)
        return whole and 0 < len(value) == len(set(value))


@dataclass(frozen=True)
class Betas(Option):
    """Adam's two decay rates."""

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if the value is a pair of numbers from 0 to below 1."""
        if not isinstance(value, list | tuple) or len(value) != 2:
            return False
        return all(isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one < 1 for one in value)

    def words(self, taps: int | None = None) -> str:
        """Return the bounds."""
        return "two numbers in [0, 1)"


@dataclass(frozen=True)
class Several(Option):
    """A list of at most `longest` different values that another option allows; `empty` allows an empty list."""

    option: Option = field(kw_only=True)
    empty: bool = False
    longest: int = 32

    def fault(self, value: Any, taps: int | None) -> str | None:
        """Return the error of the list, or of its first value that is not allowed."""
        listed = isinstance(value, list | tuple) and len(value) <= self.longest
        if not listed or not (value or self.empty):
            return f"must be {self.describe()}, found {shown(value)}"
        faults = [fault for fault in (self.option.fault(one, taps) for one in value) if fault]
        twice = [one for index, one in enumerate(value) if one in value[:index]]
        faults += [f"must not have {shown(twice[0])} twice"] if twice else []
        return faults[0] if faults else None

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if the list has no error."""
        return self.fault(value, taps) is None

    def words(self, taps: int | None = None) -> str:
        """Return the allowed values of the list."""
        return f"a list of {'at most' if self.empty else '1 to'} {self.longest} values, each {self.option.describe()}"


@dataclass(frozen=True)
class Slots(Option):
    """All slots, one slot or a list of slots, by name."""

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if the value names slots."""
        names = [value] if isinstance(value, str) else value
        listed = isinstance(names, list | tuple) and 0 < len(names) <= 4096
        named = listed and all(isinstance(name, str) and re.fullmatch(r"[\w.]{1,200}", name) for name in names)
        return named and len(set(names)) == len(names)

    def words(self, taps: int | None = None) -> str:
        """Return the allowed forms."""
        return "all, or a list of slot names such as [pool1], each once"


@dataclass(frozen=True)
class AtSlots(Option):
    """Poolings of single slots, by the slot's name."""

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True if the value is a mapping; each pooling in it is checked separately."""
        return isinstance(value, Mapping)

    def words(self, taps: int | None = None) -> str:
        """Return the form of the mapping."""
        return "poolings by the names of their slots: pooling.at.pool1=avg"


@dataclass(frozen=True)
class Anything(Option):
    """An argument of a class outside of poolab, which checks it itself."""

    def fits(self, value: Any, taps: int | None) -> bool:
        """Return True: it may always be given."""
        return True


@dataclass(frozen=True)
class Code(Option):
    """The hash of the code outside of poolab that a choice is, as this process has imported it."""

    default: Any = field(default=None, init=False)
    code: OwnCode | None = None

    def __init__(self, code: OwnCode):
        object.__setattr__(self, "code", code)

    def fault(self, value: Any, taps: int | None) -> str | None:
        """Return what is wrong where the hash is another one: the file was changed since it was taken."""
        assert self.code is not None
        if value in (None, self.code.sha256):
            return None
        files = ", ".join(map(str, self.code.files))
        return (
            f"is not the hash of {self.code.name}: {files} was changed after this configuration was made; start again "
            "(poolab sets this setting itself)"
        )


@dataclass(frozen=True)
class BatchSize(Integer):
    """A number of images; "auto" has become one before the settings of a run are checked."""

    def fault(self, value: Any, taps: int | None) -> str | None:
        """Return what is wrong with a number, and why "auto" cannot stand here."""
        return ONE_RUN if value == AUTO else super().fault(value, taps)

    def words(self, taps: int | None = None) -> str:
        """Return the bounds."""
        return f"{super().words(taps)}, or auto in a single run"
