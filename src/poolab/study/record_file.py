"""The records of a study in one file: what `poolab study table --save` writes, and `--runs FILE` reads."""

import copy
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError
from poolab.records import read_results
from poolab.records.store import strict

PLACES = ("runs_dir", "data.root", "data.cache_dir", "recipe.checkpoint")


def read_records(runs: str | Path) -> list[dict[str, Any]]:
    """The records of a folder of runs, or of a file that `poolab study table --save` wrote.

    Raises:
        PoolabError: a record cannot be read.
    """
    path = Path(runs)
    if not path.is_file():
        return read_results(path)
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        return [json.loads(line) for line in text.splitlines()]
    except (OSError, EOFError, ValueError) as fault:
        raise ConfigError(f"{path} is no file of records, one on each line: {fault}") from fault


def save_records(records: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Write records one on each line, compressed where the name ends with .gz; the same records give the same bytes.

    Where data and runs lay on the machine that made them is left out: the file is made to be published.
    """
    told = [strict({**record, "config": _without_places(record["config"])}) for record in records]
    lines = [json.dumps(record, sort_keys=True, allow_nan=False, default=str) for record in told]
    content = "".join(f"{line}\n" for line in lines).encode()
    Path(path).write_bytes(gzip.compress(content, mtime=0) if Path(path).suffix == ".gz" else content)


def _without_places(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration whose paths are null; none of them is part of a run's identity."""
    kept = copy.deepcopy(dict(config))
    for place in PLACES:
        *path, last = place.split(".")
        node = kept
        for part in path:
            node = node.get(part) or {}
        if last in node:
            node[last] = None
    return kept
