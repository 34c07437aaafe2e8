"""The content of files: a hash of the bytes of each, read again only where the file may have changed."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, NamedTuple

from poolab.data.faults import reason_of
from poolab.data.folders import home_folder
from poolab.data.stat_index import Stamp, StatIndex, index_folder, now_ns
from poolab.text import one_line


class File(NamedTuple):
    """A file of a folder: its path below the root, its stamp when it was listed, and its class's number."""

    path: str
    stamp: Stamp
    label: int = 0


def hash_files(root: Path, files: Sequence[File]) -> tuple[dict[str, str], list[str]]:
    """Return the hash of each file's bytes by its path, and what is wrong with the files that cannot be read.

    A file that has the stamp of an earlier call is not read again (see `StatIndex`). The others are read in threads.
    """
    index = StatIndex(index_folder(home_folder()) / f"{_digest(os.fsencode(os.path.realpath(root)))[:24]}.json")
    hashes = {file.path: index.get(file.path, file.stamp) for file in files}
    unknown = [file.path for file in files if hashes[file.path] is None]
    faults: list[str] = []
    for path, result in zip(unknown, in_threads(lambda path: _attempt(root, path), unknown), strict=True):
        if isinstance(result, str):
            faults.append(result)
        else:
            stamp, hashes[path], read_ns = result
            index.put(path, stamp, str(hashes[path]), read_ns)
    index.save(set(hashes))
    return {path: value for path, value in hashes.items() if value is not None}, faults


def in_threads(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterable[Any]:
    """Return the function's result for each item, in order; hashing and decoding let go of the interpreter."""
    if not items:
        return []
    threads = min(16, os.cpu_count() or 1, len(items))
    with ThreadPool(threads) as pool:
        return pool.map(function, items, chunksize=max(1, min(32, len(items) // (4 * threads))))


def read_checked(root: Path, path: str, hashes: dict[str, str]) -> bytes:
    """Return a file's bytes if they are those that its hash, where it has one, was computed from."""
    with _open(root / path) as file:
        content: bytes = file.read()
    if path in hashes and _digest(content) != hashes[path]:
        raise OSError("it was changed while this run read the folder; start again when nothing writes there")
    return content


def _attempt(root: Path, path: str) -> tuple[Stamp, str, int] | str:
    """Return the stamp, the hash and the time when the reading began; or a line that says what is wrong."""
    try:
        for _ in range(3):
            read_ns = now_ns()
            with _open(root / path) as file:
                before = Stamp.of(os.fstat(file.fileno()))
                value = hashlib.file_digest(file, "sha256").hexdigest()
                if Stamp.of(os.fstat(file.fileno())) == before:
                    return before, value, read_ns
    except OSError as error:
        return f"{one_line(path)} cannot be read: {reason_of(error)}"
    return f"{one_line(path)} was changed while it was read, three times: start again when nothing writes there"


def _open(path: Path) -> Any:
    """Open a regular file; a named pipe that took its place must not make the run wait for ever."""
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is no longer a regular file")
    return file


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
