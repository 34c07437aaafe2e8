"""Read records, also foreign and damaged ones: each error names the file and says what is wrong with it."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from poolab.records.record import Record, RecordError

LARGEST = 64 * 2**20  # bytes; a record of a thousand classes has 0.2 MB
REMAKE = ".remake"  # a folder inside a run's folder, where a finished run is made again
ADOPT = ".adopt"  # a file in it: what is there is whole, and is put in the place of the old


def read_json(path: Path, largest: int = LARGEST) -> Any:
    """Read a JSON file that others may have written.

    Raises:
        FileNotFoundError, NotADirectoryError: there is none.
        OSError, ValueError: it cannot be read, with the reason in words.
    """
    # O_NONBLOCK: to open a named pipe would wait for a writer that may never come.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is not a regular file")
        if facts.st_size > largest:
            raise ValueError(f"it has {facts.st_size:,} bytes, more than the {largest:,} that are read")
        content = file.read()
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_not_json)
    except UnicodeDecodeError as fault:
        raise ValueError(f"it is not UTF-8 text: {fault.reason} at byte {fault.start}") from None
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def read_record(path: Path, signature: str = "", where: str = "", whole: bool = False) -> Record | None:
    """Return the record in a file, or None if there is no file.

    Args:
        signature, where, whole: as `Record.from_json`.

    Raises:
        RecordError: the file is no record, is damaged, or was written by a newer poolab.
    """
    try:
        content = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise RecordError(
            f"the record {path} cannot be read: {reason}. It is left as it is; to make the run again, "
            "delete or move that file"
        ) from fault
    try:
        return Record.from_json(content, signature=signature, where=where, whole=whole)
    except RecordError as fault:
        raise RecordError(
            f"the record {path} is not understood: {fault}. It is left as it is; to make the run again, "
            "delete or move that file"
        ) from None


def scan_results(runs_dir: str | Path) -> tuple[list[Record], list[str]]:
    """Return the records of all runs of a folder, oldest first, and one sentence for each file that is not a record.

    A folder of a run without a record is left out. A record that says no signature is given its folder's name.
    """
    records, faults = [], []
    where = str(runs_dir)
    for folder in sorted(Path(runs_dir).glob("*")):
        try:
            record = read_record(_newest(folder), folder.name, where, whole=True)
        except RecordError as fault:
            faults.append(str(fault))
            continue
        if record is not None:
            records.append(record)
    return sorted(records, key=lambda record: record.started), faults


def _newest(folder: Path) -> Path:
    """Return the record of a run's folder; a process that was killed may have left the new one beside the old."""
    new = folder / REMAKE / "result.json"
    return new if (folder / REMAKE / ADOPT).exists() and new.exists() else folder / "result.json"


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
