"""Cells whose fork server died: the runner becomes their parent, so that it sees their exit codes."""

import ctypes
import os
import sys

from poolab.study.runner.processes import exit_code

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans(adopt: bool) -> None:
    """Become the parent of cells whose fork server dies, to see their exit codes; False undoes it. (Linux only.)"""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def orphan_ended(pid: int) -> tuple[bool, int | None]:
    """Return True if an adopted process has ended, and its exit code if it can be read."""
    try:
        code = exit_code(pid)
        return code is not None, code
    except ChildProcessError:  # not this process's child: macOS
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True, None
        return False, None
