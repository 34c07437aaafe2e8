"""Any tree of train/<class>/* and test/<class>/* images: its list of files, its identity, its faults."""

from pathlib import Path

import torch

from poolab.data.faults import report_faults
from poolab.data.folder_summary import FolderSummary, doubles, summarise
from poolab.data.listing import (
    SPLITS,
    SUFFIXES,
    LeftOut,
    Listing,
    check_root,
    class_folders,
    folders_beside,
    list_folder,
)
from poolab.data.raw import Raw, Request
from poolab.data.tree import Tree, hashed, tree_fingerprint
from poolab.errors import ConfigError
from poolab.text import one_line

EXPECTED = "train/<class>/* and test/<class>/*"


def load_image_folder(request: Request) -> Raw:
    """Decode a folder (once: see `image_cache`) into uint8 images of one size.

    Raises ConfigError without data.root, DataError for a wrong root, an empty class, a class that only one of train
    and test has, images of different sizes where data.image_size is not given, and damaged images.
    """
    from poolab.data.image_cache import decoded

    tree = hashed(scan(request.root))
    images = decoded(tree, request)
    labels = torch.tensor([file.label for file in tree.files])
    n = len(tree.train)
    return Raw(
        *(images[:n], labels[:n], images[n:], labels[n:], tree.classes),
        stored=True,
        fingerprint=tree_fingerprint(tree),
        summary=folder_summary(tree),
    )


def folder_fingerprint(root: Path | None) -> str:
    """Return a hash of the files' content and relative paths: independent of the folder's place; decode nothing."""
    return tree_fingerprint(hashed(scan(root)))


def folder_classes(root: Path | None) -> int:
    """Return how many classes a folder has; no file is read."""
    return len(scan(root).classes)


def folder_tests(root: Path | None) -> int:
    """Return how many test images a folder has; no file is read."""
    return len(scan(root).test)


def folder_summary(tree: Tree) -> FolderSummary:
    """Return what a run says of the folder at its start."""
    labels = {file.path: str(file.label) for file in tree.files}
    return summarise(tree, doubles(tree, labels))


def scan(root: Path | None) -> Tree:
    """List the images below `root`; every fault of the tree in one DataError."""
    if root is None:
        raise ConfigError(
            "data=image_folder needs a folder: data.root=FOLDER with FOLDER/train/<class>/* and FOLDER/test/<class>/*"
        )
    check_root(root, EXPECTED)
    left = folders_beside(root, SPLITS)
    faults: list[str] = []
    names: dict[str, list[str]] = {}
    for split in SPLITS:
        names[split], outside, unreadable = class_folders(root, split)
        left += outside
        faults += unreadable
    classes = tuple(names["train"])
    number = {name: label for label, name in enumerate(classes)}
    listings = {
        split: {name: list_folder(root, f"{split}/{name}", number.get(name, 0)) for name in names[split]}
        for split in SPLITS
    }
    report_faults(root, faults or _faults(listings))
    train, test = ([file for name in classes for file in listings[split][name].files] for split in SPLITS)
    left += [one for split in SPLITS for name in classes for one in listings[split][name].left]
    return Tree(root, train, test, classes, tuple(left))


def _faults(listings: dict[str, dict[str, Listing]]) -> list[str]:
    train, test = listings["train"], listings["test"]
    if not train and not test:
        return ["train/ and test/ hold no class folders: expected train/<class>/*"]
    faults = [
        _one_sided("train", "test", name, test.keys() - train.keys()) for name in sorted(train.keys() - test.keys())
    ]
    faults += [
        _one_sided("test", "train", name, train.keys() - test.keys()) for name in sorted(test.keys() - train.keys())
    ]
    for split in SPLITS:
        for name, listing in sorted(listings[split].items()):
            faults += listing.faults or ([] if listing.files else [_empty(f"{split}/{name}", listing.left)])
    return faults


def _one_sided(there: str, missing: str, name: str, others: set[str]) -> str:
    near = next((other for other in sorted(others) if other.casefold() == name.casefold()), None)
    hint = f" ({missing}/{one_line(near)} differs in capital letters)" if near else ""
    return f"{there}/{one_line(name)} is there but {missing}/{one_line(name)} is missing{hint}"


def _empty(folder: str, left: list[LeftOut]) -> str:
    found = f"; left out: {len(left)}, such as {one_line(left[0].path)} ({left[0].reason})" if left else ""
    return (
        f"{one_line(folder)} holds no image ({', '.join(SUFFIXES)}){found}: "
        "add images or remove the class from both splits"
    )
