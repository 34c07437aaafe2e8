"""A folder of images and masks as a data set: its check, file by file, and its classes."""

import os
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poolab.data.image_cache import cache_path, decode, decoded, kept, mask_decoded, read_header, read_mask
from poolab.data.image_folder import report_faults, tree_fingerprint
from poolab.data.mask_pairs import NAMES, Pairs, scan_pairs
from poolab.data.raw import IGNORED, Raw, Request
from poolab.errors import DataError


def load_image_mask_folder(request: Request) -> Raw:
    """Decode a folder (once: see `image_cache`) into uint8 images and masks of one size.

    A mask is a PNG of class indices, grey or with a palette, with its image's name and size; pixels of 255 are ignored.
    FOLDER/classes.txt names the classes, one a line; without it they are the indices 0, 1, ... that the masks hold.
    Images are resized bilinearly; a pixel of a resized mask takes the nearest index.

    Raises ConfigError without data.root, DataError for a wrong root and, all at once, for images or masks without a
    partner, of different sizes or damaged, and for indices that are no class.
    """
    pairs = scan_pairs(request.root)
    held = _held(pairs, request)
    report_faults(pairs.root, _strangers(pairs, held))  # the names may be newer than the cache
    classes = pairs.names or _classes_of(pairs, held)
    images = decoded(pairs.images, request)
    masks = mask_decoded(pairs.masks, request, (images.shape[2], images.shape[3]))
    n = len(pairs.images.train)
    return Raw(images[:n], masks[:n], images[n:], masks[n:], classes)


def _held(pairs: Pairs, request: Request) -> Tensor:
    """Which of the 256 indices each mask holds in its own size, (masks, 256): from the cache, or by reading all pairs.

    Counted before masks are resized: whether there is a class must not depend on data.image_size.
    """
    if pairs.faults:
        report_faults(pairs.root, pairs.faults + _check(pairs)[0])
    path = cache_path(pairs.masks, request, f"indices|{tree_fingerprint(pairs.images)}")
    count = len(_masks(pairs))

    def rows(_: tuple[int, ...]) -> Iterator[np.ndarray]:
        faults, held = _check(pairs)
        report_faults(pairs.root, faults)
        yield held

    return kept(path, count, lambda: (count, 256), rows)


def _check(pairs: Pairs) -> tuple[list[str], np.ndarray]:
    """Read all images and masks: what is wrong with them, and which indices each mask holds."""
    images = [name for name, _, _ in pairs.images.train + pairs.images.test]
    with ThreadPool(min(16, os.cpu_count() or 1)) as pool:
        files = zip(images, _masks(pairs), strict=True)
        results = pool.starmap(lambda image, mask: _check_pair(pairs.root, image, mask), files, chunksize=32)
    held = np.array([row for _, row in results], dtype=np.uint8).reshape(-1, 256)
    return [fault for faults, _ in results for fault in faults] + _strangers(pairs, torch.from_numpy(held)), held


def _masks(pairs: Pairs) -> list[str]:
    return [name for name, _, _ in pairs.masks.train + pairs.masks.test]


def _check_pair(root: Path, image: str, mask: str) -> tuple[list[str], np.ndarray]:
    faults, sizes, held = [], [], np.zeros(256, np.uint8)
    for name, what in ((image, "an image"), (mask, "a mask")):
        try:
            if name == mask:
                indices = read_mask(root / name)
                held[np.unique(indices)] = 1
                sizes.append(indices.shape)
            else:
                size, _ = read_header(root / name)
                decode(root / name, 3, size)  # whole, so that damage shows
                sizes.append(size)
        except Exception as error:  # a damaged file makes PIL raise errors of many kinds
            reason = str(error).replace(str(root / name), name)
            faults.append(f"{name} cannot be read as {what}: {reason}; restore or remove it")
    if len(sizes) == 2 and sizes[0] != sizes[1]:
        (h, w), (h2, w2) = sizes
        faults.append(f"{image} is {h}x{w} and its mask {h2}x{w2} (height x width): they must have one size")
    return faults, held


def _strangers(pairs: Pairs, held: Tensor) -> list[str]:
    """The masks that hold indices beyond the named classes."""
    if pairs.names is None:
        return []
    count, found = len(pairs.names), dict[int, list[str]]()
    for row, beyond in held[:, count:IGNORED].nonzero().tolist():
        found.setdefault(row, []).append(str(count + beyond))
    names = _masks(pairs)
    return [
        f"{names[row]} holds {', '.join(indices[:5])}{', ...' * (len(indices) > 5)}, but {NAMES} names the classes "
        f"0 to {count - 1} ({IGNORED} is ignored)"
        for row, indices in found.items()
    ]


def _classes_of(pairs: Pairs, held: Tensor) -> tuple[str, ...]:
    """The classes where no file names them: the indices of all masks, which must have no gap.

    A gap is the mark of masks that are no indices: black and white of 0 and 255, or edges smoothed into greys.
    """
    indices = held[:, :IGNORED].any(0).nonzero().flatten().tolist()
    if len(indices) < 2 or indices != list(range(len(indices))):
        shown = ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")
        raise DataError(
            f"image folder {pairs.root}: its masks hold the indices {shown or 'none'} ({IGNORED} is ignored). Without "
            f"{NAMES} in the folder, one class name a line, the classes are 0, 1, ... without a gap, and at least two. "
            "Masks in black and white or in smoothed greys must be turned into indices first"
        )
    return tuple(map(str, indices))
