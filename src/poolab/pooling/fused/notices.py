"""Warnings that are given once in a process, however many kernels they concern."""

import warnings

_given: set[str] = set()


def warn_once(kind: str, message: str) -> None:
    """Warn, unless there was a warning of this kind before."""
    if kind not in _given:
        _given.add(kind)
        warnings.warn(message, stacklevel=3)
