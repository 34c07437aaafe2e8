"""The outcome of an attempt, from the exit code of its process and the record it left."""

import os
import signal
from pathlib import Path
from typing import NamedTuple

from poolab.errors import INTERRUPTED, PoolabError
from poolab.records import FINISHED, RunFolder

ANOTHER = "another process is making this run"  # RunFolder.claimed's words
OUTCOMES = ("completed", "diverged", "failed", "killed", "interrupted", "refused", "busy", "stopped")
LONGEST = 200  # characters of a reason


class Ending(NamedTuple):
    """The outcome of an attempt: completed, diverged, failed, killed, interrupted, refused, busy or stopped; and why.

    What is stopped was stopped early by a search: it has no result, and needs none.
    """

    outcome: str
    reason: str = ""

    @property
    def finished(self) -> bool:
        """True if there is a result, which need not be made again."""
        return self.outcome in FINISHED

    @property
    def final(self) -> bool:
        """True if the attempt must not be retried: there is a result, none is wanted, or a setting is wrong."""
        return self.finished or self.outcome in ("refused", "stopped")


def ending(code: int | None, log: str, folder: str | Path | None, out_of_memory: bool = False) -> Ending:
    """Return the outcome of a process.

    Args:
        code: as `subprocess` has it, a signal below 0; None where nobody could ask.
        log: the file with what the process printed.
        folder: the folder of its run, for train.py; None for other programs, whose code says all.
        out_of_memory: whether the system killed a process for want of memory meanwhile.

    >>> ending(0, "", None), ending(-15, "", None).reason
    (Ending(outcome='completed', reason=''), 'killed by SIGTERM')
    """
    found = _recorded(Path(folder)) if folder is not None else None
    if found is not None:  # whatever happened after it was written
        return found
    if code is not None and code < 0:
        return Ending("killed", _killed(-code, out_of_memory))
    if folder is None:
        return Ending("completed") if code == 0 else Ending(*_failed(code, log))
    return _trained(code, log, Path(folder))


def _recorded(folder: Path) -> Ending | None:
    try:
        record = RunFolder(folder.parent, folder.name).latest
    except PoolabError as error:
        return Ending("refused", str(error)[:LONGEST])
    return Ending(record.status, (record.reason or "")[:LONGEST]) if record and record.finished else None


def _trained(code: int | None, log: str, folder: Path) -> Ending:
    if code == INTERRUPTED:
        return Ending("interrupted", "it was asked to stop")
    if code == 2:
        words = last_line(log)
        return Ending("busy" if ANOTHER in words else "refused", words)
    if code == 0:
        return Ending("failed", f"it ended without a record in {folder}")
    return Ending(*_failed(code, log))


def _failed(code: int | None, log: str) -> tuple[str, str]:
    found = "its end was not seen" if code is None else f"exit code {code}"
    return "failed", f"{found}: {last_line(log) or 'it printed nothing'}"


def _killed(number: int, out_of_memory: bool) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"killed by {name}" + (", while the system ran out of memory" if out_of_memory and name == "SIGKILL" else "")


def last_line(log: str) -> str:
    """Return the last line of a process's output, shortened to the room in a line of the journal."""
    try:
        with open(log, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - 4096, 0))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:LONGEST] for line in reversed(lines) if line.strip()), "")


def memory_kills() -> int:
    """Return how many processes this machine has killed because memory ran out; 0 if it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
