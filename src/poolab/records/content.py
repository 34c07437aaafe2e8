"""Hash the content of files: a run's identity holds a file's content, not its path or name."""

import hashlib
import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

RACY_NS = 2_000_000_000  # a file that changed this shortly before it was read may change again within one clock tick


class _Stamp(NamedTuple):
    """The size, times and number of a file, which change when its content changes."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


_KNOWN: dict[_Stamp, str] = {}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; a file that did not change is read once a process.

    Raises:
        OSError: there is no such file, it cannot be read, is no regular file, or changes while it is read.
    """
    for _ in range(3):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            before = _stamp(handle)
            if before in _KNOWN:
                return _KNOWN[before]
            began = time.time_ns()
            value = hashlib.file_digest(file, "sha256").hexdigest()
            if _stamp(handle) == before:
                if abs(began - before.changed_ns) > RACY_NS:
                    _KNOWN[before] = value
                return value
    raise OSError("it was changed while it was read, three times")


def _stamp(handle: int) -> _Stamp:
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError("it is not a regular file")
    return _Stamp(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
