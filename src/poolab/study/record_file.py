"""The records of a study in one file, which `poolab study table --save` writes and `--runs FILE` reads."""

import copy
import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from poolab.records import Record, Tree, content_of, gather, strict, tell
from poolab.study.sweep.arms import FILES

PATHS = ("runs_dir", "data.root", "data.cache_dir", *FILES)


def read_records(runs: str | Path) -> list[Record]:
    """Return the records of a folder of runs, or of a file that `poolab study table --save` wrote.

    What is no record is named on standard error and left out.

    Raises:
        PoolabError: the file is not a file of records, or the folder cannot be read.
    """
    records, errors = gather(runs)
    tell(errors)
    return records


def save_records(records: Sequence[Record], path: str | Path, runs: str | Path | None = None) -> None:
    """Write records one on each line, compressed where the name ends with .gz; the same records give the same bytes.

    Where data and runs lay on the machine that made them is left out: the file is made to be published.

    Args:
        runs: the folder of the runs. Each record then gets the history of its run's epochs, and one bit for each test
            image that says whether it was classified correctly: with them the file can be reported alone.
    """
    whole = [_with_details(record, runs) for record in records]
    told = [strict(replace(record, config=_without_paths(record)).to_json()) for record in whole]
    lines = [json.dumps(record, sort_keys=True, allow_nan=False, default=str) for record in told]
    content = "".join(f"{line}\n" for line in lines).encode()
    Path(path).write_bytes(gzip.compress(content, mtime=0) if Path(path).suffix == ".gz" else content)


def _with_details(record: Record, runs: str | Path | None) -> Record:
    """Return a record with the files of its run's folder that a report reads."""
    from poolab.report import compact_history, packed, read_correct

    folder = Path(runs or "") / record.signature
    if runs is None or not folder.is_dir():
        return record
    if record.history is None:
        record = replace(record, history=compact_history(folder / "history.jsonl") or None)
    correct = None if record.test_correct is not None else read_correct(folder / "test_examples.npz")
    return record if correct is None else replace(record, test_correct=packed(correct))


def _without_paths(record: Record) -> Tree:
    """Return a record's configuration without the folders of its machine; settings of its identity stay."""
    kept = copy.deepcopy(dict(record.config))
    by_content = content_of(record).weights is not None  # else the path of the weights is a part of the identity
    for key in PATHS:
        *groups, last = key.split(".")
        node = kept
        for part in groups:
            node = node.get(part) or {}
        if node.get(last) is None or (key == "backbone.weights" and not by_content):
            continue
        node[last] = PurePath(str(node[last])).name if key in FILES else None  # of a file its name stays
    return kept
