"""One run in this process: from the resolved configuration to its record."""

import os
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytorch_lightning as pl
import torch

from poolab.measure import PeakMemory
from poolab.pooling import use_backend
from poolab.records import RunFolder, environment, result_record
from poolab.training.callbacks import Checkpoints, DivergenceGuard, History, Streams, TrainingCost
from poolab.training.cluster import lightning_environment
from poolab.training.console import Console
from poolab.training.evaluation import test_and_measure
from poolab.training.finetune import before_training
from poolab.training.interruption import Diverged, Interrupted, StopRequest
from poolab.training.parts import Parts, build
from poolab.training.processes import first_process
from poolab.training.trackers import WandbTracker, build_tracker, title

AUTOCAST = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


@dataclass
class Outcome:
    """What became of a run."""

    status: str = "completed"
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def run(config: Mapping[str, Any], signature: str) -> dict[str, Any]:
    """Train, test, measure and record; the other processes of a distributed run return an empty record.

    A run that is interrupted, diverges or fails leaves a record that says so; what failed is raised again.
    """
    _quiet()
    parts = build(config)  # a wrong setting shows here, before there is a folder
    folder = RunFolder(config["runs_dir"], signature).make()
    if not first_process():
        _run(config, folder, parts, tracker=None)
        return {}
    with folder.claimed():
        if config["force"]:
            folder.clear()
        return _recorded(config, folder, parts)


def _recorded(config: Mapping[str, Any], folder: RunFolder, parts: Parts) -> dict[str, Any]:
    started = _now()
    folder.write_json("config.json", config)
    (folder / "error.txt").unlink(missing_ok=True)  # of an earlier attempt
    outcome = Outcome("failed")
    failure: BaseException | None = None
    facts: dict[str, Any] = {}
    tracker = build_tracker(config, folder.path, title(config))
    try:
        with use_backend(config["trainer"]["backend"]):
            outcome, facts = _run(config, folder, parts, tracker)
    except (Exception, KeyboardInterrupt, SystemExit) as fault:
        failure = fault
        ended = "failed" if isinstance(fault, Exception) else "interrupted"  # Lightning exits on a second Ctrl-C
        outcome = Outcome(ended, f"{type(fault).__name__}: {fault}")
        (folder / "error.txt").write_text(traceback.format_exc())
    record = result_record(
        signature=folder.signature,
        status=outcome.status,
        reason=outcome.reason,
        config=config,
        metrics=outcome.metrics,
        notes=outcome.notes,
        environment=environment(**facts),
        started=started,
        ended=_now(),
    )
    folder.write_json("environment.json", record["environment"])
    folder.write_json("result.json", record)
    if tracker is not None:
        tracker.finish(record)
    if failure is not None:
        raise failure
    return record


def _run(
    config: Mapping[str, Any], folder: RunFolder, parts: Parts, tracker: WandbTracker | None
) -> tuple[Outcome, dict[str, Any]]:
    console = Console(config, folder, parts.network, bar=config["trainer"]["progress_bar"])
    request = StopRequest()
    cost = TrainingCost(config["data"]["batch_size"])
    history = History(folder / "history.jsonl", console.epoch)
    trainer = _trainer(config, tracker, console, _callbacks(config, folder, request, cost, history))
    checkpoint = None if config["force"] else folder.checkpoint
    console.start(trainer, checkpoint, parts.match, parts.taken, parts.data.summary)
    if config["trainer"]["compile"]:
        parts.module.compile_network()
    outcome = Outcome()
    earlier: dict[str, float] = {}

    def measured(name: str, seconds: float) -> None:
        console.measured(name, seconds)
        request.obey()

    with request.listening():
        try:
            if parts.taken is not None:
                earlier = before_training(trainer, parts, parts.taken)
                console.exchanged(earlier)
            trainer.fit(parts.module, parts.loaders, ckpt_path=checkpoint, weights_only=True)
            autocast = AUTOCAST.get(trainer.precision)
            outcome.metrics, outcome.notes = test_and_measure(
                config, folder, trainer, parts, history.rows, autocast, measured
            )
        except Diverged as fault:
            outcome.status, outcome.reason = "diverged", str(fault)
        except Interrupted as fault:
            outcome.status, outcome.reason = "interrupted", str(fault)
    outcome.metrics |= earlier | _training_metrics(history, cost)
    if parts.match is not None:
        outcome.metrics |= parts.match.metrics()
        outcome.notes |= parts.match.notes()
    device = trainer.strategy.root_device
    outcome.notes["cost/peak_memory_bytes"] = f"{PeakMemory(device).source} during training"
    facts = {
        "device": _device_name(device),
        "processes": trainer.world_size,
        "threads": torch.get_num_threads(),
        "data_fingerprint": parts.data.fingerprint,
    }
    return outcome, facts


def _callbacks(
    config: Mapping[str, Any], folder: RunFolder, request: StopRequest, cost: TrainingCost, history: History
) -> list[pl.Callback]:
    own_generators = not config["trainer"]["compile"]
    checkpoints = Checkpoints(folder / "last.ckpt", config["trainer"]["checkpoint_epochs"], request)
    # In this order: a loss that is no number must not be written into a checkpoint, and a row of the history must be.
    return [Streams(config["seed"], own_generators), cost, DivergenceGuard(), history, checkpoints]


def _trainer(
    config: Mapping[str, Any], tracker: WandbTracker | None, console: Console, callbacks: list[pl.Callback]
) -> pl.Trainer:
    settings = config["trainer"]
    return pl.Trainer(
        accelerator=settings["accelerator"],
        strategy=settings["strategy"],
        devices=settings["devices"],
        num_nodes=settings["num_nodes"],
        precision=settings["precision"],
        max_epochs=settings["epochs"],
        gradient_clip_val=settings["gradient_clip"],
        sync_batchnorm=settings["sync_batchnorm"],
        callbacks=[*callbacks, *console.callbacks()],
        logger=tracker or False,
        enable_progress_bar=console.bar,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        plugins=lightning_environment(os.environ),
        use_distributed_sampler=False,  # the loaders know their process; Lightning's sampler would pad the test set
        log_every_n_steps=1,  # nothing is logged at a step, only once an epoch
    )


def _training_metrics(history: History, cost: TrainingCost) -> dict[str, float]:
    figures = {name: value for name, value in (history.rows[-1] if history.rows else {}).items() if "/" in name}
    figures["speed/train_images_per_s"] = cost.images_per_s
    return {**figures, "cost/peak_memory_bytes": cost.peak_bytes, "epochs": len(history.rows)}


def _device_name(device: torch.device) -> str:
    return f"cuda: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def _quiet() -> None:
    """Lightning's tips and notices hide what a user looks for."""
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
