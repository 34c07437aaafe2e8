"""Track a run with W&B beside the record; an error of W&B does not stop the run."""

import json
import os
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from poolab.errors import PoolabError
from poolab.per_slot import pooling_words
from poolab.records import Record, RunFolder, strict
from poolab.run_config import RunConfig, WandbConfig
from poolab.text import printable
from poolab.training.picture_files import draw_pictures
from poolab.training.processes import first_process
from poolab.training.secret_words import without_secrets
from poolab.training.wandb_access import has_key, in_sweep, server, stopped_by_agent
from poolab.training.wandb_client import NoAnswer, bounded, client_process, is_dead, kill, refusal
from poolab.training.wandb_files import PICTURES, log_model, log_pictures, write_onnx
from poolab.training.wandb_settings import UNSENT, WandbSettings, wandb_settings

# Seconds between two transmissions of rows in a sweep, where an early stop goes by them. W&B's own 15 are longer than
# many a run; a file in a run's folder tells `poolab study sync` that its server has not had all of them.
TRANSMIT = 1.0
LATER = "`poolab study sync` sends the rest"
PATIENCE = 10.0  # seconds that W&B's client may take beyond its own time limit


def build_tracker(config: RunConfig, folder: Path, name: str) -> "WandbTracker | None":
    """Return the tracker that the configuration names, in the first process; None if W&B is not used."""
    if not isinstance(config.tracker, WandbConfig) or not first_process():
        return None
    chosen = wandb_settings(config.tracker, folder, name)
    return None if chosen.mode == "disabled" else WandbTracker(config, folder, chosen)


def title(config: RunConfig) -> str:
    """Return the run's name at W&B."""
    return f"{pooling_words(config.pooling)}-{config.backbone.name}-{config.data.name}-{config.seed}"


def tell_again(config: RunConfig, folder: RunFolder) -> None:
    """Report a run that was finished earlier to a sweep, whose point would have no result at W&B otherwise."""
    tracker = build_tracker(config, folder.path, title(config))
    if tracker is None:
        return
    for row in _epochs(folder.path):
        tracker.log_epoch(row)
    record = folder.result
    if record is not None:
        tracker.finish(record)


