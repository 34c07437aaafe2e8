"""The list of a folder of images and masks, train/images/* beside train/masks/*: its pairs, identity and faults."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from poolab.data.content import File, hash_files
from poolab.data.faults import reason_of, report_faults
from poolab.data.folder_summary import FolderSummary, doubles, summarise
from poolab.data.listing import SPLITS, LeftOut, check_root, folders_beside, list_folder
from poolab.data.raw import IGNORED
from poolab.data.tree import Tree, tree_fingerprint
from poolab.errors import ConfigError
from poolab.text import one_line

EXPECTED = "train/images/* with train/masks/*.png, and the same below test/,"
NAMES = "classes.txt"


class Pairs(NamedTuple):
    """The images and the masks of a folder in one order, the class names where they are given, and what is missing."""

    root: Path
    images: Tree
    masks: Tree
    names: tuple[str, ...] | None
    faults: list[str]


def pairs_fingerprint(root: Path | None) -> str:
    """Return a hash of the files' content and relative paths and the class names: independent of its place."""
    return fingerprint_of(hashed_pairs(scan_pairs(root)))


def fingerprint_of(pairs: Pairs) -> str:
    """Return the same of pairs whose content is known."""
    text = "\n".join([tree_fingerprint(pairs.images), tree_fingerprint(pairs.masks), *(pairs.names or ())])
    return f"image_mask_folder-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def hashed_pairs(pairs: Pairs) -> Pairs:
    """Return the pairs with the hash of each file's content; files that cannot be read are faults of the pairs."""
    hashes, faults = hash_files(pairs.root, pairs.images.files + pairs.masks.files)
    report_faults(pairs.root, faults)
    return pairs._replace(images=pairs.images._replace(hashes=hashes), masks=pairs.masks._replace(hashes=hashes))


def pairs_summary(pairs: Pairs) -> FolderSummary:
    """Return what a run says of the folder at its start; an image's label is its mask's content."""
    hashes = pairs.masks.hashes
    of_masks = zip(pairs.images.files, pairs.masks.files, strict=True)
    return summarise(pairs.images, doubles(pairs.images, {image.path: hashes[mask.path] for image, mask in of_masks}))


def scan_pairs(root: Path | None) -> Pairs:
    """List images and masks below `root`.

    Raises ConfigError without a root, DataError where a folder is missing; other faults come with those of the files.
    """
    if root is None:
        raise ConfigError(f"data=image_mask_folder needs a folder: data.root=FOLDER with {EXPECTED} in it")
    check_root(root, EXPECTED)
    folders = [f"{split}/{kind}" for split in SPLITS for kind in ("images", "masks")]
    report_faults(root, [f"{folder}/ is missing" for folder in folders if not (root / folder).is_dir()])
    faults: list[str] = []
    left = folders_beside(root, SPLITS)
    (train_images, train_masks), (test_images, test_masks) = (_pairs_of(root, split, faults, left) for split in SPLITS)
    images = Tree(root, train_images, test_images, (), tuple(left))
    masks = Tree(root, train_masks, test_masks, ())
    return Pairs(root, images, masks, _names(root, faults), faults)


def _pairs_of(root: Path, split: str, faults: list[str], left: list[LeftOut]) -> tuple[list[File], list[File]]:
    """Return the image-mask pairs of one split; a file without its partner becomes a fault."""
    images, masks = (_by_stem(root, f"{split}/{kind}", faults, left) for kind in ("images", "masks"))
    for stem, file in images.items():
        if stem not in masks:
            faults.append(f"{one_line(file.path)} has no mask: {split}/masks/{one_line(stem)}.png is missing")
    for stem, file in masks.items():
        if stem not in images:
            faults.append(f"{one_line(file.path)} has no image of its name in {split}/images/")
        if not file.path.lower().endswith(".png"):
            faults.append(f"{one_line(file.path)} is not a PNG; other formats may not keep the indices: convert it")
    if not images and not masks:
        faults.append(f"{split}/images/ and {split}/masks/ hold no images")
    both = [stem for stem in images if stem in masks]
    return [images[stem] for stem in both], [masks[stem] for stem in both]


def _by_stem(root: Path, folder: str, faults: list[str], left: list[LeftOut]) -> dict[str, File]:
    listed: dict[str, File] = {}
    listing = list_folder(root, folder)
    faults += listing.faults
    left += listing.left
    for file in listing.files:
        stem = Path(file.path).stem
        if stem in listed:
            faults.append(
                f"{one_line(file.path)} has the name of {one_line(listed[stem].path)}: a mask could not tell them apart"
            )
        listed.setdefault(stem, file)
    return listed


def _names(root: Path, faults: list[str]) -> tuple[str, ...] | None:
    try:
        names = tuple(line.strip() for line in (root / NAMES).read_text(encoding="utf-8").rstrip().split("\n"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else error
        faults.append(f"{NAMES} cannot be read as text: {reason}")
        return None
    if len(set(names)) < len(names) or "" in names or not 2 <= len(names) <= IGNORED:
        faults.append(f"{NAMES} must name 2 to {IGNORED} classes, one a line, each once; found {len(names)} lines")
        return None
    return names
