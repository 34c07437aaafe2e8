"""Make one run in this process, from the resolved configuration to its record."""

import os
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytorch_lightning as pl
import torch

from poolab.errors import DataError, PoolabError
from poolab.measure import OtherLoad, PeakMemory
from poolab.own_code import is_own
from poolab.pooling import use_backend
from poolab.records import Record, RunFolder, environment, result_record
from poolab.run_config import RunConfig
from poolab.text import one_line
from poolab.training.batch_size import found_batch_size
from poolab.training.build import build
from poolab.training.callbacks import CheckpointFile, Checkpoints, DivergenceGuard, History, Streams, TrainingCost
from poolab.training.checkpoints import read_checkpoint
from poolab.training.cluster import lightning_environment
from poolab.training.components import RunComponents
from poolab.training.console import Console
from poolab.training.content import files_of, run_names
from poolab.training.evaluation import keep_samples, measure, test_network, unmeasured
from poolab.training.finetune import before_training
from poolab.training.interruption import Diverged, Interrupted, StopRequest
from poolab.training.machine import device_name
from poolab.training.model_facts import FILE, ModelFacts
from poolab.training.picture_files import draw_pictures
from poolab.training.processes import first_process
from poolab.training.rebuild import autocast_of
from poolab.training.trackers import WandbTracker, build_tracker, title


class FinishedMeanwhile(PoolabError):
    """Another process has finished the run after this one read the record and before it took the lock."""


@dataclass
class Outcome:
    """The result of a run."""

    status: str = "completed"
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def run_training(config: RunConfig, name: str, *, pictures: bool = True) -> Record | None:
    """Train, test, measure and record; the other processes of a distributed run return None.

    A run that is interrupted, diverges or fails leaves a record that says so; what failed is raised again.

    Args:
        config: the run's settings.
        name: its signature.
        pictures: draw the pictures; a run of a study leaves that to `poolab pictures`.
    """
    _quiet()
    parts = build(config)  # a wrong setting shows here, before there is a folder
    _check_content(config, name, parts)
    folder = RunFolder(config.runs_dir, name).make()
    if not first_process():
        _run(config, folder, parts, tracker=None)
        return None
    with folder.claimed():
        if not config.force:
            if folder.finished:  # by another process, since this one looked
                raise FinishedMeanwhile(f"another process has finished this run ({folder.path})")
            if folder.checkpoint is not None:
                read_checkpoint(folder.checkpoint, "force=true starts again, without it", folder.signature)
            return _recorded(config, folder, parts, pictures)
        if not folder.finished:
            folder.clear()
            return _recorded(config, folder, parts, pictures)
        inner = folder.remake.make()  # the old record stays until there is a new one
        inner.clear()
        record = _recorded(config, inner, parts, pictures)
        if inner.finished:
            folder.adopt()
        return record


def _check_content(config: RunConfig, name: str, parts: RunComponents) -> None:
    """Check that the loaded images are those whose content is in the run's signature.

    Raises:
        DataError: something wrote into the folder since its content was hashed.
    """
    own = is_own(config.data.name, "data")
    if parts.data.summary is None and not own:  # neither a folder of images nor a function of the user's
        return
    if name in run_names(config.tree(), f"{parts.data.fingerprint}{files_of(config)}"):
        return
    if own:
        raise DataError(
            f"data={config.data.name} returned other images or labels than a moment ago: it must return the same each "
            "time (draw with a fixed seed), and nothing may write into its files meanwhile"
        )
    raise DataError(
        f"data.root={one_line(config.data.root)} was changed while this run read it; "
        "start it again when nothing writes there"
    )


def _recorded(config: RunConfig, folder: RunFolder, parts: RunComponents, pictures: bool) -> Record:
    started = _now()
    folder.write_json("config.json", config.tree())
    folder.write_json(FILE, ModelFacts.of(parts.data, config.data.background).to_json())
    (folder / "error.txt").unlink(missing_ok=True)  # of an earlier attempt

    written: list[Record] = []

    def save(outcome: Outcome, facts: Mapping[str, Any]) -> Record:
        record = result_record(
            signature=folder.signature,
            status=outcome.status,
            reason=outcome.reason,
            config=config.tree(),
            metrics=outcome.metrics,
            notes=outcome.notes,
            environment=environment(**facts),
            started=started,
            ended=_now(),
        )
        folder.write_record(record)
        written.append(record)
        return record

    failure: BaseException | None = None
    tracker = build_tracker(config, folder.path, title(config))
    try:
        with use_backend(config.trainer.backend):
            outcome, facts = _run(config, folder, parts, tracker, save)
    except (Exception, KeyboardInterrupt, SystemExit) as fault:
        failure = fault
        ended = "failed" if isinstance(fault, Exception) else "interrupted"  # Lightning exits on a second Ctrl-C
        outcome, facts = Outcome(ended, f"{type(fault).__name__}: {fault}"), {}
    try:
        record = save(outcome, facts)
    except OSError as fault:
        if not written or failure is not None:
            raise
        warnings.warn(f"the record has no figures of what was measured after the test ({fault})", stacklevel=2)
        record = written[-1]
    with suppress(OSError):  # the record is there; what stands beside it must not cost the run
        folder.write_json("environment.json", record.environment)
        if failure is not None:
            words = "".join(traceback.format_exception(failure))
            (folder / "error.txt").write_text(words, encoding="utf-8", errors="backslashreplace")
    if pictures and record.completed:
        draw_pictures(folder.path, record)
    if tracker is not None:
        tracker.finish(record)
    if failure is not None:
        raise failure
    return record


