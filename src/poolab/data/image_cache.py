"""Decode an image folder, and its masks, once into uint8 arrays on disk, and map them into memory ever after."""

import hashlib
import io
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from poolab.data.array_file import open_array, write_array
from poolab.data.content import in_threads, read_checked
from poolab.data.faults import reason_of, report_faults
from poolab.data.pixels import VERSION, ImageFile, decode, decode_mask, read_header, read_whole
from poolab.data.raw import Request
from poolab.data.tree import Tree, tree_fingerprint
from poolab.errors import DataError
from poolab.text import one_line

# The largest number of images, and of their bytes, that are decoded at a time.
CHUNK, CHUNK_BYTES = 1024, 1 << 24


def decoded(tree: Tree, request: Request) -> Tensor:
    """Return all images of a tree, train then test, (N, C, H, W) uint8: from the cache, or decoded and put there."""
    path = cache_path(tree, request)

    def chunks(shape: tuple[int, ...]) -> Iterator[np.ndarray]:
        return _chunks(tree, shape, lambda source, channels, size: decode(source, channels, size, request.background))

    return kept(path, len(tree.files), lambda: (len(tree.files), *_target(tree, request)), chunks)


def mask_decoded(tree: Tree, request: Request, size: tuple[int, int]) -> Tensor:
    """Return all masks of a tree, train then test, (N, H, W) uint8: from the cache, or decoded and put there."""
    count = len(tree.files)
    path = cache_path(tree, request, "masks")
    return kept(path, count, lambda: (count, 1, *size), lambda shape: _chunks(tree, shape, decode_mask, "a mask"))[:, 0]


def kept(
    path: Path,
    count: int,
    shape_of: Callable[[], tuple[int, ...]],
    chunks_of: Callable[[tuple[int, ...]], Iterator[np.ndarray]],
) -> Tensor:
    """Return the uint8 array in a file of the cache, or one that is made of chunks and put there.

    A cache folder that cannot be written to costs one warning, and the array stays in memory if it fits there.
    """
    cached = open_array(path, count)
    if cached is not None:
        return cached
    shape = shape_of()
    try:
        _check_room(path, shape)
        write_array(path, shape, chunks_of(shape))
    except OSError as error:
        refusal = f"decoded images cannot be kept in {one_line(path.parent)} ({error})"
        advice = "data.cache_dir or $POOLAB_CACHE names another folder"
        if np.prod(shape, dtype=object) > _memory():
            raise DataError(f"{refusal}, and {_size(shape)} do not fit into memory: {advice}") from error
        warnings.warn(f"{refusal}: every run decodes them again, in memory; {advice}", stacklevel=2)
        return torch.from_numpy(np.concatenate(list(chunks_of(shape))))
    written = open_array(path, count)
    if written is None:
        raise DataError(f"{path} was written and cannot be read back: remove it, or name another data.cache_dir")
    return written


def cache_path(tree: Tree, request: Request, kind: str = "") -> Path:
    """Return the file of a tree's content at a size, on a background, whatever the place of the tree."""
    how = (
        f"{request.image_size}|{request.channels}|{request.background}"
        if kind == ""
        else f"{request.image_size}|{kind}"
    )
    key = f"{VERSION}|{tree_fingerprint(tree)}|{how}"
    return request.cache_dir / "images" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"


def attempt(tree: Tree, file: str, function: Callable[[ImageFile], Any], what: str = "an image") -> Any:
    """Return the function's result for a file's bytes, or a line that says what is wrong with the file.

    Where the tree has hashes, the bytes must be those that the run's identity was computed from.
    """
    try:
        content = read_checked(tree.root, file, tree.hashes)
    except OSError as error:
        return f"{one_line(file)} cannot be read: {reason_of(error)}"
    try:
        return function(io.BytesIO(content))
    except MemoryError:
        return f"{one_line(file)} cannot be decoded: this machine has too little memory left for it"
    except Exception as error:  # a damaged file makes PIL raise errors of many kinds
        reason = (str(error) or type(error).__name__) if content else "it is empty"
        return f"{one_line(file)} cannot be read as {what}: {reason}; restore or remove it"


def _check_room(path: Path, shape: tuple[int, ...]) -> None:
    """Raise OSError where the disk has too little room, before hours of decoding and not after them."""
    place = next(folder for folder in path.absolute().parents if folder.is_dir())
    if np.prod(shape, dtype=object) > shutil.disk_usage(place).free:
        raise OSError(f"{_size(shape)} are needed, more than the disk has left")


def _size(shape: tuple[int, ...]) -> str:
    return f"{np.prod(shape, dtype=object) / 1e9:,.1f} GB"


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _target(tree: Tree, request: Request) -> tuple[int, int, int]:
    """Return channels, height and width of the decoded images; what is not given comes from the files' headers."""
    if request.channels is not None and request.image_size is not None:
        return request.channels, *request.image_size
    files = [file.path for file in tree.files]
    headers = _attempts(tree, files, read_header)
    if any(isinstance(error, str) for error in headers):  # once something is wrong: look for all that is
        headers = _attempts(tree, files, read_whole)
        report_faults(tree.root, [error for error in headers if isinstance(error, str)])
    channels = request.channels or (1 if all(grey for _, grey in headers) else 3)
    if request.image_size is not None:
        return channels, *request.image_size
    first = headers[0][0]
    other = next((i for i, (size, _) in enumerate(headers) if size != first), None)
    if other is not None:
        (h, w), (h2, w2) = first, headers[other][0]
        raise DataError(
            f"image folder {one_line(tree.root)} has images of different sizes: {one_line(files[0])} is {h}x{w}, "
            f"{one_line(files[other])} is {h2}x{w2} (height x width); set data.image_size=32 or [height,width] to "
            "bring all to one size"
        )
    return channels, *first


def _chunks(
    tree: Tree, shape: tuple[int, ...], decode: Callable[..., np.ndarray], what: str = "an image"
) -> Iterator[np.ndarray]:
    """Yield the decoded images in order, some at a time, so that only these are in memory."""
    files = [file.path for file in tree.files]
    _, channels, *size = shape
    damaged: list[str] = []
    step = max(1, min(CHUNK, CHUNK_BYTES // (channels * size[0] * size[1])))
    for start in range(0, len(files), step):
        part = files[start : start + step]
        results = _attempts(tree, part, lambda source: decode(source, channels, tuple(size)), what)
        damaged += [error for error in results if isinstance(error, str)]
        if not damaged:
            yield from (np.ascontiguousarray(one)[None] for one in results)  # stacked they would take twice as much
    report_faults(tree.root, damaged)


def _attempts(tree: Tree, files: list[str], function: Callable[[ImageFile], Any], what: str = "an image") -> list[Any]:
    return list(in_threads(lambda file: attempt(tree, file, function, what), files))
