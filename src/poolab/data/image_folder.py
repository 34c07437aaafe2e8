"""Any tree of train/<class>/* and test/<class>/* images: its list of files, its identity, its faults."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import torch

from poolab.data.raw import Raw, Request
from poolab.errors import ConfigError, DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
SPLITS = ("train", "test")
SHOWN_FAULTS = 10


class Tree(NamedTuple):
    """The images of a folder: for each split (relative path, bytes, label), sorted; and the sorted class names."""

    root: Path
    train: list[tuple[str, int, int]]
    test: list[tuple[str, int, int]]
    classes: tuple[str, ...]


def load_image_folder(request: Request) -> Raw:
    """Decode a folder (once: see `image_cache`) into uint8 images of one size.

    Raises ConfigError without data.root, DataError for a wrong root, an empty class, a class that only one of train
    and test has, images of different sizes where data.image_size is not given, and damaged images.
    """
    from poolab.data.image_cache import decoded

    tree = scan(request.root)
    images = decoded(tree, request)
    labels = torch.tensor([label for _, _, label in tree.train + tree.test])
    n = len(tree.train)
    return Raw(images[:n], labels[:n], images[n:], labels[n:], tree.classes)


def folder_fingerprint(root: Path | None) -> str:
    """A hash of the sorted relative paths and file sizes: the same wherever the folder lies, nothing is decoded."""
    return tree_fingerprint(scan(root))


def tree_fingerprint(tree: Tree) -> str:
    """The same of a tree that was scanned already."""
    text = "\n".join(f"{path}\0{size}" for path, size, _ in tree.train + tree.test)
    return f"image_folder-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:24]}"


def scan(root: Path | None) -> Tree:
    """List the images below `root`; every fault of the tree in one DataError."""
    if root is None:
        raise ConfigError(
            "data=image_folder needs a folder: data.root=FOLDER with FOLDER/train/<class>/* and FOLDER/test/<class>/*"
        )
    check_root(root, "train/<class>/* and test/<class>/*")
    files = {split: {name: images_of(root / split / name) for name in _folders(root / split)} for split in SPLITS}
    report_faults(root, _faults(files))
    classes = tuple(sorted(files["train"]))
    train, test = (
        [
            (f"{split}/{name}/{file}", size, label)
            for label, name in enumerate(classes)
            for file, size in files[split][name]
        ]
        for split in SPLITS
    )
    return Tree(root, train, test, classes)


def check_root(root: Path, expected: str) -> None:
    """A DataError that says what is there where `root` is no folder with train/ and test/."""
    if not root.is_dir():
        above = next(parent for parent in [*root.absolute().parents] if parent.is_dir())
        raise DataError(
            f"data.root={root} is not a folder: {above} exists and holds {_holds(above)}; "
            "data.root must be the folder that holds train/ and test/"
        )
    missing = [f"{split}/" for split in SPLITS if not (root / split).is_dir()]
    if missing:
        raise DataError(
            f"data.root={root} has no {' and no '.join(missing)}: it holds {_holds(root)}; expected {expected} below it"
        )


def _holds(folder: Path) -> str:
    try:
        names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in os.scandir(folder))
    except OSError as error:
        return f"what cannot be listed ({error.strerror})"
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def images_of(folder: Path) -> list[tuple[str, int]]:
    """The names and sizes in bytes of the images in a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(
            (entry.name, entry.stat().st_size)
            for entry in entries
            if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and entry.is_file()
        )


def _faults(files: dict[str, dict[str, list[tuple[str, int]]]]) -> list[str]:
    train, test = files["train"], files["test"]
    if not train and not test:
        return ["train/ and test/ hold no class folders: expected train/<class>/*"]
    faults = [f"train/{name} is there but test/{name} is missing" for name in sorted(train.keys() - test.keys())]
    faults += [f"test/{name} is there but train/{name} is missing" for name in sorted(test.keys() - train.keys())]
    faults += [
        f"{split}/{name} holds no image ({', '.join(SUFFIXES)}): add images or remove the class from both splits"
        for split in SPLITS
        for name in sorted(files[split])
        if not files[split][name]
    ]
    return faults


def report_faults(root: Path, faults: list[str]) -> None:
    """Raise one DataError with up to ten faults."""
    if faults:
        more = [f"... and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
        lines = "".join(f"\n  {fault}" for fault in faults[:SHOWN_FAULTS] + more)
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        raise DataError(f"image folder {root} has {count}:{lines}")
