"""Gather the records for a table from a folder of runs or a saved file, and name what cannot be used."""

import gzip
import json
import os
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from poolab.errors import ConfigError
from poolab.records.reading import LARGEST, scan_results
from poolab.records.record import Record, RecordError
from poolab.records.schema import HEADLINES
from poolab.text import one_line

SHOWN = 5  # files or lines that are named, one on each line


class Gathered(NamedTuple):
    """The records, oldest first, and one sentence for each file or line that was left out."""

    records: list[Record]
    faults: list[str]


def gather(place: str | Path) -> Gathered:
    """Return the records of a folder of runs, or of a file that `poolab study table --save` wrote.

    A folder that does not exist has no records. A record that stands twice counts once.

    Raises:
        ConfigError: the folder cannot be read, or the file is not a file of records.
    """
    path = Path(os.path.expanduser(place))  # of a user that does not exist it stays as it is
    records, faults = _of_file(path) if _is_file(path) else scan_results(path)
    usable = []
    for record in records:
        wrong = unusable(record)
        if wrong:
            faults.append(f"the record {record.signature} cannot be compared: {'; '.join(wrong)}")
        else:
            usable.append(record)
    return Gathered(_once(usable, faults), faults)


def unusable(record: Record) -> list[str]:
    """Return what a record lacks for a table; an empty list where it has all."""
    config = record.config
    faults = []
    groups = [key for key in ("pooling", "backbone", "data", "trainer") if not isinstance(config.get(key, {}), Mapping)]
    faults += [f"config.{key} is not a mapping" for key in groups]
    pooling = config.get("pooling")
    if isinstance(pooling, Mapping) and not isinstance(pooling.get("name"), str):
        faults.append("config.pooling.name is missing")
    elif pooling is None:
        faults.append("config.pooling is missing")
    seed = config.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool):
        faults.append(f"config.seed must be a whole number, found {seed!r:.40}")
    task = config.get("task", "classification")
    if not isinstance(task, str) or task not in HEADLINES:
        faults.append(f"config.task must be one of {', '.join(HEADLINES)}, found {task!r:.40}")
    return faults


def tell(faults: Iterable[str]) -> None:
    """Print on standard error what was left out: the first few sentences, and the number of the others."""
    found = list(faults)
    for fault in found[:SHOWN]:
        print(f"left out: {one_line(fault)}", file=sys.stderr)
    if len(found) > SHOWN:
        print(f"left out: and {len(found) - SHOWN} more", file=sys.stderr)


def _is_file(path: Path) -> bool:
    """Return True if the path is a file, False if it is a folder.

    Raises:
        ConfigError: it is neither, or the folder cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            with os.scandir(path) as entries:
                next(entries, None)
            return False
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise ConfigError(f"the records in {path} cannot be read: {reason}; name another place with --runs") from fault
    if not stat.S_ISREG(mode):
        raise ConfigError(f"{path} is neither a folder of runs nor a file of records; name one of them with --runs")
    return True


def _of_file(path: Path) -> tuple[list[Record], list[str]]:
    """Return the records of a saved file, and one sentence for each line without a record.

    Raises:
        ConfigError: it has lines, and none of them is a record.
    """
    records: list[Record] = []
    faults: list[str] = []
    where, number = str(path), 0
    try:
        with _opened(path) as file:
            for number, line in enumerate(_lines(file), 1):
                try:
                    records.append(_parsed(line, where))
                except RecordError as fault:
                    faults.append(f"line {number} of {path}: {fault}")
    except (OSError, EOFError, ValueError, zlib.error) as fault:
        reason = getattr(fault, "strerror", None) or fault
        faults.append(f"{path} behind line {number}: {reason}")
    if faults and not records:
        more = f"; and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise ConfigError(f"{path} is not a file of records, one on each line: {one_line(faults[0])}{more}")
    return sorted(records, key=lambda record: record.started), faults


def _opened(path: Path) -> IO[bytes]:
    """Open a file of records. Its first bytes, and not its name, say whether it is compressed."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else open(path, "rb")  # type: ignore[return-value]


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LARGEST + 1):
        if len(line) > LARGEST:
            raise ValueError(f"a line has more than {LARGEST:,} bytes")
        if line.strip():
            yield line


def _parsed(line: bytes, where: str) -> Record:
    """Return the record of a line.

    Raises:
        RecordError: it holds none.
    """
    try:
        content = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as fault:
        raise RecordError(f"not UTF-8 text: {fault.reason} at byte {fault.start}") from None
    except ValueError as fault:
        raise RecordError(f"not JSON: {fault}") from None
    except RecursionError:
        raise RecordError("its values are nested too deeply") from None
    record = Record.from_json(content, where=where, whole=True)
    if not record.signature:
        raise RecordError("signature is missing")
    return record


def _once(records: Iterable[Record], faults: list[str]) -> list[Record]:
    """Return one record for each run: of two that differ, the one that ended last."""
    found: dict[str, Record] = {}
    for record in records:
        name = record.signature
        other = found.setdefault(name, record)
        if other is record:
            continue
        if other == record:
            faults.append(f"the record {name} is there twice, and counts once")
            continue
        first, last = sorted((other, record), key=lambda one: one.ended)
        found[name] = last
        faults.append(
            f"the record {name} that ended {first.ended or 'at an unknown time'}: another one of that signature "
            f"ended {last.ended or 'at an unknown time'} and differs"
        )
    return list(found.values())
