"""Files of uint8 arrays: written in one step with a digest at their end, verified, and mapped into memory."""

import contextlib
import hashlib
import os
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from poolab.data.stat_index import Stamp, StatIndex, index_folder, now_ns

DIGEST_BYTES = hashlib.sha256().digest_size
BLOCK = 1 << 22


def open_array(path: Path, count: int) -> Tensor | None:
    """Return the array (count, ...) of a file, mapped read-only, or None where there is no such file or it is damaged.

    The pages belong to the system, which shares them among processes and takes them back where memory is short. Writing
    to the tensor would end the process: `Split` gives copies of rows away, and never the tensor.
    """
    try:
        # Not mode "c": the system counts a private writable mapping as memory, and refuses one larger than there is.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # absent, or cut short: made again
    fits = array.dtype == np.uint8 and array.ndim > 1 and array.shape[0] == count and array.flags.c_contiguous
    if not fits or not _whole(path, array):
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def write_array(path: Path, shape: tuple[int, ...], chunks: Iterator[np.ndarray]) -> None:
    """Write an array to a temporary file, then move it in one step: of several processes, each leaves a complete file.

    Written in sequence rather than through a memory map: a full disk is then an OSError, not a killed process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            _write_header(file, shape)
            digest = hashlib.sha256(repr(shape).encode())
            for chunk in chunks:
                file.write(chunk.data)
                digest.update(chunk.data)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())  # a machine that dies must not leave a file of zeros under the final name
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _whole(path: Path, array: np.memmap) -> bool:
    """Return whether the file's pixels are those that were written.

    All of it is read where its stamp is not the one that it had when it was last read: after it was made, copied, or
    changed in place. A disk that returns other bytes under the same stamp is not noticed.
    """
    read_ns = now_ns()
    try:
        stamp = Stamp.of(os.stat(path))
        end = array.offset + array.nbytes
        if stamp.size != end + DIGEST_BYTES:
            return False
        index = StatIndex(index_folder(path.parent.parent) / f"{path.stem}.json")
        if index.get(path.name, stamp) is None:
            if not _digest_at_end(path, array.shape, array.offset, end):
                return False
            index.put(path.name, stamp, "whole", read_ns)
            index.save()
    except OSError:
        return False
    return True


def _digest_at_end(path: Path, shape: tuple[int, ...], start: int, end: int) -> bool:
    digest = hashlib.sha256(repr(shape).encode())
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            block = file.read(min(BLOCK, end - start))
            if not block:
                return False
            digest.update(block)
            start += len(block)
        return file.read() == digest.digest()


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
