"""The list of the files that poolab wrote into a report's folder: a later report removes those that it does not write.

A folder that is used again would otherwise show figures of the earlier report beside those of the new one. Only what is
on the list is removed, and only as it was written: files of others, and files that somebody changed, stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

LIST = ".written.json"
# Only these folders have names that differ from report to report; the other files are always written.
FOLDERS = ("figures", "tables")


def read_list(folder: Path) -> dict[str, str]:
    """Return the files that the last report wrote, each with the hash of its content; none where no list is readable.

    What lies outside of the folders of figures and tables is left out, since the list may come from anywhere.
    """
    files = _content(folder).get("files")
    if not isinstance(files, Mapping):
        return {}
    return {name: digest for name, digest in files.items() if isinstance(digest, str) and _is_inside(name)}


def read_title(folder: Path) -> str | None:
    """Return the title of the last report in the folder; None where no list says it."""
    title = _content(folder).get("title")
    return title if isinstance(title, str) else None


def _content(folder: Path) -> Mapping[str, Any]:
    try:
        content = json.loads((folder / LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) == 2 and parts[0] in FOLDERS and parts[1] not in ("..", "")


def list_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return files of the folder, each with the hash of its content."""
    return {name: _digest(folder / name) or "" for name in names}


def as_text(files: Mapping[str, str], title: str) -> str:
    """Return the content of the list, with the title of the report."""
    return json.dumps({"title": title, "files": dict(sorted(files.items()))}, indent=1) + "\n"


def remove_stale(folder: Path, before: Mapping[str, str], now: Iterable[str], say: Callable[[str], None]) -> None:
    """Remove the files of an earlier report that this one did not write.

    Args:
        before: what the earlier report wrote, as `read_list` returned it before this one was written.
        now: what this one wrote.
        say: is told of each file that stays since it was changed.
    """
    for name in sorted(before.keys() - set(now)):
        path = folder / name
        found = None if path.is_symlink() else _digest(path)
        if found == before[name]:
            path.unlink()
        elif found is not None:
            say(f"{path} is of an earlier report and was changed since: it stays.")


def _digest(path: Path) -> str | None:
    """Return the hash of a file's content, or None where there is no file."""
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
