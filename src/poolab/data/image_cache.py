"""Decode an image folder, and its masks, once into uint8 arrays on disk, and map them into memory ever after."""

import hashlib
import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from poolab.data.image_folder import Tree, report_faults, tree_fingerprint
from poolab.data.raw import Request
from poolab.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

# Part of the cache's key: raise it whenever decoding or resizing gives other pixels.
VERSION = 1
CHUNK = 1024


def decoded(tree: Tree, request: Request) -> Tensor:
    """All images of a tree, train then test, (N, C, H, W) uint8: from the cache, or decoded and put there."""
    count = len(tree.train) + len(tree.test)
    path = cache_path(tree, request)
    return kept(path, count, lambda: (count, *_target(tree, request)), lambda shape: _chunks(tree, shape, decode))


def mask_decoded(tree: Tree, request: Request, size: tuple[int, int]) -> Tensor:
    """All masks of a tree, train then test, (N, H, W) uint8 of that size: from the cache, or decoded and put there."""
    count = len(tree.train) + len(tree.test)
    path = cache_path(tree, request, "masks")
    return kept(path, count, lambda: (count, 1, *size), lambda shape: _chunks(tree, shape, decode_mask))[:, 0]


def kept(
    path: Path,
    count: int,
    shape_of: Callable[[], tuple[int, ...]],
    chunks_of: Callable[[tuple[int, ...]], Iterator[np.ndarray]],
) -> Tensor:
    """The uint8 array in a file of the cache, or one that is made of chunks and put there.

    A cache folder that cannot be written to costs one warning, and the array stays in memory.
    """
    cached = _open(path, count)
    if cached is not None:
        return cached
    shape = shape_of()
    try:
        _write(path, shape, chunks_of(shape))
    except OSError as error:
        warnings.warn(
            f"decoded images cannot be kept in {path.parent} ({error}): every run decodes them again, in memory; "
            "data.cache_dir or $POOLAB_CACHE names another folder",
            stacklevel=2,
        )
        return torch.from_numpy(np.concatenate(list(chunks_of(shape))))
    written = _open(path, count)
    if written is None:
        raise DataError(f"{path} was written and cannot be read back: remove it, or name another data.cache_dir")
    return written


def cache_path(tree: Tree, request: Request, kind: str = "") -> Path:
    """The file of a tree at a size and number of channels; what it is called says nothing of where the tree lies."""
    key = f"{VERSION}|{tree_fingerprint(tree)}|{request.image_size}|{request.channels}" + (kind and f"|{kind}")
    return request.cache_dir / "images" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"


def _open(path: Path, count: int) -> Tensor | None:
    try:
        # Copy-on-write: pages are shared by all processes, and torch need not warn of an array it may not write to.
        array = np.load(path, mmap_mode="c")
    except (OSError, ValueError, EOFError):
        return None  # absent, or cut short by a machine that died: decode again
    return torch.from_numpy(array) if array.dtype == np.uint8 and array.shape[:1] == (count,) else None


def _write(path: Path, shape: tuple[int, ...], chunks: Iterator[np.ndarray]) -> None:
    """Under a name of its own, then moved in one step: ranks that race all leave a whole file.

    Written in sequence rather than through a memory map: a full disk is then an OSError, not a killed process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            _write_header(file, shape)
            for chunk in chunks:
                file.write(chunk.data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _target(tree: Tree, request: Request) -> tuple[int, int, int]:
    """Channels, height and width of the decoded images, from the files' headers where they are not given."""
    if request.channels is not None and request.image_size is not None:
        return request.channels, *request.image_size
    files = [path for path, _, _ in tree.train + tree.test]
    headers = _attempts(tree.root, files, read_header)
    if any(isinstance(error, str) for error in headers):  # once something is wrong: look for all that is
        headers = _attempts(tree.root, files, read_wholly)
        report_faults(tree.root, [error for error in headers if isinstance(error, str)])
    channels = request.channels or (1 if all(grey for _, grey in headers) else 3)
    if request.image_size is not None:
        return channels, *request.image_size
    first = headers[0][0]
    other = next((i for i, (size, _) in enumerate(headers) if size != first), None)
    if other is not None:
        (h, w), (h2, w2) = first, headers[other][0]
        raise DataError(
            f"image folder {tree.root} has images of different sizes: {files[0]} is {h}x{w}, {files[other]} is "
            f"{h2}x{w2} (height x width); set data.image_size=32 or [height,width] to bring all to one size"
        )
    return channels, *first


