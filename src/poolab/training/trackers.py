"""W&B beside the record; whatever happens to it, the run goes on."""

import json
import os
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from poolab.per_slot import pooling_words
from poolab.records import RunFolder
from poolab.records.schema import FINISHED
from poolab.records.store import strict
from poolab.training.processes import first_process
from poolab.training.wandb_access import has_key, in_sweep, server, stopped_by_agent

# Seconds between two transmissions of rows in a sweep, where an early stop goes by them. W&B's own 15 are longer than
# many a run; a file in a run's folder tells `poolab study sync` that its server has not had all of them.
TRANSMIT = 1.0
UNSENT = "unsent"


def build_tracker(config: Mapping[str, Any], folder: Path, name: str) -> "WandbTracker | None":
    """The tracker that the configuration names, in the first process."""
    if config["tracker"]["name"] == "none" or not first_process():
        return None
    return WandbTracker(config["tracker"], folder, name, config)


def title(config: Mapping[str, Any]) -> str:
    """The run's name at W&B."""
    return f"{pooling_words(config['pooling'])}-{config['backbone']['name']}-{config['data']['name']}-{config['seed']}"


def tell_again(config: Mapping[str, Any], folder: RunFolder) -> None:
    """Tell a sweep of a run that was finished before it was asked for: its point would have no result at W&B."""
    tracker = build_tracker(config, folder.path, title(config))
    if tracker is None:
        return
    history = folder / "history.jsonl"  # a run that diverged in its first epoch has none
    for line in history.read_text().splitlines() if history.exists() else ():
        tracker.log_epoch(json.loads(line))
    tracker.finish(folder.result or {})


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

    def log_epoch(self, row: Mapping[str, Any]) -> None:
        """Send a row of the history again: of an epoch that an earlier session of this run has made."""
        figures = {name: value for name, value in row.items() if "/" in name and value is not None}
        self.log_metrics({**figures, "epoch": row["epoch"] - 1}, row["step"] - 1)  # as Lightning counts

    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration is there from the start."""

    def finish(self, record: Mapping[str, Any]) -> None:
        """Put the record's flat metrics into the summary and end the W&B run."""

        def end() -> None:
            run = self._logger.experiment
            named = {name: record[name] for name in ("status", "signature")}
            run.summary.update({**record["metrics"], **named})
            well = record["status"] in FINISHED or stopped_by_agent(record)
            try:
                run.finish(exit_code=0 if well else 1)
            except TimeoutError:
                (Path(run.dir).parent / UNSENT).touch()
                raise TimeoutError("its server did not take all in time; `poolab study sync` sends the rest") from None

        self._try("finish", end)
        self._broken = True  # nothing can follow

    def _start(self, config: Mapping[str, Any]) -> None:
        mode = self._settings["mode"]
        if mode == "online" and not has_key(server()):
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
            init_timeout=self._settings["init_timeout"],
            finish_timeout=self._settings["finish_timeout"],
            finish_timeout_raises=True,
            silent=True,
            console="off",
            x_disable_stats=True,
            x_file_stream_transmit_interval=TRANSMIT if in_sweep() else None,
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
            config={"cfg": strict(config)},
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


def _line(fault: Exception) -> str:
    """The cause comes last: "context deadline exceeded while retrying: ... connection refused"."""
    return " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
