"""The weights of a finished run, taken over by a network whose poolings are others."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from poolab.backbones import Backbone
from poolab.errors import ConfigError

NETWORK = "network."  # the network's part of a checkpoint


@dataclass(frozen=True)
class Source:
    """A finished run: its folder, settings, figures and checkpoint."""

    folder: Path
    config: Mapping[str, Any]
    metrics: Mapping[str, float]

    @property
    def checkpoint(self) -> Path:
        """Where its weights are."""
        return self.folder / "last.ckpt"

    def figures(self) -> dict[str, float]:
        """What the run measured on the validation and the test split."""
        return {name: value for name, value in self.metrics.items() if name.startswith(("val/", "test/"))}


@dataclass(frozen=True)
class TakenOver:
    """How many weights were taken over, and the names of those that start afresh or were left behind."""

    count: int
    new: tuple[str, ...]
    left: tuple[str, ...]


def source_of(config: Mapping[str, Any]) -> Source | None:
    """The run that a configuration goes on from, or None.

    Raises:
        ConfigError: none is named, it is no finished run, or it trained another network.
    """
    recipe = config.get("recipe")
    if recipe is None:
        return None
    if not recipe["checkpoint"]:
        raise ConfigError("recipe=finetune needs the run to go on from: recipe.checkpoint=runs/<signature>")
    path = Path(recipe["checkpoint"]).expanduser()
    source = _read(path if path.is_dir() else path.parent)
    _check(source, config)
    return source


def source_fingerprint(config: Mapping[str, Any]) -> str:
    """What stands for the source in a run's identity, wherever it lies; empty without one."""
    source = source_of(config)
    return "" if source is None else hashlib.sha256(source.checkpoint.read_bytes()).hexdigest()[:24]


def take_over(network: Backbone, source: Source) -> TakenOver:
    """Load what the network shares with the source: everything but the poolings.

    Raises:
        ConfigError: a weight outside of the slots is missing or has another shape.
    """
    state = _weights(source)
    own = network.state_dict()
    shared = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    new = tuple(name for name in own if name not in shared)
    left = tuple(name for name in state if name not in shared)
    strange = [name for name in (*new, *left) if network.slot_of(name) is None]
    if strange:
        raise ConfigError(
            f"the checkpoint {source.checkpoint} is of another network: {', '.join(strange[:3])}"
            f"{f' and {len(strange) - 3} more' if len(strange) > 3 else ''} differ, outside of the slots "
            f"{', '.join(network.slots)}"
        )
    network.load_state_dict(shared, strict=False)
    return TakenOver(len(shared), new, left)


def _weights(source: Source) -> dict[str, Tensor]:
    content = torch.load(source.checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    return {name.removeprefix(NETWORK): value for name, value in content.items() if name.startswith(NETWORK)}


def _read(folder: Path) -> Source:
    missing = [name for name in ("last.ckpt", "config.json", "result.json") if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"recipe.checkpoint={folder} is not the folder of a finished run: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing"
        )
    record = json.loads((folder / "result.json").read_text())
    if record["status"] != "completed":
        raise ConfigError(f"recipe.checkpoint={folder} is a run that {record['status']}: {record['reason']}")
    return Source(folder, json.loads((folder / "config.json").read_text()), record["metrics"])


def _check(source: Source, config: Mapping[str, Any]) -> None:
    was, now = source.config, config
    differing = [
        f"{group}={was[group]['name']}" for group in ("backbone", "data") if was[group]["name"] != now[group]["name"]
    ]
    differing += [
        f"backbone.{key}={value}" for key, value in was["backbone"].items() if now["backbone"].get(key, value) != value
    ]
    if was["seed"] != now["seed"]:  # another seed holds out images that the source has trained on
        differing.append(f"seed={was['seed']}")
    if differing:
        raise ConfigError(f"recipe.checkpoint={source.folder} was trained otherwise; add {' '.join(differing)}")
