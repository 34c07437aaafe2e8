"""Load a compiled kernel from bytes in memory, so that the bytes that were checked are the bytes that run.

A library that is loaded from a file is a mapping of that file: whoever changes or cuts off the file later changes, or
kills, the process. So the bytes are copied to memory, or to a file that is deleted at once.

This file is also a program: `python loading.py FOLDER < LIBRARY` loads a new kernel and runs it once, in a process of
its own that may die of it. So it imports nothing but the standard library.
"""

import ctypes
import os
import sys
import tempfile
from collections.abc import Sequence
from itertools import count

FUNCTIONS = ("forward", "backward", "probe")

_numbers = count(1)


def load(data: bytes, folders: Sequence[str]) -> ctypes.CDLL:
    """Load a library.

    Args:
        data: the file's bytes.
        folders: where the bytes are copied to if memory cannot be executed; nobody else may write to them.

    Raises:
        OSError: the bytes are no library for this machine, or not one with a kernel's functions.
    """
    try:
        library = _from_memory(data)
    except OSError as error:
        library = _from_copy(data, folders, error)
    missing = [name for name in FUNCTIONS if not hasattr(library, name)]
    if missing:
        raise OSError(f"the library has no function {' and no '.join(missing)}")
    return library


def _from_memory(data: bytes) -> ctypes.CDLL:
    if not hasattr(os, "memfd_create"):
        raise OSError("this system has no files in memory")
    number = os.memfd_create("poolab-kernel")
    with os.fdopen(number, "wb") as file:
        file.write(data)
        file.flush()
        # The loader takes two libraries of one name for the same one, and the system gives file numbers again. More
        # slashes make another name of the same file.
        return ctypes.CDLL(f"/proc/self/fd{'/' * next(_numbers)}{number}")


def _from_copy(data: bytes, folders: Sequence[str], error: OSError) -> ctypes.CDLL:
    for folder in folders:
        try:
            with tempfile.TemporaryDirectory(prefix="poolab-", dir=folder, ignore_cleanup_errors=True) as private:
                path = os.path.join(private, "kernel.so")
                with open(path, "xb") as file:
                    file.write(data)
                return ctypes.CDLL(path)
        except OSError as other:
            error = other
    raise error


if __name__ == "__main__":
    if load(sys.stdin.buffer.read(), sys.argv[1:]).probe() != 1:
        sys.exit("the function probe does not return 1")