class WandbTracker(Logger):
    """Lightning's WandbLogger, guarded: after its first error it warns and stops tracking.

    The resolved configuration goes under the root `cfg`: in a sweep W&B locks the swept keys, and a swept group
    `pooling` would silently drop the resolved settings of that name.
    """

    def __init__(self, config: RunConfig, folder: Path, chosen: WandbSettings):
        super().__init__()
        assert isinstance(config.tracker, WandbConfig)
        self._settings = config.tracker
        self._config = config
        self._folder = folder
        self._chosen = chosen
        self._logger: Any = None
        self._process: int | None = None
        self._mode = chosen.mode
        self._broken = False
        self._rate: Callable[[], float] | None = None
        self._try("start", self._start, self._settings.init_timeout + self._settings.finish_timeout)

    @property
    def name(self) -> str:
        """The run's name at W&B."""
        return self._chosen.name

    @property
    def version(self) -> str:
        """The run's folder."""
        return self._folder.name

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send metrics of a step; with those of an epoch of training goes its learning rate."""
        known = dict(metrics)
        if self._rate is not None and any(name.startswith("train/") for name in known):
            known["learning_rate"] = self._rate()
        self._try("log", lambda: self._logger.log_metrics(known, step))

    def follow_rate(self, rate: Callable[[], float]) -> None:
        """Send the learning rate too, which a function gives, unless `tracker.learning_rate=false`."""
        self._rate = rate if self._settings.learning_rate else None

    def log_epoch(self, row: Mapping[str, Any]) -> None:
        """Send a row of the history again, of an epoch that an earlier session of this run has made."""
        figures, step = self._figures(row)
        self._try("log", lambda: self._logger.log_metrics(figures, step))

    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration was sent at the start."""

    def finish(self, record: Record) -> None:
        """Put the record's flat metrics into the summary and end the W&B run; the rest can be sent later.

        Where W&B's process was lost, the run is written down again from its record.
        """
        if record.completed and not self._broken:  # both before the time limit of W&B's own calls begins
            if self._settings.pictures:
                draw_pictures(self._folder, record, names=PICTURES)
            if self._settings.log_model and self._settings.export_model:
                self._export()
        self._try("finish", lambda: self._end(record), self._settings.finish_timeout + PATIENCE)
        self._broken = True  # nothing can follow
        if is_dead(self._process):
            self._write_again(record)

    def _export(self) -> None:
        """Write model.onnx into the run's folder."""
        try:
            write_onnx(self._folder)
        except (OSError, PoolabError) as fault:
            warnings.warn(f"W&B is without model.onnx ({_line(fault)}); the rest is there", stacklevel=3)

    def _end(self, record: Record) -> None:
        run = self._logger.experiment
        run.summary.update({**record.metrics, "status": record.status, "signature": record.signature})
        self._send_files(run, record)
        well = record.finished or stopped_by_agent(record)
        session = Path(run.dir).parent
        try:
            run.finish(exit_code=0 if well else 1)
        except TimeoutError:
            (session / UNSENT).touch()
            raise TimeoutError(f"its server did not take all in time; {LATER}") from None
        refused = refusal(session) if self._mode == "online" else None
        if refused is not None:
            (session / UNSENT).touch()
            raise ConnectionError(f"its server refused a part: {refused}; {LATER}")

    def _write_again(self, record: Record) -> None:
        """Write a run whose W&B process has ended to an offline session, from its record and its epochs."""
        known = getattr(self._logger, "_id", None) or getattr(self._logger, "version", None)
        own = known if isinstance(known, str) and self._mode == "online" else None  # else its server does not know it

        def write() -> None:
            import wandb

            with suppress(Exception, SystemExit):  # it has nobody to tell any more
                wandb.teardown()
            wandb.run = None
            self._logger = self._open("offline", own)
            for row in _epochs(self._folder):
                self._logger.log_metrics(*self._figures(row))
            self._end(record)

        warnings.warn("W&B's process was lost in the middle of the run", stacklevel=3)
        self._broken = False
        self._try("write the run down again", write, self._settings.finish_timeout + PATIENCE)
        if not self._broken:
            warnings.warn(f"the run was written down again for W&B; {LATER}", stacklevel=3)
        self._broken = True

    def _send_files(self, run: Any, record: Record) -> None:
        """Send pictures and model; what W&B does not take of them costs neither the figures nor the run's end."""
        rows = _epochs(self._folder)
        last = self._figures(rows[-1]) if rows else ({}, 0)
        place = {"trainer/global_step": last[1], **{key: last[0][key] for key in ("epoch",) if key in last[0]}}
        for wanted, what, send in (
            (self._settings.pictures, "pictures", lambda: log_pictures(run, self._folder, place)),
            (self._settings.log_model and record.finished, "model", lambda: log_model(run, self._folder, record)),
        ):
            if not wanted:
                continue
            try:
                send()
            except Exception as fault:
                warnings.warn(f"W&B is without the run's {what} ({_line(fault)}); the rest is there", stacklevel=2)

    def _figures(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """Return the metrics of an epoch and its step, as Lightning counts them."""
        figures = {name: value for name, value in row.items() if "/" in name and value is not None}
        if self._settings.learning_rate and "learning_rate" in row:
            figures["learning_rate"] = row["learning_rate"]
        return {**figures, "epoch": row["epoch"] - 1}, row["step"] - 1

    def _start(self) -> None:
        mode = self._chosen.mode
        if mode == "online" and not has_key(server()):
            warnings.warn("W&B has no key (wandb login, or WANDB_API_KEY): this run is tracked offline", stacklevel=2)
            mode = "offline"
        try:
            self._logger = self._open(mode)
        except Exception as fault:
            if mode == "offline":
                raise
            warnings.warn(f"W&B cannot be reached ({_line(fault)}): this run is tracked offline", stacklevel=2)
            self._logger = self._open("offline")

    def _open(self, mode: str, session: str | None = None) -> Any:
        import wandb
        from pytorch_lightning.loggers import WandbLogger

        os.environ.setdefault("WANDB_SILENT", "true")
        wandb.setup()  # from here on it is silent: Lightning passes a deprecated setting, of which W&B warns
        self._process, self._mode = client_process(), mode
        if wandb.run is not None:  # a run of the same process that was not ended would be written into
            wandb.finish()
        chosen = self._chosen
        settings = wandb.Settings(
            init_timeout=self._settings.init_timeout,
            finish_timeout=self._settings.finish_timeout,
            finish_timeout_raises=True,
            silent=chosen.silent,
            console="off",
            x_disable_stats=True,
            x_file_stream_transmit_interval=TRANSMIT if in_sweep() else None,
            mode="online"
            if mode == "online"
            else "offline",  # not Lightning's `offline`: that sets WANDB_MODE, too late for W&B's set-up
        )
        chosen.folder.mkdir(parents=True, exist_ok=True)
        logger = WandbLogger(
            name=chosen.name,
            save_dir=chosen.folder,
            project=chosen.project,
            entity=chosen.entity,
            group=chosen.group,
            tags=list(chosen.tags),
            notes=chosen.notes,
            job_type=chosen.job_type,
            id=session,
            config={"cfg": strict(self._config.tree())},
            settings=settings,
        )
        _ = logger.experiment  # opened now, so that a fault shows here
        return logger

    def _try(self, verb: str, action: Callable[[], None], seconds: float | None = None) -> None:
        if self._broken:
            return
        try:
            bounded(action, seconds or self._settings.finish_timeout)
        except Exception as fault:
            self._broken = True
            if isinstance(fault, NoAnswer):
                kill(self._process)
            warnings.warn(
                f"W&B failed to {verb} ({_line(fault)}); the run continues, its record is complete without it",
                stacklevel=3,
            )


def _epochs(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's history; a run may have none, and an incomplete row is left out."""
    try:
        lines = (folder / "history.jsonl").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    rows = []
    for line in lines:
        with suppress(ValueError):
            rows.append(json.loads(line))
    return [row for row in rows if isinstance(row, dict)]


def _line(fault: Exception) -> str:
    """Return an error in one line; its cause comes last: "retrying: ... connection refused"."""
    return printable(without_secrets(" ".join(f"{type(fault).__name__}: {fault}".split())))[:300]
