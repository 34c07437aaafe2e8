"""W&B beside the record; whatever happens to it, the run goes on."""

import os
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytorch_lightning.loggers import Logger

from poolab.training.processes import first_process


def build_tracker(config: Mapping[str, Any], folder: Path, name: str) -> "WandbTracker | None":
    """The tracker that the configuration names, in the first process."""
    if config["tracker"]["name"] == "none" or not first_process():
        return None
    return WandbTracker(config["tracker"], folder, name, config)


class WandbTracker(Logger):
    """Lightning's WandbLogger, guarded: its first failure is a warning and the end of the tracking.

    The resolved configuration goes under the root `cfg`: in a sweep W&B locks the swept keys, and a swept group
    `pooling` would silently drop the resolved settings of that name.
    """

    def __init__(self, tracker: Mapping[str, Any], folder: Path, name: str, config: Mapping[str, Any]):
        super().__init__()
        self._settings = tracker
        self._folder = folder
        self._name = name
        self._logger: Any = None
        self._broken = False
        self._try("start", lambda: self._start(config))

    @property
    def name(self) -> str:
        """The run's name at W&B."""
        return self._name

    @property
    def version(self) -> str:
        """The run's folder."""
        return self._folder.name

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send figures of a step."""
        self._try("log", lambda: self._logger.log_metrics(dict(metrics), step))

    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration is there from the start."""

    def finish(self, metrics: Mapping[str, Any], status: str) -> None:
        """Put the record's flat metrics into the summary and end the W&B run."""

        def end() -> None:
            run = self._logger.experiment
            run.summary.update({**metrics, "status": status})
            run.finish(exit_code=0 if status in ("completed", "diverged") else 1)

        self._try("finish", end)
        self._broken = True  # nothing can follow

    def _start(self, config: Mapping[str, Any]) -> None:
        mode = self._settings["mode"]
        if mode == "online" and not _has_key():
            warnings.warn("W&B has no key (wandb login, or WANDB_API_KEY): this run is tracked offline", stacklevel=2)
            mode = "offline"
        try:
            self._logger = self._open(mode, config)
        except Exception as fault:
            if mode == "offline":
                raise
            warnings.warn(f"W&B cannot be reached ({_line(fault)}): this run is tracked offline", stacklevel=2)
            self._logger = self._open("offline", config)

    def _open(self, mode: str, config: Mapping[str, Any]) -> Any:
        import wandb
        from pytorch_lightning.loggers import WandbLogger

        os.environ.setdefault("WANDB_SILENT", "true")
        wandb.setup()  # from here on it is silent: Lightning passes a deprecated setting, of which W&B warns
        if wandb.run is not None:  # a run of the same process that was not ended would be written into
            wandb.finish()
        settings = wandb.Settings(
            init_timeout=self._settings["init_timeout"], silent=True, console="off", x_disable_stats=True
        )
        if mode == "offline":
            # Not Lightning's `offline`: that sets WANDB_MODE, too late for W&B's set-up and in time for the next run.
            settings.mode = "offline"
        logger = WandbLogger(
            name=self._name,
            save_dir=self._folder,
            project=self._settings["project"],
            entity=self._settings["entity"],
            group=self._settings["group"],
            tags=list(self._settings["tags"]),
            config={"cfg": dict(config)},
            settings=settings,
        )
        _ = logger.experiment  # opened now, so that a fault shows here
        return logger

    def _try(self, verb: str, action: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            action()
        except Exception as fault:
            self._broken = True
            warnings.warn(
                f"W&B failed to {verb} ({_line(fault)}); the run goes on, its record is complete without it",
                stacklevel=3,
            )


def _has_key() -> bool:
    """A key in the environment or in netrc; asking W&B itself would prompt for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc().authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False


def _line(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".splitlines()[0][:200]
