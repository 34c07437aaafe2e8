"""`data.batch_size=auto`: the largest power of two that fits, found in a process of its own before the run is named."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError, PoolabError
from poolab.records import RunFolder, read_json, signature, write_atomically
from poolab.run_config import RunConfig
from poolab.training.content import content_of
from poolab.training.settings import check_settings
from poolab.training.settings.kinds import AUTO, ONE_RUN
from poolab.training.wandb_access import in_sweep

SMALLEST = 2  # a batch normalisation needs two values of a channel
FOLDER = ".batch_sizes"  # below runs_dir: what was found, so that the same command resumes the same run


@dataclass(frozen=True)
class Found:
    """A batch size that was found.

    Attributes:
        batch_size: the largest power of two of which three training steps fit.
        memory: what a step of it takes and what is there, in words.
        limit: why it is not larger, in words.
        machine: the name of the machine.
        signature: the run that got it; empty before it is known.
    """

    batch_size: int
    memory: str
    limit: str
    machine: str
    signature: str = ""

    def __str__(self) -> str:
        """Return it in one line."""
        return f"data.batch_size=auto found {self.batch_size}: {self.memory}; {self.limit}"


def with_batch_size(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a configuration with the batch size that fits in place of `auto`; any other stays as it is.

    The number is kept below `runs_dir`, so that the same command on the same machine finds the same run; `force=true`
    measures anew.

    Raises:
        ConfigError: a fault of the settings; several processes, or runs that are compared; or nothing fits.
    """
    data = tree.get("data")
    if not isinstance(data, Mapping) or data.get("batch_size") != AUTO:
        return tree
    smallest = with_smallest_batch(tree)
    check_settings(smallest)
    config = RunConfig.from_tree(smallest)
    _check_single(config)
    content = content_of(config)
    path = Path(config.runs_dir) / FOLDER / f"{signature(tree, content)}.json"
    found = None if config.force else _kept(path)
    fresh = found is None
    if found is None:
        found = _search(smallest, Path(config.runs_dir))
    result = _sized(tree, found.batch_size)
    print(
        f"poolab: {found}{'' if fresh else ' (found earlier; force=true measures anew)'}", file=sys.stderr, flush=True
    )
    if fresh:
        name = signature(result, content)
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps({**asdict(found), "signature": name}))
    return result


def with_smallest_batch(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a configuration with a number in place of `auto`, for what does not depend on it, such as shapes."""
    data = tree.get("data")
    is_auto = isinstance(data, Mapping) and data.get("batch_size") == AUTO
    return _sized(tree, SMALLEST) if is_auto else tree


def found_batch_size(folder: RunFolder) -> dict[str, str]:
    """Return what a record says of a batch size that was found for its run; nothing for any other."""
    for path in sorted((folder.home.parent / FOLDER).glob("*.json")):
        found = _kept(path)
        if found is not None and found.signature == folder.signature:
            return {"batch_size_found": str(found)}
    return {}


def _sized(tree: Mapping[str, Any], size: int) -> dict[str, Any]:
    return {**tree, "data": {**tree["data"], "batch_size": size}}


def _check_single(config: RunConfig) -> None:
    """Check that one process trains, and that the run is compared with no other one.

    Raises:
        ConfigError: it is not so.
    """
    hydra = sys.modules.get("hydra.core.hydra_config")
    if hydra is not None and hydra.HydraConfig.initialized() and hydra.HydraConfig.get().mode.name == "MULTIRUN":
        raise ConfigError(f"data.batch_size {ONE_RUN}")
    if in_sweep():
        raise ConfigError(f"data.batch_size {ONE_RUN}")
    trainer = config.trainer
    devices = len(trainer.devices) if isinstance(trainer.devices, tuple) else trainer.devices
    if devices != 1 or trainer.num_nodes != 1 or trainer.strategy == "ddp":
        raise ConfigError(
            "data.batch_size=auto measures one process on one device: find the number with trainer.devices=1 "
            "trainer.strategy=auto, and write it times the number of processes"
        )


def _kept(path: Path) -> Found | None:
    """Return what was found on this machine before, or None."""
    try:
        found = Found(**read_json(path))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.machine == platform.node() else None


def _search(tree: Mapping[str, Any], runs_dir: Path) -> Found:
    """Try sizes in a process of its own: whatever memory it takes is free again, also when the system ends it.

    Raises:
        PoolabError: not even the smallest batch could be trained; the message has what the process said.
    """
    RunFolder(runs_dir, ".").make()
    with tempfile.TemporaryDirectory(dir=runs_dir, prefix=".batch-size-") as place:
        settings, lines = Path(place) / "config.json", Path(place) / "trials.jsonl"
        settings.write_text(json.dumps(tree), encoding="utf-8")
        environ = {key: value for key, value in os.environ.items() if key not in ("LOCAL_RANK", "WORLD_SIZE")}
        process = subprocess.run(
            [sys.executable, "-m", "poolab.training.batch_trials", str(settings), str(lines)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environ,
        )
        trials = _read(lines)
    done = [trial for trial in trials if trial.get("fits")]
    if not done:
        said = process.stdout.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        refused = [str(trial["why"]) for trial in trials if not trial.get("fits")]
        raise PoolabError(
            f"data.batch_size=auto: a batch of {SMALLEST} images cannot be trained: {(refused or said)[0]}"
        )
    last = done[-1]
    ended = [str(trial["why"]) for trial in trials if not trial.get("fits")]
    # The system ends a process that takes too much: it could not say so any more.
    limit = (
        ended[0] if ended else f"the system ended the attempt with {2 * last['size']} (exit code {process.returncode})"
    )
    return Found(last["size"], last["memory"], limit, platform.node())


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return []
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
