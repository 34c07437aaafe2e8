"""The verb `poolab measure`: measures finished runs again from their checkpoints, without training."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from poolab.arguments import verb_parser
from poolab.configuration import compose
from poolab.errors import INTERRUPTED, ConfigError, PoolabError
from poolab.records import Record, RunFolder, read_record
from poolab.run_config import RunConfig
from poolab.training.interruption import Interrupted
from poolab.training.measures import asked_measures, missing_measures

EXAMPLES = """examples:
  poolab measure runs/0123456789ab measure=full         robustness, calibration and gradient support too
  poolab measure runs/* measure=full measure.images=500 of several runs
  poolab measure runs/0123456789ab --again              the costs again, on this machine
"""
# Settings of the machine and of where the data lies; all others belong to the run.
FREE = ("data.root", "data.cache_dir", "data.download", "data.eval_batch_size")
FREE_TRAINER = ("accelerator", "threads", "backend", "progress_bar")


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the verb's arguments."""
    words = verb_parser("measure", description, EXAMPLES)
    words.add_argument("words", nargs="+", metavar="RUN|key=value", help="folders of finished runs, and settings")
    words.add_argument("--again", action="store_true", help="take all measures, also those that are there already")
    return words


def measure(given: Sequence[str], description: str) -> int:
    """Measure finished runs. Runs that cannot be measured are named, the others are measured; the exit code is then 1,
    or 130 where it was asked to stop.

    Raises:
        ConfigError: no run is named, or a setting is wrong or belongs to the training.
    """
    chosen = parser(description).parse_intermixed_args(given)
    settings = [word for word in chosen.words if "=" in word and not Path(word).exists()]
    # runs/* names the studies' own folder as well.
    runs = [word for word in chosen.words if word not in settings and Path(word).name != "studies"]
    if not runs:
        raise ConfigError("name the folder of a finished run: poolab measure runs/<signature> measure=full")
    _check(settings)
    asked = compose(settings)
    failed = 0
    for run in runs:
        try:
            _measure_one(Path(run).expanduser(), asked, settings, chosen.again)
        except Interrupted as fault:
            print(f"poolab: {fault}; the same command takes what is missing", file=sys.stderr)
            return INTERRUPTED
        except PoolabError as fault:
            failed += 1
            print(f"poolab: {fault}", file=sys.stderr)
    return 1 if failed else 0


def _check(settings: Sequence[str]) -> None:
    free = (*FREE, *(f"trainer.{name}" for name in FREE_TRAINER))
    for word in settings:
        key = word.partition("=")[0].lstrip("+~")
        if key != "measure" and not key.startswith("measure.") and key not in free:
            raise ConfigError(f"{word}: a finished run takes settings of measure, and {', '.join(free)}")


def _measure_one(path: Path, asked: Mapping[str, Any], settings: Sequence[str], again: bool) -> None:
    record = finished_record(path)
    config = _config(record, path, asked, settings)
    names = asked_measures(config) if again else missing_measures(config, record)
    if not names:
        print(f"{path} has all that is asked for: {', '.join(asked_measures(config))}")
        return
    from poolab.training.remeasure import measure_again

    measure_again(config, RunFolder.of(record, path), names)


def finished_record(path: Path) -> Record:
    """Return the record of a completed run's folder.

    Raises:
        ConfigError: there is no such folder, it is no run's, or the run has no trained network.
    """
    try:
        exists = path.is_dir()
    except (OSError, ValueError) as fault:
        raise ConfigError(f"{path} cannot be read: {getattr(fault, 'strerror', None) or fault}") from fault
    if not exists:
        raise ConfigError(f"{path} is not a folder: name the folder of a run, runs/<signature>")
    record = read_record(path / "result.json", path.name, where=str(path.parent), whole=True)
    if record is None:
        runs = sorted(child.name for child in path.iterdir() if (child / "result.json").is_file())
        if runs:
            more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
            raise ConfigError(f"{path} is a folder of runs: name one of them: {', '.join(runs[:3])}{more}")
        raise ConfigError(f"{path} is not the folder of a run: it has no result.json; name runs/<signature>")
    if not record.completed:
        raise ConfigError(f"{path} has no trained network: the run is {record.status} ({record.reason})")
    return record


def _config(record: Record, path: Path, asked: Mapping[str, Any], settings: Sequence[str]) -> RunConfig:
    """Return the settings of a run with the measures that are asked for, and what is said of this machine.

    Without a setting of `measure`, those of the record are asked for.
    """
    from poolab.training.settings import read_settings  # brings torch, which --help does without

    tree = {**record.config, "runs_dir": str(path.parent)}
    given = {word.partition("=")[0].lstrip("+~") for word in settings}
    if any(key == "measure" or key.startswith("measure.") for key in given):
        tree["measure"] = asked["measure"]
    for key in given & {*FREE, *(f"trainer.{name}" for name in FREE_TRAINER)}:
        group, _, name = key.partition(".")
        tree[group] = {**tree[group], name: asked[group][name]}
    return read_settings(tree)
