"""The files of an image folder: those that are used, and those that are left out, with the reason."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from poolab.data.content import File
from poolab.data.faults import reason_of
from poolab.data.pixels import is_image
from poolab.data.stat_index import Stamp
from poolab.errors import DataError
from poolab.text import one_line

# Files with these suffixes are listed unopened; decoding checks their content.
# A file of another name is taken if it holds one of these formats.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
SPLITS = ("train", "test")

HIDDEN, BROKEN, LOOP = "hidden", "a broken link", "a loop of links"
NESTED, OUTSIDE = "in a sub-folder", "in no class folder"
NOT_IMAGE, EMPTY, SPECIAL = "no image", "empty", "no regular file"
UNREADABLE, LINKED = "unreadable", "a link to a folder"
BESIDE = "a folder beside train/ and test/"


class LeftOut(NamedTuple):
    """A file or folder that is not taken."""

    path: str
    reason: str


class Listing(NamedTuple):
    """The files of one folder that are taken, sorted by name; what is left out; and faults."""

    files: list[File]
    left: list[LeftOut]
    faults: list[str]


def check_root(root: Path, expected: str) -> None:
    """Raise an error that describes what `root` is, unless it is a folder with train/ and test/."""
    shown = one_line(root)
    if not _is_dir(root):
        above = next(parent for parent in _absolute(root).parents if _is_dir(parent))
        raise DataError(
            f"data.root={shown} is not a folder{_why(root)}: {one_line(above)} exists and holds {_holds(above)}; "
            "data.root must be the folder that holds train/ and test/"
        )
    missing = [f"{split}/" for split in SPLITS if not _is_dir(root / split)]
    if missing:
        raise DataError(
            f"data.root={shown} has no {' and no '.join(missing)}: it holds {_holds(root)}; "
            f"expected {expected} below it"
        )


def list_folder(root: Path, folder: str, label: int = 0) -> Listing:
    """List the images in one folder below the root."""
    listing = Listing([], [], [])
    try:
        with os.scandir(root / folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        listing.faults.append(f"{one_line(folder)}/ cannot be listed: {reason_of(error)}")
        return listing
    for entry in found:
        path = f"{folder}/{entry.name}"
        status, reason = _status(entry)
        if status is not None and stat.S_ISDIR(status.st_mode) and reason is None:
            # A link is not followed: it may lead to a folder above.
            inside = [LeftOut(path, LINKED)] if entry.is_symlink() else _images_below(root, path)
            listing.left.extend(inside)
        elif (reason := reason or _reason(entry, status)) is not None:
            listing.left.append(LeftOut(path, reason))
        else:
            assert status is not None
            listing.files.append(File(path, Stamp.of(status), label))
    return listing


def class_folders(root: Path, split: str) -> tuple[list[str], list[LeftOut], list[str]]:
    """Return the names of the folders of a split, sorted; other files beside them; and faults."""
    names: list[str] = []
    left: list[LeftOut] = []
    try:
        with os.scandir(root / split) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        return [], [], [f"{split}/ cannot be listed: {reason_of(error)}"]
    for entry in found:
        status, reason = _status(entry)
        if status is not None and stat.S_ISDIR(status.st_mode) and reason is None:
            names.append(entry.name)
        else:
            left.append(LeftOut(f"{split}/{entry.name}", reason or OUTSIDE))
    return names, left, []


def folders_beside(root: Path, taken: tuple[str, ...]) -> list[LeftOut]:
    """Return the folders below the root that are not in `taken`, such as val/."""
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if entry.name not in taken)
    except OSError:
        return []
    return [LeftOut(name, BESIDE) for name in names if not name.startswith(".") and _is_dir(root / name)]


def _status(entry: os.DirEntry[str]) -> tuple[os.stat_result | None, str | None]:
    """Return the status of the file that an entry leads to, and the reason if it is left out."""
    if entry.name.startswith("."):
        return None, HIDDEN
    try:
        status = entry.stat()
    except FileNotFoundError:
        return None, BROKEN
    except OSError as error:
        return None, LOOP if error.errno == errno.ELOOP else UNREADABLE
    return status, None


def _reason(entry: os.DirEntry[str], status: os.stat_result | None) -> str | None:
    """Return the reason why a file is left out, or None."""
    assert status is not None
    if not stat.S_ISREG(status.st_mode):
        return SPECIAL
    if entry.name.lower().endswith(SUFFIXES):
        return None
    if status.st_size == 0:
        return EMPTY
    try:
        return None if is_image(Path(entry.path)) else NOT_IMAGE
    except OSError:
        return UNREADABLE


def _images_below(root: Path, folder: str) -> Iterator[LeftOut]:
    """Return the images of a sub-folder at any depth."""
    for place, _, files in os.walk(root / folder):
        below = os.path.relpath(place, root)
        yield from (LeftOut(f"{below}/{name}", NESTED) for name in sorted(files) if name.lower().endswith(SUFFIXES))


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # no right to look, a NUL in the name
        return False


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError:  # the working folder was deleted
        return Path("/") / path


def _why(root: Path) -> str:
    """Return the system's reason why an existing root cannot be listed."""
    try:
        os.stat(root)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f" ({reason_of(error)})"
    except ValueError:
        return " (it has a NUL character)"
    return ""


def _holds(folder: Path) -> str:
    try:
        names = sorted(f"{entry.name}/" if _is_dir(Path(entry.path)) else entry.name for entry in os.scandir(folder))
    except OSError as error:
        return f"what cannot be listed ({error.strerror})"
    shown = ", ".join(map(one_line, names[:8]))
    return (shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")) if names else "nothing"
