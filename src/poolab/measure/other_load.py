"""Measure how busy other processes keep the machine: times that are measured beside other work cannot be compared."""

import os
import time
from pathlib import Path

BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, interrupts, and what a hypervisor gave to others: columns of /proc/stat


class OtherLoad:
    """The cores that other processes use, from when it is made: the machine's busy time without this process's own.

    >>> load = OtherLoad().cores()
    >>> load is None or load >= 0.0
    True
    """

    def __init__(self) -> None:
        self._start = _now()

    def cores(self) -> float | None:
        """Return the mean number of cores that others kept busy; None where the system does not say (not Linux)."""
        end = _now()
        if self._start is None or end is None:
            return None
        wall, busy, own = (b - a for a, b in zip(self._start, end, strict=True))
        # The machine's clock counts in ticks of 10 ms: a shorter time cannot be measured.
        return max(0.0, round((busy - own) / wall, 2)) if wall > 0.05 else None


def _now() -> tuple[float, float, float] | None:
    """Return the seconds of the wall clock, of all processes on all cores, and of this process and its children."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
        busy = sum(int(fields[place]) for place in BUSY) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
    own = os.times()
    return time.monotonic(), busy, own.user + own.system + own.children_user + own.children_system
