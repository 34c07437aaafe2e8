"""Warnings that are given once in a process, however many kernels they concern."""

import warnings

_given: set[str] = set()


def warn_once(kind: str, message: str) -> None:
    """Warn, unless there was a warning of this kind before."""
    if kind not in _given:
        _given.add(kind)
        warnings.warn(message, stacklevel=3)


def printable(text: str) -> str:
    r"""Return the text of another program without what would steer a terminal.

    >>> printable("a\x1b[31m b")
    'a?[31m b'
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
