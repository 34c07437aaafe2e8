"""Read records back, also foreign and damaged ones: a fault names the file and says what is wrong with it."""

import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.records.renamed import with_current_names
from poolab.records.schema import SCHEMA_VERSION, STATUSES

LARGEST = 64 * 2**20  # bytes; a record of a thousand classes has 0.2 MB
REMAKE = ".remake"  # a folder inside a run's folder, where a finished run is made again
ADOPT = ".adopt"  # a file in it: what is there is whole, and is put in the place of the old
MAPPINGS = ("config", "metrics", "notes", "environment")
NOT_FINITE = ("nan", "inf", "-inf")  # as `store.strict` writes them
# What a table or a page of results cannot do without.
NEEDED = ("started", "config", "metrics")


class RecordError(PoolabError):
    """A record cannot be read, or this version of poolab does not understand it."""


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
            raise ValueError("it is no regular file")
        if facts.st_size > largest:
            raise ValueError(f"it has {facts.st_size:,} bytes, more than the {largest:,} that are read")
        content = file.read()
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_not_json)
    except UnicodeDecodeError as fault:
        raise ValueError(f"it is no UTF-8 text: {fault.reason} at byte {fault.start}") from None
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def read_record(path: Path, whole: bool = False) -> dict[str, Any] | None:
    """Return the record in a file, or None where there is no file.

    Args:
        whole: require what tables need as well: the start, the configuration and the figures.

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
    faults = record_faults(content, whole)
    if faults:
        raise RecordError(
            f"the record {path} is not understood: {'; '.join(faults)}. It is left as it is; to make the run again, "
            "delete or move that file"
        )
    found = with_current_names(content)
    if "metrics" in found:
        found["metrics"] = {name: None if value in NOT_FINITE else value for name, value in found["metrics"].items()}
    return found


def record_faults(content: Any, whole: bool = False) -> list[str]:
    """Return what is wrong with the form of a record; an empty list where it can be used."""
    if not isinstance(content, dict):
        return [f"it is no mapping but {_kind(content)}"]
    version = content.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, bool) or not isinstance(version, int):
        return [f"schema_version must be a whole number, found {_short(version)}"]
    if version > SCHEMA_VERSION:
        return [f"its schema_version is {version}: a newer poolab wrote it"]
    faults = []
    status = content.get("status")
    if not isinstance(status, str) or status not in STATUSES:
        faults.append(f"status must be one of {', '.join(STATUSES)}, found {_short(status)}")
    faults += [
        f"{name} must be a mapping, found {_kind(content[name])}"
        for name in MAPPINGS
        if not isinstance(content.get(name, {}), dict)
    ]
    if not isinstance(content.get("started", ""), str):
        faults.append(f"started must be a text, found {_kind(content['started'])}")
    if not isinstance(content.get("reason"), str | None):
        faults.append(f"reason must be a text or null, found {_kind(content['reason'])}")
    faults += _faulty_figures(content.get("metrics"))
    if whole:
        faults += [f"{name} is missing" for name in NEEDED if name not in content]
    return faults


def scan_results(runs_dir: str | Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records of all runs of a folder, oldest first, and a sentence for each file that is no record.

    A folder of a run without a record is left out. A record that says no signature is given its folder's name.
    """
    records, faults = [], []
    for folder in sorted(Path(runs_dir).glob("*")):
        try:
            record = read_record(_newest(folder), whole=True)
        except RecordError as fault:
            faults.append(str(fault))
            continue
        if record is not None:
            records.append({"signature": folder.name, "reason": None, "notes": {}, "environment": {}} | record)
    return sorted(records, key=lambda record: record["started"]), faults


def _newest(folder: Path) -> Path:
    """The record of a run's folder; a process that was killed may have left the new one beside the old."""
    new = folder / REMAKE / "result.json"
    return new if (folder / REMAKE / ADOPT).exists() and new.exists() else folder / "result.json"


def _faulty_figures(metrics: Any) -> list[str]:
    if not isinstance(metrics, Mapping):
        return []
    wrong = [name for name, value in metrics.items() if not _is_figure(value)]
    if not wrong:
        return []
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return [f"metrics.{wrong[0]}{more} must be a finite number or null, found {_short(metrics[wrong[0]])}"]


def _is_figure(value: Any) -> bool:
    if value is None or value in NOT_FINITE:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is no number that JSON has")
