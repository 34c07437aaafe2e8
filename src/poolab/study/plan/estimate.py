"""Estimate how long a study takes: from records of similar runs, or by running one epoch."""

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from poolab.errors import PoolabError
from poolab.per_slot import pooling_words
from poolab.records import NOT_IDENTITY, Record, Tree, below, content_of, flatten
from poolab.run_config import RunConfig, TrackerConfig, TrainerConfig
from poolab.study.plan.plan import Plan, Planned
from poolab.study.runner.cell import write_cell


@dataclass(frozen=True)
class Estimate:
    """The seconds of all remaining cells one after the other, the number of cells this is known for, and its source.

    `device_seconds` counts each cell's seconds for each of its devices; None where their number shows on the machine.
    """

    seconds: float
    known: int
    source: str
    device_seconds: float | None = None


def likeness(config: Tree) -> str:
    """Return what similar runs share: backbone, data and number of epochs."""
    trainer = config.get("trainer") or {}
    flat = flatten({key: config.get(key) for key in ("backbone", "data")} | {"epochs": trainer.get("epochs")})
    return str({key: value for key, value in flat.items() if not below(key, NOT_IDENTITY)})


def devices(trainer: TrainerConfig) -> float:
    """Return the number of devices of a run, over all its nodes; nan where the machine decides (auto, -1)."""
    count = len(trainer.devices) if isinstance(trainer.devices, tuple) else trainer.devices
    return float(count * trainer.num_nodes) if isinstance(count, int) and count > 0 else math.nan


def like_records(plan: Plan, records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the completed records that are similar to cells of a plan, grouped by `likeness`.

    Records of data whose content is known not to be the plan's are left out.
    """
    found: dict[str, list[Record]] = {}
    contents: dict[str, set[str | None]] = {}
    for data, key in {(_data(planned.config), likeness(planned.config.tree())): None for planned in plan.cells}:
        found[key] = []
        contents.setdefault(key, set()).add(_content(*data))
    for record in records:
        key = likeness(record.config)
        known = {*contents.get(key, set()), None}  # a record that does not say its content may be like
        own = content_of(record).data
        if key in found and record.completed and (own in known or None in contents[key]):
            found[key].append(record)
    return found


def _data(config: RunConfig) -> tuple[str, str | None]:
    return config.data.name, config.data.root


@cache
def _content(name: str, root: str | None) -> str | None:
    """Return the fingerprint of the data on this machine; None if there is nothing to compare it with."""
    from poolab.data import data_fingerprint

    try:
        return data_fingerprint(name, root=root)
    except PoolabError:
        return None


def from_records(left: Sequence[Planned], like: Mapping[str, Sequence[Record]]) -> Estimate | None:
    """Estimate each cell by the median of similar runs: of its own pooling if there are any, else of all."""
    cells = Counter(
        (likeness(planned.config.tree()), pooling_words(planned.config.pooling), devices(planned.config.trainer))
        for planned in left
    )
    seconds, on_devices, known, used = 0.0, 0.0, 0, set()
    for (key, words, width), count in cells.items():
        same = [record for record in like[key] if pooling_words(record.config["pooling"]) == words] or like[key]
        times = [time for time in map(_seconds, same) if time is not None]
        if times:
            used |= {record.signature for record in same}
            each = statistics.median(times)
            seconds += count * each
            on_devices += count * each * width
            known += count
    return Estimate(seconds, known, f"{len(used)} records of like runs", _if_known(on_devices)) if known else None


def measured(left: Sequence[Planned]) -> Estimate:
    """Estimate all cells by running one epoch of the first cell of each data set and backbone.

    Raises:
        PoolabError: it failed.
    """
    first: dict[str, Planned] = {}
    for planned in left:
        first.setdefault(likeness(planned.config.tree()), planned)
    times = {key: _one_epoch(planned) for key, planned in first.items()}
    total, on_devices = 0.0, 0.0
    for planned in left:
        whole, epoch = times[likeness(planned.config.tree())]
        each = whole + epoch * (planned.config.trainer.epochs - 1)
        total += each
        on_devices += each * devices(planned.config.trainer)
    arms = ", ".join(dict.fromkeys(planned.arm for planned in first.values()))
    source = f"one epoch each of {arms}, run now; another pooling takes another time"
    return Estimate(total, len(left), source, _if_known(on_devices))


def _if_known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else seconds


def _one_epoch(planned: Planned) -> tuple[float, float]:
    """Return the seconds of a whole run of one epoch, and of its epoch alone."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = replace(planned.config.trainer, epochs=1, progress_bar=False)
        short = replace(planned.config, trainer=trainer, runs_dir=folder, tracker=TrackerConfig("none"))
        write_cell(short, Path(folder) / "cell.json")
        start = time.perf_counter()
        command = [sys.executable, "-m", "poolab.study.runner.cell", str(Path(folder) / "cell.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        whole = time.perf_counter() - start
        histories = list(Path(folder).glob("*/history.jsonl"))
        if done.returncode or not histories:
            raise PoolabError(f"the epoch that was to be measured failed ({planned.cell}): {done.stderr.strip()}")
        return whole, float(json.loads(histories[0].read_text().splitlines()[0])["seconds"])


def _seconds(record: Record) -> float | None:
    """Return how long a run took; None if its record does not say it or its clock went backwards."""
    try:
        started, ended = (datetime.fromisoformat(time) for time in (record.started, record.ended))
        seconds = (ended - started).total_seconds()
    except (TypeError, ValueError):  # TypeError: one of the two has no time zone
        return None
    return seconds if seconds >= 0 else None
