"""Find the picture files that a command line names: files, and folders with everything below them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from poolab.data import SUFFIXES
from poolab.errors import ConfigError


def picture_files(words: Sequence[str]) -> list[Path]:
    """Return the files that are named, and those below the folders that are named, sorted within a folder.

    A named file is taken whatever it is called; in folders, hidden files and files that are no pictures are left out.

    Raises:
        ConfigError: a folder has no pictures.
    """
    found: list[Path] = []
    for word in words:
        path = Path(word).expanduser()
        if not path.is_dir():
            found.append(path)
            continue
        below = list(_below(path))
        if not below:
            raise ConfigError(f"{word} has no pictures: their names end with {', '.join(SUFFIXES[:8])}, ...")
        found += below
    return found


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(place) / name
