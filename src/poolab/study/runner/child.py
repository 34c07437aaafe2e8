"""A forked cell of train.py: it keeps the imports of its parent, and else starts like a fresh process."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from poolab.study.runner.cell import run_file
from poolab.study.runner.messages import ProcessFacts

NEEDED = ("poolab.training.launcher", "poolab.training.run", "rich.table", "sklearn.datasets")
# What Lightning, the kernels and (`requests`) W&B would import in each run by itself: 0.1 s of it.
LATER = ("omegaconf", "poolab.pooling.fused.cpu_kernel", "poolab.training.command")
TRACKED = ("matplotlib.figure", "matplotlib.backends.backend_agg", "requests")  # for a tracker alone


def may_fork() -> bool:
    """Return True if this process has one thread and no context on an accelerator, so that it can be forked safely."""
    return facts()["threads"] == 1 and not facts()["cuda"]


def facts() -> ProcessFacts:
    """Return what decides whether a fork is safe: the number of threads, and whether CUDA is initialised."""
    torch = sys.modules.get("torch")
    tasks = f"/proc/{os.getpid()}/task"
    threads = len(os.listdir(tasks)) if os.path.isdir(tasks) else None
    return {"threads": threads, "cuda": torch is not None and torch.cuda.is_initialized()}


def import_for_runs(tracker: str) -> None:
    """Import what a run of train.py needs, without starting a thread.

    numpy's and scipy's OpenBLAS start one for each further core as they are loaded, unless told otherwise; `settle`
    gives them back to a cell.
    """
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from poolab.training import import_wandb_first, without_collector

    with without_collector("torch"):
        import_module("torch")
        import_wandb_first(tracker)
        for name in (*NEEDED, *LATER, *(() if tracker == "none" else TRACKED)):
            import_module(name)
    del os.environ["OPENBLAS_NUM_THREADS"]
    if threads is not None:
        os.environ["OPENBLAS_NUM_THREADS"] = threads


def settle() -> None:
    """Reset the random numbers and threads of a forked process to those of a fresh one."""
    import numpy
    import threadpoolctl

    numpy.random.seed()  # noqa: NPY002  Python's own generator sees to itself; torch's starts from the same number everywhere
    threads = int(os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or _cores())
    for library in threadpoolctl.ThreadpoolController().select(internal_api="openblas").lib_controllers:
        library.set_num_threads(threads)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_cell(path: Path) -> NoReturn:
    """Run the cell of a file in this process, then end the process."""
    settle()
    sys.argv = ["train.py"]  # as W&B shows it
    leave(guarded(lambda: run_file(path)))


def guarded(run: Callable[[], int]) -> int:
    """Return the exit code of a run as the interpreter would give it."""
    import traceback

    try:
        return run()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1


def leave(code: int) -> NoReturn:
    """End this process without finalising the interpreter.

    That looked at all of torch's and Lightning's objects and copied their pages, 3 s of a run of 7. What was registered
    for the end is done, as in the processes of `multiprocessing`.
    """
    import atexit
    import threading

    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # a full disk under the log
        pass
    os._exit(code)
