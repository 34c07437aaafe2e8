"""The attempts of a study, one line each in DIR/studies/<study>.jsonl; kill -9 and a full disk leave it whole.

A line is written when an attempt begins, with blanks for what its end will say, and the end is written over them. So an
end needs no room on the disk: what has begun can always be recorded, and on a full disk nothing begins.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError

ROOM = 480  # bytes of a line that are kept for its attempt's end
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(PoolabError):
    """The disk has no room for the record of one more attempt; nothing was started."""


class Journal:
    """The attempts of one study.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Journal(Path(folder) / "study.jsonl")
    ...     line = journal.begin({"cell": "0123456789ab"})
    ...     journal.end(line, {"outcome": "completed"})
    ...     journal.entries()
    [{'cell': '0123456789ab', 'outcome': 'completed'}]
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def begin(self, entry: Mapping[str, Any]) -> int:
        """Write the line of an attempt and return its offset, which `end` takes.

        Raises:
            DiskFull: it does not fit on the disk; nothing is written then.
        """
        line = json.dumps(entry).encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path, fcntl.LOCK_EX) as file:
            offset = end_of_lines(file)
            write_whole(file, line + b" " * ROOM + b"\n", offset, f"an attempt in {self.path}")
        return offset

    def note(self, entry: Mapping[str, Any]) -> None:
        """Write a line that nothing will be added to.

        Raises:
            DiskFull: it does not fit on the disk; nothing is written then.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path, fcntl.LOCK_EX) as file:
            write_whole(file, json.dumps(entry).encode() + b"\n", end_of_lines(file), f"a line of {self.path}")

    def end(self, offset: int, ending: Mapping[str, Any]) -> None:
        """Write how an attempt ended, into the room that its line has for it; a long reason is cut."""
        with locked(self.path, fcntl.LOCK_EX) as file:
            line = _line_at(file, offset)
            begun = read_entry(line)
            if begun is None or begun.get("cell", ending.get("cell")) != ending.get("cell", begun.get("cell")):
                # Somebody has deleted or emptied the journal: what has happened since begins a new one.
                text = json.dumps(dict(ending)).encode() + b"\n"
                write_whole(file, text, end_of_lines(file), f"an attempt in {self.path}")
                return
            os.pwrite(file, _fitted({**begun, **ending}, len(line)), offset)

    def entries(self) -> list[dict[str, Any]]:
        """Return all attempts in the order in which they began. One without "outcome" runs, or lost its runner."""
        if not self.path.exists():
            return []
        with locked(self.path, fcntl.LOCK_SH):
            lines = self.path.read_bytes().split(b"\n")
        # Behind the last line break is nothing, or a torn line.
        return [entry for line in lines[:-1] if (entry := read_entry(line)) is not None]


def read_entry(line: bytes) -> dict[str, Any] | None:
    """Return the content of a line; None if another program has written it or it is incomplete."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _line_at(file: int, offset: int) -> bytes:
    """Return the line that begins at an offset; empty if none begins there."""
    before = os.pread(file, 1, offset - 1) if offset else b"\n"
    return os.pread(file, 1 << 20, offset).split(b"\n", 1)[0] if before == b"\n" else b""


@contextmanager
def locked(path: Path, how: int) -> Iterator[int]:
    """Open a file and lock it for the length of the block, by flock's LOCK_EX or LOCK_SH."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(file, how)
        except OSError as error:  # a file system without locks: two runners must not share it then
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                raise
        yield file
    finally:
        os.close(file)


def write_whole(file: int, content: bytes, offset: int, what: str) -> None:
    """Write at the end of a file, all or nothing: a full disk takes a part of a text before it refuses.

    Raises:
        DiskFull: it does not fit.
    """
    try:
        written = os.pwrite(file, content, offset)
    except OSError as error:
        if error.errno not in FULL:
            raise
        written = 0
    if written != len(content):
        os.ftruncate(file, offset)
        raise DiskFull(f"the disk is full: there is no room to record {what}; make room and run the study again")


def end_of_lines(file: int) -> int:
    """Return the offset of the next line, after the last line break. (After that is what a killed process left.)"""
    size = os.fstat(file).st_size
    tail = os.pread(file, 1 << 16, max(size - (1 << 16), 0))
    return size - (len(tail) - tail.rfind(b"\n") - 1) if tail else 0


def _fitted(entry: dict[str, Any], room: int) -> bytes:
    text = json.dumps(entry).encode()
    while len(text) > room and entry.get("reason"):
        entry["reason"] = str(entry["reason"])[: -max((len(text) - room) // 6, 1)]  # an escaped character takes six
        text = json.dumps(entry).encode()
    if len(text) > room:  # a line that another program has made, without room: the end alone counts
        text = json.dumps({key: entry[key] for key in ("cell", "outcome") if key in entry}).encode()
    return text.ljust(room)[:room]
