"""The files of an image folder that are taken, and the folder's identity: the content of each under its path."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from poolab.data.content import File, hash_files
from poolab.data.faults import report_faults
from poolab.data.listing import LeftOut
from poolab.data.pixels import VERSION


class Tree(NamedTuple):
    """The images of a folder, sorted by class and name, the class names, and what was left out.

    `hashes` has the hash of each file's content by its path; it is empty before `hashed`.
    """

    root: Path
    train: list[File]
    test: list[File]
    classes: tuple[str, ...]
    left: tuple[LeftOut, ...] = ()
    hashes: dict[str, str] = {}

    @property
    def files(self) -> list[File]:
        """All files, those of train first."""
        return self.train + self.test


def hashed(tree: Tree) -> Tree:
    """Return the tree with the hash of each file's content.

    Raises:
        DataError: files that cannot be read, all at once.
    """
    hashes, faults = hash_files(tree.root, tree.files)
    report_faults(tree.root, faults)
    return tree._replace(hashes=hashes)


def tree_fingerprint(tree: Tree) -> str:
    """Return a hash of the files' content and relative paths: independent of the place of the folder.

    The version of decoding is part of it, since other pixels are other data.
    """
    text = f"content|pixels {VERSION}\0" + "".join(f"{file.path}\0{tree.hashes[file.path]}\0" for file in tree.files)
    return f"image_folder-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:24]}"
