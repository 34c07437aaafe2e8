"""The finished run that a run goes on from: its folder, settings and figures; read without torch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError
from poolab.records import RunFolder

TESTED = ("test/loss", "test/accuracy", "test/mean_iou", "test/dice")
# Settings of a backbone that may differ from the source's: its weights come from the checkpoint.
FREE = ("match", "match_to", "pretrained", "weights")


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
        """What the run measured on the validation and the test split, without what is of single classes."""
        return {name: value for name, value in self.metrics.items() if name.startswith("val/") or name in TESTED}


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
    if not path.exists():
        raise ConfigError(f"recipe.checkpoint={path}: there is no such folder; name that of a run, runs/<signature>")
    source = _read(path if path.is_dir() else path.parent)
    _check(source, config)
    return source


def source_fingerprint(config: Mapping[str, Any]) -> str:
    """What stands for the source in a run's identity, wherever it lies; empty without one."""
    source = source_of(config)
    return "" if source is None else hashlib.sha256(source.checkpoint.read_bytes()).hexdigest()[:24]


def _read(folder: Path) -> Source:
    missing = [name for name in ("last.ckpt", "config.json", "result.json") if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"recipe.checkpoint={folder} is not the folder of a finished run: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing"
        )
    record = RunFolder(folder.parent, folder.name).result or {}
    if record["status"] != "completed":
        raise ConfigError(f"recipe.checkpoint={folder} is a run that {record['status']}: {record['reason']}")
    return Source(folder, json.loads((folder / "config.json").read_text()), record["metrics"])


def _check(source: Source, config: Mapping[str, Any]) -> None:
    was = source.config
    differing = [] if was["backbone"]["name"] == config["backbone"]["name"] else [f"backbone={was['backbone']['name']}"]
    differing += [
        f"backbone.{key}={value}"
        for key, value in was["backbone"].items()
        if key not in ("name", *FREE) and config["backbone"].get(key, value) != value
    ]
    if was["data"]["name"] == config["data"]["name"] and was["seed"] != config["seed"]:
        differing.append(f"seed={was['seed']}")  # another one holds out images that the source has trained on
    if differing:
        raise ConfigError(f"recipe.checkpoint={source.folder} was trained otherwise: add {' '.join(differing)}")
