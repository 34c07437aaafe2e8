"""From a configuration to its record: checks it, finds a finished run, and starts the processes that it needs."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poolab.data import data_fingerprint
from poolab.errors import PoolabError
from poolab.paths import with_expanded_paths
from poolab.records import RunFolder, signature
from poolab.training.cluster import is_task, prepare
from poolab.training.imports import import_wandb_first, without_collector
from poolab.training.interruption import StopRequest
from poolab.training.settings import check_settings
from poolab.training.source import source_fingerprint
from poolab.training.wandb_access import in_sweep

# Set by whatever has already started one process for each device: Lightning, torchrun. (SLURM: see `cluster`.)
LAUNCHED = ("LOCAL_RANK", "TORCHELASTIC_RUN_ID")


def launch(config: Mapping[str, Any]) -> tuple[dict[str, Any], Path, bool]:
    """The record of a configuration, its folder, and whether the run was made now or before.

    Raises:
        ConfigError: all faulty settings at once, or SLURM's tasks do not fit them.
        DataError: the data set is missing, incomplete or damaged.
        PoolabError: another process is making this run, or its processes ended without a record.
    """
    config = with_expanded_paths(config)
    check_settings(config)
    config = _tracked_online(config) if in_sweep() else config
    content = data_fingerprint(config["data"]["name"], root=config["data"]["root"])
    name = signature(config, f"{content}{source_fingerprint(config)}")
    folder = RunFolder(config["runs_dir"], name)
    if folder.finished and not config["force"]:
        if in_sweep():
            _tell_sweep(config, folder)
        return folder.result or {}, folder.path, False
    if is_task(os.environ):
        prepare(config["trainer"], os.environ)
    elif _wants_processes(config["trainer"]) and not any(key in os.environ for key in LAUNCHED):
        return _in_processes(config, folder), folder.path, True
    with without_collector("pytorch_lightning"):
        import_wandb_first(config["tracker"])
        from poolab.training.run import run
    return run(config, name), folder.path, True


def _tracked_online(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A sweep's run is tracked online, whatever the settings say of W&B: there are no offline sweeps."""
    tracker = config["tracker"]
    return config if tracker["name"] == "none" else {**config, "tracker": {**tracker, "mode": "online"}}


def _tell_sweep(config: Mapping[str, Any], folder: RunFolder) -> None:
    if config["tracker"]["name"] == "none":
        return
    with without_collector("pytorch_lightning"):
        import_wandb_first(config["tracker"])
        from poolab.training.trackers import tell_again
    tell_again(config, folder)


def _wants_processes(trainer: Mapping[str, Any]) -> bool:
    """Whether Lightning would, or might, start further processes: with more than one device, whatever the strategy."""
    devices = trainer["devices"]
    count = len(devices) if isinstance(devices, list) else devices
    return trainer["strategy"] == "ddp" or count != 1 or trainer["num_nodes"] != 1


def _in_processes(config: Mapping[str, Any], folder: RunFolder) -> dict[str, Any]:
    """Run in a fresh process, which starts one more for each further device.

    Lightning starts the others by repeating the command of the process that it is in. Inside Hydra's multirun that
    command is the whole sweep, so the first one gets a command that says this run and nothing else.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "config.json"
        path.write_text(json.dumps(config))
        worker = subprocess.Popen([sys.executable, "-m", "poolab.training.worker", str(path), folder.signature])
        # A terminal sends Ctrl-C to all of them; the worker takes the second request for the first. This process waits
        # for the record either way.
        before = {number: signal.signal(number, lambda *_: worker.terminate()) for number in StopRequest.SIGNALS}
        try:
            code = worker.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    record = folder.result
    if code != 0 or record is None:
        raise PoolabError(f"the processes of the run in {folder.path} ended with code {code}; their messages are above")
    return record
