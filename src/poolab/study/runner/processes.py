"""End a cell's process and record its outcome."""

import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime

from poolab.study.runner.journal import DiskFull, Journal
from poolab.study.runner.locks import Claim
from poolab.study.runner.outcomes import Ending


def record(
    journal: Journal, entry: int, cell: str, claim: Claim, code: int | None, became: Ending, seconds: float
) -> None:
    """Write an attempt's outcome to the journal, then to the claim.

    A file that cannot be written any more (the disk has become read-only) ends no other cell.
    """
    ended = datetime.now(UTC).isoformat(timespec="milliseconds")
    told = {"cell": cell, "ended": ended, "seconds": round(seconds, 3), "code": code, "outcome": became.outcome}
    try:
        journal.end(entry, {**told, "reason": became.reason} if became.reason else told)
    except (OSError, DiskFull) as error:
        print(f"the end of {cell} ({became.outcome}) is not in the journal: {error}", file=sys.stderr, flush=True)
    try:
        claim.release(done=became.finished)
    except OSError as error:
        print(f"the end of {cell} ({became.outcome}) is not in its claim: {error}", file=sys.stderr, flush=True)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a cell; SIGKILL goes to its whole process group, since it cannot be passed on."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number) if number == signal.SIGKILL else os.kill(pid, number)


def exit_code(pid: int) -> int | None:
    """Return the exit code of a child (a signal below 0), or None while it runs. The child is not reaped.

    What it has left running is ended: until it is waited for nobody else can have its number, nor its group's.

    Raises:
        ChildProcessError: it is no child of this process.
    """
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    send(pid, signal.SIGKILL)
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def drop_empty(log: str) -> None:
    """Remove an empty log, which is of no use."""
    with suppress(OSError):
        if os.path.getsize(log) == 0:
            os.unlink(log)
