"""Kernels that are made in the background, for layers that plain torch has computed for as long as that takes.

So nobody waits for a compiler: the layer goes on in plain torch, and takes its kernel once it is there.
"""

import atexit
import os
import threading

from poolab.pooling.fused import kernels
from poolab.pooling.fused.keys import Key, seconds_in_torch
from poolab.pooling.fused.notices import held

# Seconds in plain torch, after which a kernel is looked for on disk (which takes 50 ms to 1 s, most of it to record the
# formula), and after which a new one is made. A compilation takes 0.5 to 3 s of another core.
LOOKS_FROM = 0.05
PAYS_FROM = 0.5

_asked: dict[Key, bool] = {}  # whether its kernel is to be compiled where none is on disk
_waiting: list[Key] = []
_lock = threading.Lock()
_worker: threading.Thread | None = None


def ask(key: Key) -> None:
    """Have the kernel looked for, or made, once its layer has taken the time for that."""
    seconds = seconds_in_torch(key)
    if seconds > LOOKS_FROM and (key not in _asked or (seconds > PAYS_FROM and not _asked[key])):
        with _lock:
            _asked[key] = seconds > PAYS_FROM
            if key not in _waiting:
                _waiting.append(key)
            _work()


def _work() -> None:
    """Start the thread, where there is none; it ends when nothing is left to do."""
    global _worker
    if _worker is None:
        _worker = threading.Thread(target=_run, name="poolab kernels", daemon=True)
        _worker.start()


def _run() -> None:
    global _worker
    while True:
        with _lock:
            if not _waiting:
                _worker = None
                return
            key = _waiting.pop(0)
            must_make = _asked[key]
        with held():
            _make(key, must_make)


def _make(key: Key, must_make: bool) -> None:
    from poolab.pooling.fused.cpu_kernel import is_compiled

    try:
        if must_make or is_compiled(*key[:-1]):
            kernels.kernel_of(key)
    except Exception as fault:  # such as a full memory: the layer goes on as it is
        kernels.refuse(key, fault)


def _end() -> None:
    """Stop at the end of the process: a daemon thread that runs then may end in a crash of torch's."""
    from poolab.pooling.fused import building

    worker = _worker
    if worker is not None:
        _waiting.clear()
        building.stop()
        worker.join()


def _forget() -> None:
    """Begin anew in a forked process, where the thread is not."""
    global _worker, _lock
    _worker, _lock = None, threading.Lock()
    _waiting.clear()
    _asked.clear()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
