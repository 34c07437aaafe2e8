"""The cells of a study: one combination of its parameters each, as arguments of Hydra's command line."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from poolab.errors import ConfigError
from poolab.hydra_words import quoted
from poolab.study.sweep.parameters import LOOKED_UP

ASSIGNMENT = re.compile(r"([A-Za-z_][\w./-]*)=(.*)", re.DOTALL)
# A text that Hydra takes as it stands and as a text. What it would take for a number or a constant is quoted.
PLAIN = re.compile(r"[A-Za-z_/][\w./-]*", re.ASCII)
CONSTANTS = ("null", "true", "false", "inf", "nan")


class Words(str):
    """A value in Hydra's form already: it was typed on the command line."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination of a study's parameters; two cells are equal if they give the same arguments to a run.

    >>> Cell({"pooling": "avg_topk", "pooling.k": 3, "pooling.slots": ["pool1"], "data.image_size": None}).overrides
    ('pooling=avg_topk', 'pooling.k=3', 'pooling.slots=[pool1]', 'data.image_size=null')
    """

    values: Mapping[str, Any]

    @cached_property
    def overrides(self) -> tuple[str, ...]:
        """The complete `key=value` arguments of its run; no shell reads them."""
        return tuple(f"{key}={in_words(value)}" for key, value in self.values.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and self.overrides == other.overrides

    def __hash__(self) -> int:
        return hash(self.overrides)

    def __str__(self) -> str:
        """Return the arguments in one line, without the folder of the runs, which `run` and `submit` add."""
        return " ".join(self.shown)

    @property
    def shown(self) -> list[str]:
        """The arguments that are shown to people, without the folder of the runs."""
        return [word for word in self.overrides if not word.startswith("runs_dir=")]


def with_extra(values: Mapping[str, Any], extra: Sequence[str]) -> Cell:
    """Return the cell of these values, replaced or extended by the pairs of the command line."""
    return Cell({**values, **{key: Words(words) for key, words in assignments(extra)}})


def assignments(extra: Sequence[str]) -> list[tuple[str, str]]:
    """Return the keys and values of `key=value` pairs.

    Raises:
        ConfigError: one of them is none.

    >>> assignments(["trainer.epochs=3"])
    [('trainer.epochs', '3')]
    """
    found = []
    for text in extra:
        match = ASSIGNMENT.fullmatch(text)
        if match is None or match[1].split(".")[0] == "hydra":
            raise ConfigError(f"{text!r}: a study takes key=value, e.g. trainer.epochs=3")
        if LOOKED_UP.search(match[2]):
            raise ConfigError(f"{text!r}: a study's values are what they say; ${{...}} is not looked up")
        found.append((match[1], match[2]))
    return found


def in_words(value: Any) -> str:
    """Return a value as Hydra's command line has it.

    >>> [in_words(value) for value in (True, None, 0.1, "a,b", "0.5", "max", ["pool1", 2], {"name": "lip"})]
    ['true', 'null', '0.1', "'a,b'", "'0.5'", 'max', '[pool1,2]', '{name:lip}']
    """
    if isinstance(value, Words):
        return str(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return "nan" if isinstance(value, float) and math.isnan(value) else repr(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{in_words(key)}:{in_words(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(in_words, value)) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    if PLAIN.fullmatch(text) and text.lower().lstrip("+-") not in CONSTANTS:
        return text
    return quoted(text)
