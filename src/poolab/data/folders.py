"""The folders in which decoded images and downloaded archives are kept."""

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from poolab.errors import ConfigError


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
    """Return a folder of this user alone, below the folder of temporary files."""
    place = Path(tempfile.gettempdir()) / f"poolab-{os.geteuid()}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        status = place.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="poolab-"))
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
    return place if own else Path(tempfile.mkdtemp(prefix="poolab-"))
