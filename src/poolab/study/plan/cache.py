"""The runs of a study by their signatures, kept in a file, since composing and checking them takes seconds."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import poolab.study.plan.plan as plans
from poolab.configuration import config_dir
from poolab.own_code import own_files
from poolab.records import gather, tell, write_atomically
from poolab.study.sweep.candidates import drawn_cells
from poolab.study.sweep.sweep_file import Study


class Expected(NamedTuple):
    """A run of a study: its names, arm, seed, data set and backbone, and the arguments of its cell."""

    names: Sequence[str]  # the signature, and behind it those of earlier versions
    arm: str
    seed: int
    setting: str
    words: str

    @property
    def signature(self) -> str:
        """The signature of the run."""
        return self.names[0]


def expected(study: Study, runs_dir: Path, extra: Sequence[str] = ()) -> list[Expected]:
    """Return the runs of a study in the order of its file; of a search without trials, those in the folder.

    A grid's are read from the cache of the last time that file, extra words, conf/ and the files of the user's own
    code were the same. What changed in the content of a folder of images since then, `poolab study plan` sees.

    Raises:
        ConfigError: a cell that cannot be run.
    """
    if study.method != "grid":
        records, errors = gather(runs_dir)
        tell(errors)
        cells = drawn_cells(study, extra, records)
        made = {record.signature for record in records}
        drawn = rows(plans.plan(study, extra, cells=cells)) if cells else []
        return [run for run in drawn if made.intersection(run.names)]
    path = _cache(study, extra)
    try:
        kept = json.loads(path.read_text())
        if kept["own_code"] == _stamps(kept["own_code"]):
            return [Expected(*row) for row in kept["runs"]]
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return remember(plans.plan(study, extra))


def remember(plan: "plans.Plan") -> list[Expected]:
    """Write the runs of a plan to the cache, if it can be written."""
    found = rows(plan)
    if plan.study.method == "grid":
        path = _cache(plan.study, plan.extra)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps({"runs": found, "own_code": _stamps(map(str, own_files()))}))
        except OSError:
            pass  # it costs the next status some seconds
    return found


def _stamps(files: Iterable[str]) -> dict[str, list[int]]:
    """Return the times and sizes of files by their paths."""
    return {file: [(stat := os.stat(file)).st_mtime_ns, stat.st_size] for file in files}


def rows(plan: "plans.Plan") -> list[Expected]:
    """Return the runs of a plan."""
    return [Expected(list(one.names), one.arm, one.seed, one.setting, str(one.cell)) for one in plan.cells]


def _cache(study: Study, extra: Sequence[str]) -> Path:
    """Return the cache file for this study, these arguments, this folder (paths may be relative) and this code."""
    package = Path(__file__).resolve().parents[2]
    rooms = [path for room in ("study", "records") for path in (package / room).rglob("*.py")]
    sources = [*config_dir().rglob("*.yaml"), *package.glob("*.py"), *rooms]
    stats = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(sources)]
    words = [word for word in extra if not word.startswith("runs_dir=")]
    known = [study.path.read_text(), words, os.getcwd(), stats]
    digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:24]
    home = Path(os.environ.get("POOLAB_CACHE") or "~/.cache/poolab").expanduser()
    return home / "studies" / f"{digest}.json"
