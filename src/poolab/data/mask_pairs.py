"""The list of a folder of images and masks, train/images/* beside train/masks/*: its pairs, identity and faults."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from poolab.data.image_folder import SPLITS, Tree, check_root, images_of, report_faults, tree_fingerprint
from poolab.data.raw import IGNORED
from poolab.errors import ConfigError

EXPECTED = "train/images/* with train/masks/*.png, and the same below test/,"
NAMES = "classes.txt"

Listed = list[tuple[str, int, int]]  # as in a Tree; the label says nothing here


class Pairs(NamedTuple):
    """The images and the masks of a folder in one order, the class names where they are given, and what is missing."""

    root: Path
    images: Tree
    masks: Tree
    names: tuple[str, ...] | None
    faults: list[str]


def pairs_fingerprint(root: Path | None) -> str:
    """A hash of the sorted relative paths, the file sizes and the class names: the same wherever the folder lies."""
    pairs = scan_pairs(root)
    text = "\n".join([tree_fingerprint(pairs.images), tree_fingerprint(pairs.masks), *(pairs.names or ())])
    return f"image_mask_folder-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


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
    (train_images, train_masks), (test_images, test_masks) = (_pairs_of(root, split, faults) for split in SPLITS)
    images, masks = Tree(root, train_images, test_images, ()), Tree(root, train_masks, test_masks, ())
    return Pairs(root, images, masks, _names(root, faults), faults)


def _pairs_of(root: Path, split: str, faults: list[str]) -> tuple[Listed, Listed]:
    """The images and masks of one split that have a partner; what has none becomes a fault."""
    images, masks = (_by_stem(root, f"{split}/{kind}", faults) for kind in ("images", "masks"))
    for stem, (name, _, _) in images.items():
        if stem not in masks:
            faults.append(f"{name} has no mask: {split}/masks/{stem}.png is missing")
    for stem, (name, _, _) in masks.items():
        if stem not in images:
            faults.append(f"{name} has no image of its name in {split}/images/")
        if not name.lower().endswith(".png"):
            faults.append(f"{name} is no PNG; other formats may not keep the indices: convert it")
    if not images and not masks:
        faults.append(f"{split}/images/ and {split}/masks/ hold no images")
    both = [stem for stem in images if stem in masks]
    return [images[stem] for stem in both], [masks[stem] for stem in both]


def _by_stem(root: Path, folder: str, faults: list[str]) -> dict[str, tuple[str, int, int]]:
    listed: dict[str, tuple[str, int, int]] = {}
    for file, size in images_of(root / folder):
        stem = Path(file).stem
        if stem in listed:
            faults.append(f"{folder}/{file} has the name of {listed[stem][0]}: a mask could not tell them apart")
        listed.setdefault(stem, (f"{folder}/{file}", size, 0))
    return listed


def _names(root: Path, faults: list[str]) -> tuple[str, ...] | None:
    try:
        names = tuple(line.strip() for line in (root / NAMES).read_text(encoding="utf-8").rstrip().split("\n"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        faults.append(f"{NAMES} cannot be read as text: {error}")
        return None
    if len(set(names)) < len(names) or "" in names or not 2 <= len(names) <= IGNORED:
        faults.append(f"{NAMES} must name 2 to {IGNORED} classes, one a line, each once; found {len(names)} lines")
        return None
    return names
