"""Shares independent work out between this process and forked ones, one for each core."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import zip_longest
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 8  # processes: each further one warms up for a smaller share


def cores() -> int:
    """Return how many processes may share a report's work: one for each core, or one where a fork is not safe.

    A fork copies one thread alone, and locks that others hold stay locked: so it is safe on Linux, where no other
    thread of Python runs and torch, whose libraries have threads of their own, is not loaded. The threads of numpy's
    OpenBLAS end at a fork and start again where they are needed.
    """
    alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    if sys.platform != "linux" or not alone or "torch" in sys.modules:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST)


def shared_out(work: Callable[[Item], Result], items: Sequence[Item], processes: int) -> list[Result]:
    """Return what `work` returns for each item, in their order.

    Each process does every n-th item. A forked process has all that this one has in memory, so that neither `work` nor
    the items are sent, and its results are, by pickle. This process does the share of one that ends without results
    (for want of memory, or since `work` raised) once more, so that an error surfaces here.

    >>> shared_out(lambda number: number**2, [1, 2, 3], 1)
    [1, 4, 9]
    """
    number = max(min(processes, len(items)), 1)
    shares = [items[first::number] for first in range(number)]
    children: list[tuple[BaseProcess, Connection]] = []
    try:
        with suppress(OSError):  # no further process can be had
            for share in shares[1:]:
                children.append(_start(work, share))
        done = [[work(item) for item in shares[0]]]
        sent = [_received(results) for _, results in children]
        for share, results in zip_longest(shares[1:], sent):
            done.append([work(item) for item in share] if results is None else results)
    finally:
        for process, connection in children:
            connection.close()
            process.terminate()  # it has sent its results, or nobody waits for them
            process.join()
    return [done[index % number][index // number] for index in range(len(items))]


def _start(work: Callable[[Any], Any], share: Sequence[Any]) -> tuple[BaseProcess, Connection]:
    fork = multiprocessing.get_context("fork")
    results, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=_do, args=(work, share, results, sender), daemon=True)
    process.start()
    sender.close()  # so that the end of the process is the end of its results
    return process, results


def _do(work: Callable[[Any], Any], share: Sequence[Any], results: Connection, sender: Connection) -> None:
    """Do a share in the forked process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C too, and ends this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    results.close()  # so that it does not wait for ever where the parent has died
    gc.freeze()  # else a collection would touch, and so copy, all that was in memory before
    with suppress(Exception):
        sender.send([work(item) for item in share])


def _received(results: Connection) -> list[Any] | None:
    with suppress(EOFError, OSError):
        found: list[Any] = results.recv()
        return found
    return None
