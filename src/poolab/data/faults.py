"""The faults of a folder, reported together, in characters that every terminal can show."""

import errno
from pathlib import Path

from poolab.errors import DataError
from poolab.text import one_line

SHOWN_FAULTS = 10

_ADVICE = {
    errno.EACCES: "this user may not; let it read the files (chmod u+r) and enter the folders (chmod u+rx)",
    errno.EPERM: "this user may not; let it read the files (chmod u+r) and enter the folders (chmod u+rx)",
    errno.ELOOP: "it is a loop of links; remove the link or let it lead to a file",
    errno.ENOENT: "it was listed a moment ago and is gone; start again when nothing changes the folder",
    errno.ESTALE: "it was listed a moment ago and is gone; start again when nothing changes the folder",
    errno.EIO: "the disk cannot read it; restore it from a copy",
}


def reason_of(error: OSError) -> str:
    """Return what the system said, and what to do about it."""
    said = error.strerror or str(error)
    return f"{said}: {_ADVICE[error.errno]}" if error.errno in _ADVICE else said


def report_faults(root: Path, faults: list[str]) -> None:
    """Raise one DataError with up to ten faults."""
    if faults:
        more = [f"... and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
        lines = "".join(f"\n  {fault}" for fault in faults[:SHOWN_FAULTS] + more)
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        raise DataError(f"image folder {one_line(root)} has {count}:{lines}")
