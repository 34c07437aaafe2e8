"""`python -m poolab.study.slurm.cell FILE`: one task of a cell's job; the file has the cells of the array.

Its exit code is that of train.py, but 85 where a signal asked the run to stop, which has its checkpoint by then: the
batch script asks for the requeue.
"""

from poolab.errors import INTERRUPTED
from poolab.training import EARLIER

if __name__ == "__main__":  # before all else: the imports take seconds, in which a signal would kill the process
    EARLIER.listen()

import json
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

REQUEUE = 85  # ERESTART, "interrupted system call should be restarted"
# `srun --kill-on-bad-exit` kills the other tasks as soon as one ends badly. So the first one, which writes the record,
# ends last when a run is interrupted, and has some seconds for the record of one that fails.
LAST, RECORD = 2.0, 5.0


def main() -> NoReturn:
    """Run the cell that SLURM's array index names."""
    from poolab.study.runner.child import guarded, leave
    from poolab.training import run_command

    cells = json.loads(Path(sys.argv[1]).read_text())["cells"]
    cell = cells[int(os.environ["SLURM_ARRAY_TASK_ID"])]
    # Several tasks receive of a signal at different times: they go on until they can agree, at their first step.
    stopped = EARLIER.reason is not None and os.environ.get("SLURM_NTASKS") == "1"
    if stopped:
        leave(_end(INTERRUPTED))
    leave(_end(guarded(lambda: _train(cell) if isinstance(cell, list) else run_command(cell))))


def _train(words: list[str]) -> int:
    """Run `poolab train` with the arguments of a cell, as an earlier poolab submitted them."""
    import runpy

    sys.argv = ["train.py", "train", *map(str, words)]
    runpy.run_module("poolab", run_name="__main__", alter_sys=True)
    return 0


def _end(code: int) -> int:
    """Return the exit code of this task, once it may end."""
    first, alone = os.environ["SLURM_PROCID"] == "0", os.environ.get("SLURM_NTASKS") == "1"
    if code == INTERRUPTED:
        if not first:
            return 0
        code = code if EARLIER.reason == "SIGINT" else REQUEUE
    if not alone and (code == REQUEUE if first else code != 0):
        time.sleep(LAST if first else RECORD)
    return code


if __name__ == "__main__":
    main()
