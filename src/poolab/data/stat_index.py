"""Remember what was computed from files, for as long as the files' stamps (size, times, inode) stay the same."""

import contextlib
import hashlib
import json
import os
import stat
import time
import uuid
from pathlib import Path
from typing import NamedTuple

VERSION = 1
# A file that was changed so shortly before it was read may change again without another time stamp: file systems count
# in steps of up to two seconds. Its entry is not kept (git calls this "racily clean").
RACY_NS = 2_000_000_000


class Stamp(NamedTuple):
    """The file system's record of a file: it changes with the content, unless that changes within one clock tick."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """Return the stamp of what `os.stat` found."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)

    def rested(self, now_ns: int) -> bool:
        """Return True if the file was unchanged long enough before `now_ns` that its stamp can be trusted.

        A file without an inode number is never trusted: there the number does not tell that a file was exchanged.
        """
        return self.inode != 0 and max(self.mtime_ns, self.ctime_ns) < now_ns - RACY_NS


class StatIndex:
    """A private file that maps names to a stamp and a value.

    The file is only a short cut. Where it is damaged, belongs to another user, can be written by others, or cannot be
    written at all, nothing is known and everything is computed again.
    """

    def __init__(self, path: Path):
        self.path = path
        self._entries = _read(path) or _UNWRITTEN.get(path, {})
        self._new: dict[str, tuple[Stamp, str]] = {}

    def get(self, name: str, stamp: Stamp) -> str | None:
        """Return the value of a name if its file has the same stamp as when the value was computed."""
        known = self._entries.get(name)
        return known[1] if known is not None and known[0] == stamp and stamp.inode != 0 else None

    def put(self, name: str, stamp: Stamp, value: str, read_ns: int) -> None:
        """Keep a value that was computed from a file whose reading began at `read_ns`, if its stamp can be trusted."""
        if stamp.rested(read_ns):
            self._new[name] = stamp, value

    def save(self, names: set[str] | None = None) -> None:
        """Write what is new; entries of other names than `names` are dropped. A folder that refuses costs nothing."""
        kept = {name: entry for name, entry in self._entries.items() if names is None or name in names}
        if not self._new and len(kept) == len(self._entries):
            return
        self._entries = kept | self._new
        self._new = {}
        try:
            _write(self.path, self._entries)
        except OSError:
            _UNWRITTEN.clear()  # one folder at a time: an index of a million files takes some 500 MB
            _UNWRITTEN[self.path] = self._entries


# What could not be written serves this process, which asks for the same folder several times.
_UNWRITTEN: dict[Path, dict[str, tuple[Stamp, str]]] = {}


def index_folder(cache: Path) -> Path:
    """Return this user's folder of indexes in a cache folder that users may share."""
    return cache / f"index-{os.geteuid()}"


def _read(path: Path) -> dict[str, tuple[Stamp, str]]:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                return {}
            checksum, _, body = file.read().partition(b"\n")
        if checksum != _checksum(body):
            return {}
        return {name: (Stamp(*numbers), value) for name, (*numbers, value) in json.loads(body).items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _write(path: Path, entries: dict[str, tuple[Stamp, str]]) -> None:
    """Write a temporary file and move it in one step: of several processes, one leaves a complete file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    body = json.dumps({name: [*stamp, value] for name, (stamp, value) in entries.items()}).encode()
    temporary = path.with_suffix(f".{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(_checksum(body) + b"\n" + body)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(f"poolab index {VERSION}\n".encode() + body).hexdigest().encode()


def now_ns() -> int:
    """Return the time to compare stamps with."""
    return time.time_ns()
