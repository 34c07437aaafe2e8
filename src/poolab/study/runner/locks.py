"""Claims of cells: a locked file for each, held by every process that a second run of the cell would disturb.

The lock is flock's, which belongs to the opened file and not to a process: the runner opens it, its fork server and
the cell inherit it, and the kernel frees it when the last of them is gone, whoever of them was killed. So a cell that
outlives its runner is still claimed, and no claim outlives its cell. Linux sends flock to an NFS server, which frees a
dead client's locks after their lease. For shares that keep locks to each machine (`nolock`, `local_lock`), and for file
systems without locks, the file also names its machine, and its time is renewed: another machine takes it over only when
that is old.
"""

import errno
import fcntl
import json
import os
import socket
from pathlib import Path
from typing import TypedDict, cast

from poolab.study.runner.journal import write_whole

EXPIRES = 300.0  # seconds without a sign of life, after which another machine takes a claim over
BEAT = 30.0  # seconds between two signs of life
SIZE = 256  # bytes, all written at the start: the state can then be changed on a full disk
CLAIMS = ".claims"  # the folder with a locked file for each cell, before the run has its folder


class Holder(TypedDict, total=False):
    """The content of a claim's file: running, done or free, and the process that wrote it."""

    state: str
    host: str
    pid: int


class Claim:
    """The claim of one cell, held until `release`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = Claim.take(Path(folder) / "cell")
    ...     assert first and Claim.take(Path(folder) / "cell") is None
    ...     first.release(done=True)
    ...     Claim.done(Path(folder) / "cell")
    True
    """

    def __init__(self, file: int):
        self.file = file

    @classmethod
    def take(cls, path: Path) -> "Claim | None":
        """Take the claim; return None if another process holds it.

        Raises:
            DiskFull: there is no room for its file.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _locked(file) or _held_elsewhere(file, path):
            os.close(file)
            return None
        try:
            if os.fstat(file).st_size < SIZE:
                write_whole(file, b" " * SIZE, 0, f"the claim {path}")
            claim = cls(file)
            claim._write("done" if _read(file).get("state") == "done" else "running")
        except BaseException:
            os.close(file)
            raise
        return claim

    @staticmethod
    def done(path: Path) -> bool:
        """Return True if the cell has been run to its end. (For cells of train.py, the record says it.)"""
        try:
            file = os.open(path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            return _read(file).get("state") == "done"
        finally:
            os.close(file)

    def beat(self) -> None:
        """Renew the time of the file, to show that the holder lives."""
        os.utime(self.file)

    def release(self, done: bool) -> None:
        """Write whether the cell was run to its end, and release the claim. (Processes that inherited it keep it.)"""
        self._write("done" if done else "free")
        self.close()

    def close(self) -> None:
        """Close the file without a result: another process that holds it writes the outcome of the cell."""
        os.close(self.file)

    def _write(self, state: str) -> None:
        holder: Holder = {"state": state, "host": socket.gethostname(), "pid": os.getpid()}
        os.pwrite(self.file, json.dumps(holder).encode().ljust(SIZE), 0)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise
    return True


def _held_elsewhere(file: int, path: Path) -> bool:
    """Return True if another machine holds a claim whose lock does not reach this one."""
    content = _read(file)
    if content.get("state") != "running" or content.get("host") == socket.gethostname():
        return False
    clock = path.parent / ".clock"  # the share's own clock: that of the machines may differ
    clock.touch()
    return clock.stat().st_mtime - os.fstat(file).st_mtime < EXPIRES


def _read(file: int) -> Holder:
    try:
        content = json.loads(os.pread(file, SIZE, 0))
    except (OSError, ValueError):  # a folder in its place; or blank: whoever made it was killed before the first word
        return {}
    return cast(Holder, content) if isinstance(content, dict) else {}


def busy_elsewhere(runs_dir: Path, signature: str) -> bool:
    """Return True if a process makes this run, or a runner is about to."""
    return is_held(runs_dir / signature / ".lock") or is_held(runs_dir / CLAIMS / signature)


def is_held(lock: Path) -> bool:
    """Return True if a process makes this run: it holds a lock, which the system frees when it ends."""
    try:
        with open(lock) as file:
            fcntl.flock(
                file, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # for microseconds, and shared: two that ask do not see each other
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
