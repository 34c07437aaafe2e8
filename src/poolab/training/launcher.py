"""Make a run from its configuration: check it, look for a finished run, and start the processes that it needs."""

import getpass
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from poolab.errors import PoolabError
from poolab.own_code import with_code
from poolab.paths import PATHS, with_expanded_paths
from poolab.records import Record, RunFolder, read_record, run_folder
from poolab.run_config import RunConfig, TrainerConfig, WandbConfig
from poolab.training.batch_size import with_batch_size
from poolab.training.cluster import is_task, prepare
from poolab.training.content import content_of, earlier_run, run_names
from poolab.training.imports import import_wandb_first, without_collector
from poolab.training.interruption import Interrupted, give_back, take
from poolab.training.machine import check_machine
from poolab.training.measures import missing_measures
from poolab.training.settings import read_settings, with_automatic
from poolab.training.wandb_access import in_sweep

# Set by whatever has already started one process for each device: Lightning, torchrun. (SLURM: see `cluster`.)
LAUNCHED = ("LOCAL_RANK", "TORCHELASTIC_RUN_ID")


def launch(tree: Mapping[str, Any], *, pictures: bool = True) -> tuple[Record | None, Path, bool]:
    """Return the record of a configuration, its folder, and True if the run was made now (False: before).

    The first process of a run has its record; the others have None.

    Args:
        tree: the resolved configuration, as `poolab.configuration.compose` gives it.
        pictures: draw the run's pictures at its end; `poolab pictures` draws them later.

    Raises:
        ConfigError: all faulty settings at once, or SLURM's tasks do not fit them.
        DataError: the data set is missing, incomplete or damaged.
        PoolabError: another process is making this run, or its processes ended without a record.
    """
    _check_working_folder()
    tree = with_automatic(with_code(_from_where_it_was_typed(with_expanded_paths(_plain_paths(tree)))))
    config = read_settings(with_batch_size(tree))
    _give_home(config.runs_dir)
    config = _tracked_online(config) if in_sweep() else config
    folder = run_folder(config.runs_dir, run_names(config.tree(), content_of(config)))
    name = folder.signature
    if folder.finished and not config.force:
        return _earlier(config, folder, pictures)
    _tell_of_earlier(config, name)
    check_machine(config.trainer, os.environ)
    if is_task(os.environ):
        prepare(config.trainer, os.environ)
    elif _wants_processes(config.trainer) and not any(key in os.environ for key in LAUNCHED):
        return _in_processes(config, folder), folder.path, True
    with without_collector("pytorch_lightning"):
        import_wandb_first(config.tracker.name)
        from poolab.training.run import FinishedMeanwhile, run_training
    try:
        return run_training(config, name, pictures=pictures), folder.path, True
    except FinishedMeanwhile:
        return _earlier(config, folder, pictures)


def _check_working_folder() -> None:
    """Raise an error if the working folder was deleted: MKL would end the process without a message."""
    try:
        os.getcwd()
    except OSError as fault:
        raise PoolabError(
            f"the working folder is gone ({fault.strerror}): change to another one (cd) and start the command again"
        ) from fault


def _give_home(runs_dir: str) -> None:
    """Set a home folder and a user if the system knows none (a container's user without a passwd entry).

    Caches of poolab, torch and matplotlib lie below the home folder and are named after the user.
    """
    if os.path.expanduser("~") == "~":
        os.environ["HOME"] = os.path.abspath(os.path.join(runs_dir, ".home"))
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["USER"] = f"uid{os.getuid()}"


def _earlier(config: RunConfig, folder: RunFolder, pictures: bool) -> tuple[Record | None, Path, bool]:
    """Return the record of a finished run, and tell a sweep about it; take the measures that it lacks first."""
    record = read_record(folder / "result.json", folder.signature, whole=True)
    folder.forget_remake()
    if record is not None and missing_measures(config, record) and _is_first_process():
        record = _measured(config, folder, record, pictures)
    if in_sweep():
        _tell_sweep(config, folder)
    return record, folder.path, False


