"""Errors that the user's own code raises while it runs: one sentence with the class, the file and the line."""

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from poolab.errors import ConfigError, nearest
from poolab.own_code.finding import OwnCode, all_found

PACKAGE = Path(__file__).resolve().parents[1]
PLAIN = (AttributeError, NameError, RuntimeError, TypeError, ValueError)  # whose message says enough without the type


class _Place(NamedTuple):
    frame: FrameType
    line: int


@contextmanager
def own_faults(*kept: type[Exception]) -> Iterator[None]:
    """Turn an exception of the user's own code into a sentence; other exceptions pass unchanged.

    Args:
        kept: exceptions that are never changed.

    Raises:
        ConfigError: own code that was found by its name raised an exception; its traceback is the cause.
    """
    try:
        yield
    except kept:
        raise
    except Exception as fault:
        told = _told(fault)
        if told is None:
            raise
        raise ConfigError(told) from fault


def _told(fault: BaseException) -> str | None:
    """Return the sentence for an exception, or None where own code did not raise it."""
    root = _root(fault)
    places = _places(root)
    own = [(index, found) for index, place in enumerate(places) if (found := _owner(place.frame)) is not None]
    if not own:
        return None
    index, found = own[-1]
    names = [places[number].frame.f_code.co_name for number, one in own if one is found]
    is_constructor = "__init__" in names
    refused = isinstance(root, ValueError) and _is_poolabs(places[-1].frame)
    if is_constructor and refused:  # the options were wrong, and the message says so
        return None
    what = "constructor" if is_constructor else names[0] if _names_a_method(names[0]) else "formula"
    file, line = Path(places[index].frame.f_code.co_filename).name, places[index].line
    return f"{found.name}: its {what} fails: {_message(root)} ({file}, line {line}){_meant(root)}"


def _root(fault: BaseException) -> BaseException:
    """Return the first exception of a chain."""
    seen = [fault]
    while (before := fault.__cause__ or fault.__context__) is not None and before not in seen:
        seen.append(fault := before)
    return fault


def _places(fault: BaseException) -> list[_Place]:
    step, places = fault.__traceback__, []
    while step is not None:
        places.append(_Place(step.tb_frame, step.tb_lineno))
        step = step.tb_next
    return places


def _owner(frame: FrameType) -> OwnCode | None:
    """Return the own code that a frame belongs to: the class of that name, or else the first one of its file."""
    file = Path(os.path.realpath(frame.f_code.co_filename))
    here = [found for found in all_found() if inspect.isclass(found.value) and file in found.files]
    qualified = frame.f_code.co_qualname
    named = [found for found in here if qualified.startswith(f"{found.value.__qualname__}.")]
    return next(iter(named or here), None)


def _is_poolabs(frame: FrameType) -> bool:
    return PACKAGE in Path(os.path.realpath(frame.f_code.co_filename)).parents


def _names_a_method(name: str) -> bool:
    return name.isidentifier() and name != "formula"


def _message(fault: BaseException) -> str:
    text = " ".join(str(fault).split())
    return text if text and isinstance(fault, PLAIN) else f"{type(fault).__name__}: {text}".removesuffix(": ")


def _meant(fault: BaseException) -> str:
    """Return a hint with the attributes that are close to one that does not exist."""
    name, owner = getattr(fault, "name", None), getattr(fault, "obj", None)
    if not isinstance(fault, AttributeError) or name is None or owner is None:
        return ""
    hint = nearest(name, [one for one in dir(owner) if not one.startswith("_")])
    return f"; {hint.strip()}" if hint else ""