def _chunks(tree: Tree, shape: tuple[int, ...], decode: Callable[..., np.ndarray]) -> Iterator[np.ndarray]:
    """The decoded images in order, some at a time, so that no more than these are in memory."""
    files = [path for path, _, _ in tree.train + tree.test]
    _, channels, *size = shape
    damaged: list[str] = []
    for start in range(0, len(files), CHUNK):
        results = _attempts(tree.root, files[start : start + CHUNK], lambda path: decode(path, channels, tuple(size)))
        damaged += [error for error in results if isinstance(error, str)]
        if not damaged:
            yield np.ascontiguousarray(np.stack(results))
    report_faults(tree.root, damaged)


def _attempts(root: Path, files: list[str], function: Callable[[Path], Any]) -> list[Any]:
    """The function's result for each file, or a line that says what is wrong with the file."""

    def attempt(file: str) -> Any:
        try:
            return function(root / file)
        except Exception as error:  # a damaged file makes PIL raise errors of many kinds
            reason = str(error).replace(str(root / file), file)
            return f"{file} cannot be read as an image: {reason}; restore or remove it"

    # PIL lets go of the interpreter while it decodes, so threads do.
    with ThreadPool(min(16, os.cpu_count() or 1)) as pool:
        return pool.map(attempt, files, chunksize=32)


def read_header(path: Path) -> tuple[tuple[int, int], bool]:
    """Height and width of an image file, and whether it is grey, without decoding it."""
    from PIL import Image

    with Image.open(path) as image:
        _check_depth(image.mode)
        return (image.height, image.width), image.mode in ("1", "L", "LA", "La")


def read_wholly(path: Path) -> tuple[tuple[int, int], bool]:
    """The same, and decode it, so that damage shows."""
    header = read_header(path)
    decode(path, 3, header[0])
    return header


def decode(path: Path, channels: int, size: tuple[int, ...]) -> np.ndarray:
    """One image as (C, H, W) uint8: the shorter side is resized to fit, then the centre is cropped."""
    from PIL import Image

    with Image.open(path) as opened:
        _check_depth(opened.mode)
        image: Image.Image = opened.convert("L" if channels == 1 else "RGB")
    fitted = np.asarray(_fitted(image, size, Image.Resampling.BILINEAR))
    return fitted.reshape(*size, channels).transpose(2, 0, 1)


def decode_mask(path: Path, channels: int, size: tuple[int, ...]) -> np.ndarray:
    """One mask as (1, H, W) uint8, resized and cropped as its image: each pixel takes the index nearest to it."""
    from PIL import Image

    indices = Image.fromarray(read_mask(path))
    return np.asarray(_fitted(indices, size, Image.Resampling.NEAREST))[None]


def read_mask(path: Path) -> np.ndarray:
    """The indices (H, W) uint8 of one mask: a grey image's levels, or a palette's places."""
    from PIL import Image

    with Image.open(path) as opened:
        _check_depth(opened.mode)
        if opened.mode not in ("L", "P", "1"):
            raise ValueError(
                f"it is in colour (mode {opened.mode}), and a mask is one index a pixel, grey or of a palette"
            )
        return np.asarray(opened).astype(np.uint8)


def _fitted(image: "Image.Image", size: tuple[int, ...], resampling: "Image.Resampling") -> "Image.Image":
    height, width = size
    if (image.height, image.width) == (height, width):
        return image
    scale = max(height / image.height, width / image.width)
    around = max(height, round(image.height * scale)), max(width, round(image.width * scale))
    image = image.resize((around[1], around[0]), resampling)
    top, left = (around[0] - height) // 2, (around[1] - width) // 2
    return image.crop((left, top, left + width, top + height))


def _check_depth(mode: str) -> None:
    if mode.startswith(("I", "F")):
        raise ValueError(f"it has more than 8 bits a channel (mode {mode}), convert it to 8 bits")
