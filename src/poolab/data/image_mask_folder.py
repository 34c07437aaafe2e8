"""A folder of images and masks as a data set: its check, file by file, and its classes."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from poolab.data.content import in_threads
from poolab.data.faults import report_faults
from poolab.data.image_cache import attempt, cache_path, decoded, kept, mask_decoded
from poolab.data.mask_pairs import NAMES, Pairs, fingerprint_of, hashed_pairs, pairs_summary, scan_pairs
from poolab.data.pixels import ImageFile, is_turned, read_mask, read_whole
from poolab.data.raw import IGNORED, Raw, Request
from poolab.data.tree import tree_fingerprint
from poolab.errors import DataError
from poolab.text import one_line


def load_image_mask_folder(request: Request) -> Raw:
    """Decode a folder (once: see `image_cache`) into uint8 images and masks of one size.

    A mask is a PNG of class indices, grey or with a palette, with its image's name and size; pixels of 255 are ignored.
    FOLDER/classes.txt names the classes, one a line; without it they are the indices 0, 1, ... that the masks hold.
    Images are resized bilinearly; a pixel of a resized mask takes the nearest index.

    Raises ConfigError without data.root, DataError for a wrong root and, all at once, for images or masks without a
    partner, of different sizes or damaged, and for indices without a class.
    """
    pairs = scan_pairs(request.root)
    if pairs.faults:  # then report those of the files' content too, and load nothing
        report_faults(pairs.root, pairs.faults + _check(pairs)[0])
    pairs = hashed_pairs(pairs)
    held = _held(pairs, request)
    report_faults(pairs.root, _strangers(pairs, held))  # the names may be newer than the cache
    classes = pairs.names or _classes_of(pairs, held)
    images = decoded(pairs.images, request)
    masks = mask_decoded(pairs.masks, request, (images.shape[2], images.shape[3]))
    n = len(pairs.images.train)
    return Raw(
        *(images[:n], masks[:n], images[n:], masks[n:], classes),
        stored=True,
        fingerprint=fingerprint_of(pairs),
        summary=pairs_summary(pairs),
    )


def _held(pairs: Pairs, request: Request) -> Tensor:
    """Return which of the 256 indices each mask has in its own size, (masks, 256), from the cache or by reading all
    pairs.

    They are counted before masks are resized: the classes must not depend on data.image_size.
    """
    path = cache_path(pairs.masks, request, f"indices|{tree_fingerprint(pairs.images)}")
    count = len(pairs.masks.files)

    def rows(_: tuple[int, ...]) -> Iterator[np.ndarray]:
        faults, held = _check(pairs)
        report_faults(pairs.root, faults)
        yield held

    return kept(path, count, lambda: (count, 256), rows)


def _check(pairs: Pairs) -> tuple[list[str], np.ndarray]:
    """Read all images and masks: what is wrong with them, and which indices each mask holds."""
    files = list(zip(pairs.images.files, pairs.masks.files, strict=True))
    results = in_threads(lambda pair: _check_pair(pairs, pair[0].path, pair[1].path), files)
    held = np.array([row for _, row in results], dtype=np.uint8).reshape(-1, 256)
    return [fault for faults, _ in results for fault in faults] + _strangers(pairs, torch.from_numpy(held)), held


def _check_pair(pairs: Pairs, image: str, mask: str) -> tuple[list[str], np.ndarray]:
    held = np.zeros(256, np.uint8)

    def hold(source: ImageFile) -> tuple[int, ...]:
        indices = read_mask(source)
        held[np.unique(indices)] = 1
        return indices.shape

    size = attempt(pairs.images, image, lambda source: read_whole(source)[0])  # whole, so that damage shows
    mask_size = attempt(pairs.masks, mask, hold, "a mask")
    faults = [one for one in (size, mask_size) if isinstance(one, str)]
    if not faults and size != mask_size:
        (h, w), (h2, w2) = size, mask_size
        turned = " as EXIF turns it," * attempt(pairs.images, image, is_turned)
        faults.append(
            f"{one_line(image)} is {h}x{w}{turned} and its mask {h2}x{w2} (height x width): they must have one size"
        )
    return faults, held


def _strangers(pairs: Pairs, held: Tensor) -> list[str]:
    """Return the masks with indices beyond the named classes."""
    if pairs.names is None:
        return []
    count, found = len(pairs.names), dict[int, list[str]]()
    for row, beyond in held[:, count:IGNORED].nonzero().tolist():
        found.setdefault(row, []).append(str(count + beyond))
    files = pairs.masks.files
    return [
        f"{one_line(files[row].path)} holds {', '.join(indices[:5])}{', ...' * (len(indices) > 5)}, "
        f"but {NAMES} names the classes 0 to {count - 1} ({IGNORED} is ignored)"
        for row, indices in found.items()
    ]


def _classes_of(pairs: Pairs, held: Tensor) -> tuple[str, ...]:
    """Return the classes where no file names them: the indices of all masks, which must have no gap.

    A gap is a sign of masks that are not indices: black and white of 0 and 255, or smoothed edges.
    """
    indices = held[:, :IGNORED].any(0).nonzero().flatten().tolist()
    if len(indices) < 2 or indices != list(range(len(indices))):
        shown = ", ".join(map(str, indices[:8])) + (", ..." if len(indices) > 8 else "")
        raise DataError(
            f"image folder {one_line(pairs.root)}: its masks hold the indices {shown or 'none'} ({IGNORED} is "
            f"ignored). Without {NAMES} in the folder, one class name a line, the classes are 0, 1, ... without a "
            "gap, and at least two. "
            "Masks in black and white or in smoothed greys must be turned into indices first"
        )
    return tuple(map(str, indices))