def _measured(config: RunConfig, folder: RunFolder, record: Record, pictures: bool) -> Record:
    """Add the measures that a finished run lacks; where it cannot be measured, say why and return it as it is."""
    with without_collector("pytorch_lightning"):
        from poolab.training.remeasure import measure_again
    try:
        check_machine(config.trainer, os.environ)
        return measure_again(config, folder, pictures=pictures)
    except Interrupted as fault:  # on the disk the run stays completed
        return replace(record, status="interrupted", reason=str(fault))
    except PoolabError as fault:
        lacks = ", ".join(missing_measures(config, record))
        with suppress(OSError):
            print(f"{folder.path} is finished, and not measured for {lacks}: {fault}", file=sys.stderr, flush=True)
        return record


def _is_first_process() -> bool:
    return all(os.environ.get(key, "0") == "0" for key in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def _tell_of_earlier(config: RunConfig, name: str) -> None:
    """Print once where a run of earlier code lies that is not reused."""
    words = earlier_run(config, name)
    if words is not None:
        with suppress(OSError):
            print(words, file=sys.stderr, flush=True)


def _plain_paths(tree: Any) -> Any:
    """Return the settings with paths as texts, as a configuration file has them."""
    if isinstance(tree, Mapping):
        return {key: _plain_paths(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_plain_paths(value) for value in tree]
    return os.fspath(tree) if isinstance(tree, os.PathLike) else tree


def _from_where_it_was_typed(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings with paths relative to the folder of the command, if Hydra changed into another folder."""
    hydra = sys.modules.get("hydra.core.hydra_config")
    if hydra is None or not hydra.HydraConfig.initialized():
        return config
    typed = Path(hydra.HydraConfig.get().runtime.cwd)
    try:
        moved = Path.cwd() != typed
    except OSError:  # the folder was deleted
        moved = False
    return under(config, typed) if moved else config


def under(tree: Mapping[str, Any], folder: Path, prefix: str = "") -> dict[str, Any]:
    """Return the settings with their relative paths below a folder.

    >>> under({"runs_dir": "runs", "data": {"root": "/data"}}, Path("/home/me"))
    {'runs_dir': '/home/me/runs', 'data': {'root': '/data'}}
    """
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found[key] = under(value, folder, f"{prefix}{key}.")
        elif f"{prefix}{key}" in PATHS and isinstance(value, str) and not value.startswith("~"):
            found[key] = str(folder / value)
        else:
            found[key] = value
    return found


def _tracked_online(config: RunConfig) -> RunConfig:
    """Return the settings with W&B's mode online, whatever they say: there are no offline sweeps."""
    tracker = config.tracker
    return replace(config, tracker=replace(tracker, mode="online")) if isinstance(tracker, WandbConfig) else config


def _tell_sweep(config: RunConfig, folder: RunFolder) -> None:
    if config.tracker.name == "none":
        return
    with without_collector("pytorch_lightning"):
        import_wandb_first(config.tracker.name)
        from poolab.training.trackers import tell_again
    tell_again(config, folder)


def _wants_processes(trainer: TrainerConfig) -> bool:
    """Return True if Lightning may start further processes: with more than one device, whatever the strategy."""
    devices = trainer.devices
    count = len(devices) if isinstance(devices, tuple) else devices
    return trainer.strategy == "ddp" or count != 1 or trainer.num_nodes != 1


def _in_processes(config: RunConfig, folder: RunFolder) -> Record:
    """Run in a fresh process, which starts one more for each further device.

    Lightning starts the others by repeating the command of the process that it is in. Inside Hydra's multirun that
    command is the whole sweep, so the first one gets a command that says this run and nothing else.
    """
    RunFolder(config.runs_dir, ".").make()
    with tempfile.TemporaryDirectory(dir=folder.path.parent, prefix=".start-") as place:  # $TMPDIR may be full or gone
        path = Path(place) / "config.json"
        path.write_text(json.dumps(config.tree()), encoding="utf-8")
        worker = subprocess.Popen([sys.executable, "-m", "poolab.training.worker", str(path), folder.signature])
        # A terminal sends Ctrl-C to all of them; the worker takes the second request for the first. This process waits
        # for the record either way.
        before = take(lambda *_: worker.terminate())
        try:
            code = worker.wait()
        finally:
            give_back(before)
    record = folder.latest
    if code != 0 or record is None:
        raise PoolabError(f"the processes of the run in {folder.path} ended with code {code}; their messages are above")
    return record
