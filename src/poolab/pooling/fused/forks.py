"""Threads of the C kernels in a process that is forked.

A fork copies the thread that forks and no other. GNU's OpenMP then still counts on the threads that it had started, and
the first parallel loop of the child waits for them for ever: so do torch's operations. OpenMP can be told to end its
threads, and starts new ones when they are needed. This is done before each `os.fork` (multiprocessing's and a
DataLoader's among them), once a kernel is loaded; it takes some 50 us, and is of use to torch as well.
"""

import ctypes
import os

import torch

HARD = 2  # omp_pause_hard

_openmp: ctypes.CDLL | None = None
_may_hang = False  # in a child: threads were running that are not there
_might_before = False  # the same of the process itself, while it forks


def prepare(library: ctypes.CDLL) -> None:
    """Make forks safe for the OpenMP that a kernel's library is linked with."""
    global _openmp
    if _openmp is None and hasattr(library, "omp_get_max_threads"):
        _openmp = library
        os.register_at_fork(before=_before, after_in_parent=_in_parent)


def threads() -> int:
    """Return how many threads a kernel may use."""
    return 1 if _may_hang else torch.get_num_threads()


def _before() -> None:
    global _may_hang, _might_before
    _might_before = _may_hang
    _may_hang = _may_hang or not _end_threads()


def _in_parent() -> None:
    global _may_hang
    _may_hang = _might_before


def _end_threads() -> bool:
    """End the threads that OpenMP keeps for the calling thread; return False if that is impossible."""
    try:
        return _openmp is not None and _openmp.omp_pause_resource_all(HARD) == 0
    except AttributeError:  # OpenMP before 5.0
        return False
