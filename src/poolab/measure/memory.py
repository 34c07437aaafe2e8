"""The most memory that a stretch of code had in use, and which of two different things was measured."""

import ctypes
import sys
from pathlib import Path
from typing import Literal, Self

import torch

MemorySource = Literal["device allocator", "resident-set growth"]
STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")


class PeakMemory:
    """The peak of memory inside a `with` block, in bytes; `source` says what that means.

    On CUDA ("device allocator"): the most that torch's allocator had given out, what was there before included.
    Elsewhere ("resident-set growth"): how far the process' resident set grew above its size at the start. Memory that
    the process has freed is returned to the system first (by glibc; other allocators keep it, use it again without
    growth, and the figure is a lower bound). Code of libraries that is touched for the first time is left out: it was 4
    to 5 MB more in a forked process than in a fresh one, and 15 of the 20 MB of a tiny run. Where the kernel does not
    let the peak be reset, only growth beyond the process' former peak is seen. Blocks do not nest.

    Args:
        device: the device that the code runs on.

    >>> with PeakMemory("cpu") as peak:
    ...     block = bytearray(1)
    >>> peak.source, peak.bytes >= 0
    ('resident-set growth', True)
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.source: MemorySource = "device allocator" if self.device.type == "cuda" else "resident-set growth"
        self.bytes = 0

    def __enter__(self) -> Self:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            _return_free_memory()
            self._resettable = _reset_peak()
            self._start = _status("VmRSS") if self._resettable else _largest_resident_set()
            self._mapped = _status("RssFile") if self._resettable else 0
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            self.bytes = torch.cuda.max_memory_allocated(self.device)
        else:
            peak = _status("VmHWM") if self._resettable else _largest_resident_set()
            mapped = _status("RssFile") - self._mapped if self._resettable else 0
            self.bytes = max(0, peak - self._start - max(0, mapped))


def _return_free_memory() -> None:
    """Return free memory to the system. Otherwise, late in a long process, a block of 60 MB reuses freed memory and is
    not seen.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _reset_peak() -> bool:
    """Set the kernel's record of the largest resident set back to the present size; whether it let us."""
    try:
        CLEAR_REFS.write_text("5")
    except OSError:  # not Linux, or a container that forbids it
        return False
    return STATUS.exists()


def _status(key: str) -> int:
    """Return a line of the process' status; 0 for one that the kernel does not have."""
    found = [line for line in STATUS.read_text().splitlines() if line.startswith(f"{key}:")]
    return int(found[0].split()[1]) * 1024 if found else 0


def _largest_resident_set() -> int:
    import resource  # Unix alone has it

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
