"""How long a study takes: from records of like runs, or from an epoch that is run for it."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.records.identity import NOT_IDENTITY, below, flatten
from poolab.study.plan import Planned


@dataclass(frozen=True)
class Estimate:
    """Seconds of all cells that are left, one after the other; how many of them it is known for; and from what."""

    seconds: float
    known: int
    source: str


def like_records(config: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The completed records of the same backbone, data and number of epochs, whatever else they have."""
    wanted = _like(config)
    return [one for one in records if one["status"] == "completed" and _like(one["config"]) == wanted]


def from_records(left: Sequence[Planned], records: Sequence[Mapping[str, Any]]) -> Estimate | None:
    """The time of cells by the median of like runs: of their own pooling where there are any, else of all."""
    by_place: dict[str, list[Mapping[str, Any]]] = {}
    seconds, known, used = 0.0, 0, set()
    for planned in left:
        key = str(_like(planned.config))
        if key not in by_place:
            by_place[key] = like_records(planned.config, records)
        alike = by_place[key]
        name = planned.config["pooling"]["name"]
        same = [record for record in alike if record["config"]["pooling"]["name"] == name]
        if alike:
            used |= {record["signature"] for record in same or alike}
            seconds += statistics.median(_seconds(record) for record in same or alike)
            known += 1
    return Estimate(seconds, known, f"{len(used)} records of like runs") if known else None


def measured(left: Sequence[Planned]) -> Estimate:
    """The time of cells by one epoch of the first cell of each data set and backbone, run now.

    Raises:
        PoolabError: it failed.
    """
    first: dict[str, Planned] = {}
    for planned in left:
        first.setdefault(str(_like(planned.config)), planned)
    times = {key: _one_epoch(planned) for key, planned in first.items()}
    total = 0.0
    for planned in left:
        whole, epoch = times[str(_like(planned.config))]
        total += whole + epoch * (planned.config["trainer"]["epochs"] - 1)
    arms = ", ".join(dict.fromkeys(planned.arm for planned in first.values()))
    return Estimate(total, len(left), f"one epoch each of {arms}, run now; another pooling takes another time")


def _one_epoch(planned: Planned) -> tuple[float, float]:
    """Seconds of a whole run of one epoch, and of its epoch."""
    import time

    with tempfile.TemporaryDirectory() as place:
        own = ["trainer.epochs=1", f"runs_dir={place}", "tracker=none", "trainer.progress_bar=false"]
        given = [word for word in planned.cell.overrides if not word.startswith(("tracker", "runs_dir=", *own[:1]))]
        given = [word for word in given if not word.startswith(("trainer.epochs=", "trainer.progress_bar="))]
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "poolab", "train", *given, *own], capture_output=True, text=True, check=False
        )
        whole = time.perf_counter() - start
        histories = list(Path(place).glob("*/history.jsonl"))
        if done.returncode or not histories:
            raise PoolabError(f"the epoch that was to be measured failed ({planned.cell}): {done.stderr.strip()}")
        return whole, float(json.loads(histories[0].read_text().splitlines()[0])["seconds"])


def _like(config: Mapping[str, Any]) -> dict[str, Any]:
    flat = flatten({key: config[key] for key in ("backbone", "data")} | {"epochs": config["trainer"]["epochs"]})
    return {key: value for key, value in flat.items() if not below(key, NOT_IDENTITY)}


def _seconds(record: Mapping[str, Any]) -> float:
    started, ended = (datetime.fromisoformat(record[key]) for key in ("started", "ended"))
    return (ended - started).total_seconds()
