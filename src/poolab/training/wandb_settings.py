"""The W&B settings of a run: from the configuration, else W&B's environment, else poolab's own default."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from poolab.run_config import WandbConfig

PROJECT = "poolab"
UNSENT = "unsent"  # a file in a session's folder: its server has not had all of it
# W&B's names of its modes, and its older ones.
MODES = {
    "online": "online",
    "run": "online",
    "shared": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}
TRUE = ("true", "1", "yes", "y", "t", "on")
FALSE = ("false", "0", "no", "n", "f", "off")


@dataclass(frozen=True)
class WandbSettings:
    """Settings of one W&B run; `mode` is online, offline or disabled."""

    mode: str
    project: str
    name: str
    entity: str | None
    group: str | None
    tags: tuple[str, ...]
    notes: str | None
    job_type: str | None
    folder: Path
    silent: bool


def wandb_settings(
    tracker: WandbConfig, folder: Path, title: str, environment: Mapping[str, str] | None = None
) -> WandbSettings:
    """Return the settings of a run in this folder, whose name is `title` where WANDB_NAME gives no other.

    >>> told = WandbConfig("wandb", None, None, None, None, (), 20, 60)
    >>> chosen = wandb_settings(told, Path("runs/0123"), "max", {"WANDB_PROJECT": "mine", "WANDB_TAGS": "a, b"})
    >>> chosen.mode, chosen.project, chosen.tags, chosen.name
    ('offline', 'mine', ('a', 'b'), 'max')
    """
    known = os.environ if environment is None else environment

    def said(own: str | None, name: str) -> str | None:
        return own or known.get(f"WANDB_{name}", "").strip() or None

    tags = tuple(tracker.tags) or tuple(tag for tag in map(str.strip, known.get("WANDB_TAGS", "").split(",")) if tag)
    return WandbSettings(
        mode=_mode(tracker, known),
        project=said(tracker.project, "PROJECT") or PROJECT,
        name=said(None, "NAME") or title,
        entity=said(tracker.entity, "ENTITY"),
        group=said(tracker.group, "RUN_GROUP"),
        tags=tags,
        notes=said(None, "NOTES"),
        job_type=said(None, "JOB_TYPE"),
        folder=wandb_folder(folder, known),
        silent=known.get("WANDB_SILENT", "").strip().lower() not in FALSE,
    )


def settings_for_upload(project: str, entity: str | None, folder: Path, title: str) -> WandbSettings:
    """Return the settings of a run that somebody asked W&B for by name: online where its environment says nothing.

    >>> settings_for_upload("poolings", "team", Path("report"), "report of a study").project
    'poolings'
    """
    said = any(os.environ.get(name, "").strip() for name in ("WANDB_MODE", "WANDB_DISABLED"))
    mode = None if said else "online"
    return wandb_settings(WandbConfig("wandb", mode, project, entity, None, (), 20, 60), folder, title)


def wandb_folder(folder: Path, environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the run's `wandb` folder: beside its record, or below WANDB_DIR."""
    known = os.environ if environment is None else environment
    place = known.get("WANDB_DIR", "").strip()
    return Path(place).expanduser() / folder.name if place else folder


def _mode(tracker: WandbConfig, known: Mapping[str, str]) -> str:
    if tracker.mode:
        return tracker.mode
    if known.get("WANDB_DISABLED", "").strip().lower() in TRUE:
        return "disabled"
    given = known.get("WANDB_MODE", "").strip().lower()
    if given and given not in MODES:
        warnings.warn(
            f"WANDB_MODE={given!r:.40} is none of online, offline, disabled: the run is tracked offline", stacklevel=2
        )
    return MODES.get(given, "offline")