def _run(
    config: RunConfig,
    folder: RunFolder,
    parts: RunComponents,
    tracker: WandbTracker | None,
    save: Callable[[Outcome, Mapping[str, Any]], Any] = lambda outcome, facts: None,
) -> tuple[Outcome, dict[str, Any]]:
    console = Console(config, folder, parts.network, bar=config.trainer.progress_bar)
    request = StopRequest()
    cost = TrainingCost(config.data.batch_size)
    history = History(folder / "history.jsonl", console.epoch)
    trainer = _trainer(config, tracker, console, _callbacks(config, folder, request, cost, history))
    checkpoint = None if config.force else folder.checkpoint
    console.start(trainer, checkpoint, parts.match, parts.taken, parts.data.summary)
    if config.trainer.compile:
        parts.module.compile_network()
    outcome = Outcome()
    earlier: dict[str, float] = {}

    def measured(name: str, seconds: float) -> None:
        console.measured(name, seconds)
        request.obey()

    load = OtherLoad()
    device = trainer.strategy.root_device
    facts: dict[str, Any] = {
        "device": device_name(device),
        "processes": trainer.world_size,
        "threads": torch.get_num_threads(),
        "data_fingerprint": parts.data.fingerprint,
        **parts.files,
        **found_batch_size(folder),
    }
    with request.listening():
        try:
            if parts.taken is not None:
                earlier = before_training(trainer, parts, parts.taken)
                console.exchanged(earlier)
            trainer.fit(parts.module, parts.loaders, ckpt_path=checkpoint, weights_only=True)
            test = test_network(folder, trainer, parts)
            outcome.metrics = test.metrics | earlier | _training_metrics(history, cost)
            outcome.notes = unmeasured(config)
            _add_match(outcome, parts)
            if trainer.is_global_zero:
                save(outcome, facts)  # whatever the measures cost, they cost no record
                keep_samples(folder, parts, test)
                precision = autocast_of(trainer.precision)
                processes = trainer.world_size
                left = measure(config, parts, test, precision, measured, device=device, processes=processes)
                facts["load"] = load.cores()  # while it was trained and measured
                outcome.metrics |= left.metrics
                outcome.notes = {**_without(outcome.notes, unmeasured(config)), **left.notes}
        except Diverged as fault:
            outcome.status, outcome.reason = "diverged", str(fault)
        except Interrupted as fault:
            outcome.status, outcome.reason = "interrupted", str(fault)
    outcome.metrics |= earlier | _training_metrics(history, cost)
    _add_match(outcome, parts)
    outcome.notes["cost/peak_memory_bytes"] = f"{PeakMemory(device).source} during training"
    return outcome, facts


def _add_match(outcome: Outcome, parts: RunComponents) -> None:
    if parts.match is not None:
        outcome.metrics |= parts.match.metrics()
        outcome.notes |= parts.match.notes()


def _without(notes: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    return {name: note for name, note in notes.items() if name not in set(keys)}


def _callbacks(
    config: RunConfig, folder: RunFolder, request: StopRequest, cost: TrainingCost, history: History
) -> list[pl.Callback]:
    own_generators = not config.trainer.compile
    checkpoints = Checkpoints(folder / "last.ckpt", config.trainer.checkpoint_epochs, request, folder.signature)
    # In this order: a loss that is no number must not be written into a checkpoint, and a row of the history must be.
    return [Streams(config.seed, own_generators), cost, DivergenceGuard(), history, checkpoints]


def _trainer(
    config: RunConfig, tracker: WandbTracker | None, console: Console, callbacks: list[pl.Callback]
) -> pl.Trainer:
    settings = config.trainer
    return pl.Trainer(
        accelerator=settings.accelerator,
        strategy=settings.strategy,
        devices=list(settings.devices) if isinstance(settings.devices, tuple) else settings.devices,
        num_nodes=settings.num_nodes,
        precision=settings.precision,
        max_epochs=settings.epochs,
        gradient_clip_val=settings.gradient_clip,
        sync_batchnorm=settings.sync_batchnorm,
        callbacks=[*callbacks, *console.callbacks()],
        logger=tracker or False,
        enable_progress_bar=console.bar,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if config.data.val_fraction else 0,
        plugins=[*(lightning_environment(os.environ) or ()), CheckpointFile()],
        use_distributed_sampler=False,  # the loaders know their process; Lightning's sampler would pad the test set
        log_every_n_steps=1,  # nothing is logged at a step, only once an epoch
    )


def _training_metrics(history: History, cost: TrainingCost) -> dict[str, float]:
    figures = {name: value for name, value in (history.rows[-1] if history.rows else {}).items() if "/" in name}
    figures["speed/train_images_per_s"] = cost.images_per_s
    return {**figures, "cost/peak_memory_bytes": cost.peak_bytes, "epochs": len(history.rows)}


def _quiet() -> None:
    """Silence Lightning's tips and notices, which hide the messages that a user looks for."""
    import logging

    for name in ("pytorch_lightning", "lightning_fabric", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # The loaders index a tensor in memory: worker processes would only copy it.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*GPU available but not used.*")
    # Where SLURM is installed Lightning misses it in every run outside of it; `cluster` says what is truly wrong.
    warnings.filterwarnings("ignore", message=".*`srun` command is available on your system but is not used.*")
    # The figures are torchmetrics', which are those of all processes already.
    warnings.filterwarnings("ignore", message=".*recommended to use `self.log.*sync_dist=True.*")
    # torch 2.15 warns of Lightning 2.6's own call.
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
