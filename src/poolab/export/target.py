"""The place of a file that is to be written."""

import shutil
import tempfile
from pathlib import Path

from poolab.errors import ConfigError, PoolabError


def check_target(target: Path, force: bool) -> None:
    """Check that a file may be written, as far as can be told without writing.

    Raises:
        ConfigError: it is there already and is not to be replaced, or its folder is not there.
        PoolabError: the file system does not answer.
    """
    parent = target.absolute().parent
    try:
        if target.is_dir():
            raise ConfigError(f"{target} is a folder: name a file in it, e.g. {target / 'model.onnx'}")
        if target.exists() and not force:
            raise ConfigError(f"{target} exists: choose another name, or replace it with force=True (--force)")
        if not parent.is_dir():
            raise ConfigError(f"{target} cannot be written: the folder {parent} does not exist")
    except OSError as fault:
        raise PoolabError(f"{target} cannot be written: {fault.strerror or fault}") from fault


class Beside:
    """A temporary folder beside a file that is to be written; it is removed at the end.

    Raises:
        ConfigError: as `check_target`.
        PoolabError: nothing can be written there.
    """

    def __init__(self, target: Path, force: bool) -> None:
        self.target, self.force = target, force

    def __enter__(self) -> Path:
        """Make the folder."""
        check_target(self.target, self.force)
        try:
            self.folder = Path(tempfile.mkdtemp(dir=self.target.absolute().parent, prefix=".export-"))
        except OSError as fault:
            raise PoolabError(f"{self.target} cannot be written: {fault.strerror or fault}") from fault
        return self.folder

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        """Remove the folder, and say of a file system's error what was not written."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(fault, OSError):
            raise PoolabError(f"{self.target} was not written: {fault.strerror or fault}") from fault
