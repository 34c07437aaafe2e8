"""Warnings that are given once in a process, however many kernels they concern."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_given: set[str] = set()
_held: list[str] = []
_here = threading.local()


def warn_once(kind: str, message: str) -> None:
    """Warn, unless there was a warning of this kind before."""
    if kind in _given:
        return
    _given.add(kind)
    if getattr(_here, "holds", False):
        _held.append(message)
    else:
        warnings.warn(message, stacklevel=3)


@contextmanager
def held() -> Iterator[None]:
    """Keep the warnings of this thread for `give_held`: its caller is nobody's code."""
    _here.holds = True
    try:
        yield
    finally:
        _here.holds = False


def give_held() -> None:
    """Give the warnings that another thread has kept."""
    while _held:
        warnings.warn(_held.pop(0), stacklevel=3)
