"""The folders of runs: one folder for each signature; its result is written last and in one step."""

import json
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.records.reading import ADOPT, REMAKE, read_record, scan_results
from poolab.records.record import Record


class RunFolder:
    """The folder `runs/<signature>/` of one run.

    >>> with tempfile.TemporaryDirectory() as runs:
    ...     folder = RunFolder(runs, "0123456789ab").make()
    ...     folder.write_json("result.json", {"status": "completed"})
    ...     folder.finished
    True
    """

    def __init__(self, runs_dir: str | Path, signature: str):
        self.signature = signature
        self.path = Path(runs_dir) / signature
        self.home = self.path  # where it will lie in the end

    @classmethod
    def of(cls, record: Record, path: Path) -> "RunFolder":
        """Return the folder of a record, which may have been copied under another name."""
        folder = cls(path.parent, path.name)
        folder.signature = record.signature
        return folder

    @property
    def remake(self) -> "RunFolder":
        """The folder inside it where a finished run is made again (force=true), while the old record stays."""
        inner = RunFolder(self.path, REMAKE)
        inner.signature, inner.home = self.signature, self.path
        return inner

    def make(self) -> "RunFolder":
        """Create the folder if it does not exist.

        Raises:
            PoolabError: it cannot be created.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise PoolabError(
                f"cannot make the run's folder {self.path}: {fault}; choose another runs_dir=..."
            ) from fault
        return self

    def __truediv__(self, name: str) -> Path:
        """Return the path of a file in the folder."""
        return self.path / name

    @property
    def result(self) -> Record | None:
        """The record, or None if there is none yet.

        Raises:
            RecordError: it is damaged, or not understood.
        """
        if (self / REMAKE / ADOPT).exists():  # a process was killed while it put a new record in place
            with suppress(OSError, PoolabError), self.claimed():
                self.adopt()
        return read_record(self / "result.json", self.signature)

    @property
    def latest(self) -> Record | None:
        """The record of the last attempt. While a finished run is made again: of that attempt, or None."""
        record = self.result
        inner = self / REMAKE
        made_again = inner.is_dir() and any(inner.iterdir())
        return read_record(inner / "result.json", self.signature) if made_again else record

    @property
    def finished(self) -> bool:
        """True if the run has a result that need not be made again."""
        result = self.result
        return result is not None and result.finished

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint from which the run can continue, or None."""
        path = self / "last.ckpt"
        return path if path.exists() else None

    @property
    def busy(self) -> bool:
        """True if a process makes this run now."""
        import fcntl

        try:
            with open(self / ".lock") as lock:  # shared, and for microseconds: two that ask do not see each other
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def clear(self) -> None:
        """Empty the folder, so that the run starts from the beginning; the lock stays, since it is held."""
        for path in self.path.iterdir():
            if path.name != ".lock":
                _remove(path)

    def adopt(self) -> None:
        """Replace the old record and the old files by those of the repeated run; the folder must be locked.

        A list of the new files is written first. Killed at any moment, the next reader goes on from there.
        """
        inner = self / REMAKE
        if not (inner / ADOPT).exists():
            write_atomically(inner / ADOPT, json.dumps(sorted(path.name for path in inner.iterdir())))
        new = json.loads((inner / ADOPT).read_text())
        for path in self.path.iterdir():
            if path.name not in (*new, ".lock", REMAKE):
                _remove(path)
        for name in sorted(new, key=lambda name: name == "result.json"):  # the record last
            if (inner / name).exists():
                if (self / name).is_dir():
                    _remove(self / name)
                os.replace(inner / name, self / name)
        _remove(inner)

    def forget_remake(self) -> None:
        """Remove the files of an attempt to make a finished run again, unless a process is making it now."""
        if (self / REMAKE).exists():
            with suppress(OSError, PoolabError), self.claimed():
                _remove(self / REMAKE)

    def write_record(self, record: Record) -> None:
        """Write the run's record in one step."""
        self.write_json("result.json", record.to_json())

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file of the folder in one step."""
        write_atomically(self / name, json.dumps(strict(content), indent=2, allow_nan=False, default=str) + "\n")

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock the folder, so that two processes never make the same run; the system frees the lock even after kill -9.

        Raises:
            PoolabError: another process holds it, or the lock cannot be opened.
        """
        import fcntl

        try:
            lock = open(self / ".lock", "w")  # noqa: SIM115 (closed by the `with` below)
        except OSError as fault:
            raise PoolabError(f"the lock {self / '.lock'} cannot be opened: {fault.strerror}; remove it") from fault
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise PoolabError(
                    f"another process is making this run ({self.path}); wait for it, or change a setting, e.g. the seed"
                ) from None
            yield


def run_folder(runs_dir: str | Path, names: Sequence[str]) -> RunFolder:
    """Return the folder of a run: that of its signature, or of a name that it had in an earlier version of poolab.

    Args:
        names: the signature, and behind it the earlier names. One of them counts where there is a finished run under it
            and none under the signature.
    """
    folder = RunFolder(runs_dir, names[0])
    if folder.path.exists():
        return folder
    return next((one for one in (RunFolder(runs_dir, name) for name in names[1:]) if _is_finished(one)), folder)


def _is_finished(folder: RunFolder) -> bool:
    try:
        return folder.path.exists() and folder.finished
    except PoolabError:
        return False


def strict(content: Any) -> Any:
    """Return the content with numbers that JSON does not have (a loss that is NaN, `pooling.p=inf`) as texts.

    >>> strict({"p": float("inf"), "k": [1, 0.5]})
    {'p': 'inf', 'k': [1, 0.5]}
    """
    if isinstance(content, Mapping):
        return {key: strict(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [strict(value) for value in content]
    return str(content) if isinstance(content, float) and not math.isfinite(content) else content


def write_atomically(path: Path, text: str) -> None:
    """Write a text to a temporary file, then rename it: a reader sees the old file or the new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide a record from the rest of a team
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def replace_synced(new: Path, path: Path) -> None:
    """Flush a written file to the disk, then rename it to `path`."""
    with open(new, "rb") as file:
        os.fsync(file.fileno())
    os.replace(new, path)


def read_results(runs_dir: str | Path) -> list[Record]:
    """Return the records of all runs of a folder, oldest first; warn of each file that is no record."""
    records, faults = scan_results(runs_dir)
    for fault in faults:
        warnings.warn(f"left out: {fault}", stacklevel=2)
    return records
