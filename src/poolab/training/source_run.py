"""The finished run that a run continues: its folder, settings and metrics; read without torch."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError
from poolab.per_slot import pooling_words
from poolab.records import RecordError, file_sha256, read_json, read_record
from poolab.run_config import RunConfig

TESTED = ("test/loss", "test/accuracy", "test/mean_iou", "test/dice")
# Settings of a backbone that may differ from the source's: its weights come from the checkpoint.
FREE = ("match", "match_to", "pretrained", "weights", "code_sha256")


@dataclass(frozen=True)
class SourceRun:
    """A finished run: its folder, settings, figures and checkpoint."""

    folder: Path
    config: Mapping[str, Any]  # as its record has it: another version may have written it
    metrics: Mapping[str, float]
    signature: str | None = None

    @property
    def checkpoint(self) -> Path:
        """The checkpoint with its weights."""
        return self.folder / "last.ckpt"

    def figures(self) -> dict[str, float]:
        """Return the metrics of the validation and the test split, without those of single classes."""
        return {name: value for name, value in self.metrics.items() if name.startswith("val/") or name in TESTED}


@dataclass(frozen=True)
class WeightTransfer:
    """A source, the number of weights that were loaded from it, and the names of those that were not."""

    source: SourceRun
    count: int
    new: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line about the source."""
        was = pooling_words(self.source.config["pooling"])
        new = f", {len(self.new)} of the new pooling have new initial weights" if self.new else ""
        return f"{self.count} weights of {self.source.folder} ({was}){new}"


def source_of(config: RunConfig) -> SourceRun | None:
    """Return the run that a configuration continues, or None.

    Raises:
        ConfigError: none is named, it is no finished run, or it trained another network.
    """
    recipe = config.recipe
    if recipe is None:
        return None
    if not recipe.checkpoint:
        raise ConfigError("recipe=finetune needs a run to continue: recipe.checkpoint=runs/<signature>")
    path = Path(recipe.checkpoint)
    with suppress(RuntimeError):  # ~ without a home folder
        path = path.expanduser()
    try:
        exists, is_folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as fault:
        raise ConfigError(f"recipe.checkpoint={path} cannot be read: {fault}") from fault
    if not exists:
        raise ConfigError(f"recipe.checkpoint={path}: there is no such folder; name that of a run, runs/<signature>")
    if not is_folder and path.name != "last.ckpt":
        raise ConfigError(f"recipe.checkpoint={path} is not a run: name its folder, runs/<signature>, or its last.ckpt")
    source = _read(path if is_folder else path.parent)
    _check(source, config)
    return source


def source_fingerprint(config: RunConfig) -> str:
    """Return what stands for the source in a run's identity, independent of its path; empty without a source."""
    return (source_sha256(config) or "")[:24]


def source_sha256(config: RunConfig) -> str | None:
    """Return the hash of the source's checkpoint, or None without a source.

    Raises:
        ConfigError: it cannot be read, or as `source_of`.
    """
    source = source_of(config)
    if source is None:
        return None
    try:
        return file_sha256(source.checkpoint)
    except OSError as fault:
        raise ConfigError(f"{source.checkpoint} cannot be read: {fault.strerror or fault}") from fault


def _read(folder: Path) -> SourceRun:
    missing = [name for name in ("last.ckpt", "config.json", "result.json") if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"recipe.checkpoint={folder} is not the folder of a finished run: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing; name that of one, runs/<signature>"
        )
    try:
        record = read_record(folder / "result.json", whole=True)
        config = read_json(folder / "config.json")
    except RecordError as fault:
        raise ConfigError(f"recipe.checkpoint={folder} cannot be continued: {fault}") from fault
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise ConfigError(f"recipe.checkpoint={folder}: {folder / 'config.json'} cannot be read: {reason}") from fault
    if record is None or not record.completed:
        was = f"that {record.status}: {record.reason}" if record else "without a record"  # it was removed just now
        raise ConfigError(f"recipe.checkpoint={folder} is a run {was}")
    faults = _config_faults(config)
    if faults:
        raise ConfigError(f"{folder / 'config.json'} is not the configuration of a run: {'; '.join(faults)}")
    figures = {name: value for name, value in record.metrics.items() if value is not None}
    return SourceRun(folder, config, figures, record.signature or None)


def _config_faults(config: Any) -> list[str]:
    """Return the errors of a source's configuration: the settings that are read here or when its weights are loaded."""
    if not isinstance(config, Mapping):
        return ["it is not a mapping"]
    groups = ("backbone", "data", "pooling")
    faults = [f"{group} must be a mapping with a name" for group in groups if not _is_named(config.get(group))]
    return faults + (["seed is missing"] if "seed" not in config else [])


def _is_named(group: Any) -> bool:
    return isinstance(group, Mapping) and isinstance(group.get("name"), str)


def _check(source: SourceRun, config: RunConfig) -> None:
    was = source.config
    own = config.backbone.tree()
    differing = [] if was["backbone"]["name"] == own["name"] else [f"backbone={was['backbone']['name']}"]
    differing += [
        f"backbone.{key}={value}"
        for key, value in was["backbone"].items()
        if key not in ("name", *FREE) and own.get(key, value) != value
    ]
    if was["data"]["name"] == config.data.name and was["seed"] != config.seed:
        differing.append(f"seed={was['seed']}")  # another one holds out images that the source has trained on
    if differing:
        raise ConfigError(f"recipe.checkpoint={source.folder} was trained otherwise: add {' '.join(differing)}")
