"""What a loader is asked for and what it returns."""

import os
import stat
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from poolab.errors import ConfigError

if TYPE_CHECKING:
    from poolab.data.folder_summary import FolderSummary

# What a mask holds where no class is: such pixels take part neither in the loss nor in a figure.
IGNORED = 255


class Raw(NamedTuple):
    """A data set as it comes: uint8 images (N, C, H, W) and labels of both splits, and the class names.

    Labels are int64 (N,), one an image, or masks: uint8 (N, H, W), one a pixel, `IGNORED` where there is none.
    Where they are `stored`, images and masks lie in files of any size, at the size and with the channels that were
    asked for. Of a folder, the identity and the summary belong to the very files that were loaded.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    stored: bool = False
    fingerprint: str | None = None
    summary: "FolderSummary | None" = None


@dataclass(frozen=True)
class Request:
    """What `load_data` was asked for, checked; a loader uses what concerns it."""

    name: str
    root: Path | None
    image_size: tuple[int, int] | None
    channels: int | None
    cache_dir: Path
    download: bool
    background: str = "white"


def home_folder() -> Path:
    """Return the folder of decoded images: $POOLAB_CACHE or ~/.cache/poolab."""
    return _folder("POOLAB_CACHE", "~/.cache/poolab")


def download_folder() -> Path:
    """Return the folder of downloaded archives: $POOLAB_DATA or ~/.cache/poolab/data."""
    return _folder("POOLAB_DATA", "~/.cache/poolab/data")


def _folder(variable: str, default: str) -> Path:
    given = os.environ.get(variable)
    try:
        return Path(given or default).expanduser()
    except RuntimeError as error:
        if given:
            raise ConfigError(f"{variable}={given}: {error}; write the whole path") from error
        # No HOME and no entry of this user, as in some containers: what is kept there can be made again.
        return _without_home() / "data" if default.endswith("data") else _without_home()


@cache
def _without_home() -> Path:
    """A folder of this user alone below the folder of temporary files."""
    place = Path(tempfile.gettempdir()) / f"poolab-{os.geteuid()}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        status = place.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="poolab-"))
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
    return place if own else Path(tempfile.mkdtemp(prefix="poolab-"))
