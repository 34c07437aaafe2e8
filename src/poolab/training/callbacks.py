"""Training callbacks: random streams, checkpoints, history, speed, and the two ways to end early."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from poolab.measure import PeakMemory
from poolab.pooling import WindowPool2d
from poolab.records import finite, replace_synced, write_atomically
from poolab.streams import derive_seed
from poolab.training.checkpoints import SIGNATURE
from poolab.training.interruption import Diverged, Interrupted, StopRequest
from poolab.training.trackers import WandbTracker

# With several processes, they have to agree before they stop; asking at each step would cost a collective call.
AGREE_EVERY = 10


class Streams(Callback):
    """Gives every random pooling its own stream, newly seeded at each step.

    Seeds are functions of (seed, slot, process, step): an arm that draws changes no other arm's numbers, and a resumed
    run draws what the uninterrupted one would have drawn. What else draws from torch's global generator (dropout) has a
    stream of its own. Under torch.compile, which does not trace generator objects, poolings use the global one.
    """

    def __init__(self, seed: int, own_generators: bool):
        self.seed = seed
        self.own_generators = own_generators
        self.generators: dict[str, torch.Generator] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the random poolings and give each a generator on its device."""
        named = pl_module.named_modules()
        pools = {name: module for name, module in named if isinstance(module, WindowPool2d) and module.random}
        if self.own_generators:
            for name, pool in pools.items():
                self.generators[name] = torch.Generator(pl_module.device)
                pool.generator = self.generators[name]

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        """Seed the generators for this step."""
        place = (trainer.global_rank, trainer.global_step)
        seed_all(derive_seed(self.seed, "step", *place), pl_module.device)
        if self.own_generators:
            for name, generator in self.generators.items():
                generator.manual_seed(derive_seed(self.seed, "pooling", name, *place))


def seed_all(seed: int, device: torch.device) -> None:
    """Seed torch's global generators of the CPU and of one device, as `torch.manual_seed` does for all devices.

    Where a kind of device is not in use yet, `torch.manual_seed` notes the stack of its call for each, in case it will
    be: 2.4 ms, an eighth of a small network's step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


class Checkpoints(Checkpoint):
    """Writes last.ckpt at the end of an epoch, or when the run is asked to stop, which then ends it."""

    def __init__(self, path: Path, every: int, request: StopRequest, signature: str = ""):
        self.signature = signature
        self.path = path
        self.every = every
        self.request = request

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install our signal handlers in place of Lightning's, whose SIGTERM handler calls collectives."""
        self.request.install()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop between two steps; after an epoch's last batch its validation is done first."""
        last = batch_idx + 1 == trainer.num_training_batches
        if not last and agreed(trainer, bool(self.request), batch_idx):
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint of the epoch."""
        done = trainer.current_epoch + 1
        stop = agreed(trainer, bool(self.request) and done < (trainer.max_epochs or 0))
        if stop:
            self._stop(trainer)
        if done % self.every == 0 or done == trainer.max_epochs:
            self._save(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the run's signature: a checkpoint copied into another run's folder must not be resumed there."""
        checkpoint[SIGNATURE] = self.signature

    def _save(self, trainer: pl.Trainer) -> None:
        """Write a new checkpoint beside the last one, then replace the last one.

        On a disk that is full in the middle of it the last checkpoint stays whole, and the run can go on from it when
        there is room again.
        """
        beside = self.path.with_suffix(".new")
        try:
            trainer.save_checkpoint(beside)
            if trainer.is_global_zero:
                replace_synced(beside, self.path)
        except BaseException:
            if trainer.is_global_zero:
                beside.unlink(missing_ok=True)
            raise

    def _stop(self, trainer: pl.Trainer) -> None:
        self._save(trainer)
        raise Interrupted(f"stopped by {self.request.reason or 'a signal to another process'}")


class CheckpointFile(TorchCheckpointIO):
    """Writes a checkpoint straight to its path: Lightning would write to $TMPDIR first, which may be full or gone."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write the checkpoint."""
        with open(path, "wb") as file:
            torch.save(checkpoint, file)


class DivergenceGuard(Callback):
    """Ends the run where the training loss is NaN or infinite."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the loss; on an accelerator only now and then, since that waits for the device."""
        last = batch_idx + 1 == trainer.num_training_batches
        if pl_module.device.type != "cpu" and batch_idx % AGREE_EVERY and not last:
            return
        loss = float(cast(torch.Tensor, pl_module.last_loss))
        if agreed(trainer, not math.isfinite(loss), None if last else batch_idx):
            where = f"epoch {trainer.current_epoch + 1}, step {trainer.global_step}"
            raise Diverged(f"the training loss became {loss} in {where}")


class History(Checkpoint):
    """Writes one row for each epoch to history.jsonl; the checkpoint has the rows too, so that resumed runs have all.

    A `Checkpoint` for Lightning, which calls those after the module has logged the epoch's figures, others before.
    """

    def __init__(self, path: Path, report: Callable[[dict[str, Any]], None]):
        self.path = path
        self.report = report
        self.rows: list[dict[str, Any]] = []
        self.started: float | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell the tracker about earlier epochs: each session has a W&B run of its own, which should be complete."""
        if isinstance(trainer.logger, WandbTracker):
            for row in self.rows:
                trainer.logger.log_epoch(row)
            trainer.logger.follow_rate(lambda: float(trainer.optimizers[0].param_groups[0]["lr"]))

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        """Start the clock at the first step. A run resumed inside an epoch does not know when the epoch began."""
        if self.started is None:
            self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row."""
        figures = {name: float(value) for name, value in trainer.callback_metrics.items() if "/" in name}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        seconds = round(time.perf_counter() - (self.started or time.perf_counter()), 3)
        self.started = None
        row = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, **figures}
        row |= {"learning_rate": rate, "seconds": seconds}
        self.rows.append(row)
        if trainer.is_global_zero:
            lines = (json.dumps({name: finite(value) for name, value in row.items()}) + "\n" for row in self.rows)
            write_atomically(self.path, "".join(lines))
            self.report(row)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue after the rows of the checkpoint."""
        self.rows = list(state_dict["rows"])


class TrainingCost(Callback):
    """Measures images per second and peak memory of training steps, without validation and without the first steps."""

    WARMUP = 3  # steps of a session left out: allocation, autotuning, compilation

    def __init__(self, global_batch: int):
        self.global_batch = global_batch
        self.images = 0
        self.seconds = 0.0
        self.steps = 0
        self.timed = 0  # steps of this epoch since the mark
        self.mark: float | None = None
        self.memory: PeakMemory | None = None
        self.earlier_peak = 0

    @property
    def images_per_s(self) -> float:
        """Images of all processes per second of training."""
        return self.images / self.seconds if self.seconds else float("nan")

    @property
    def peak_bytes(self) -> int:
        """The peak memory in bytes while training, over all sessions of the run."""
        return max(self.earlier_peak, self.memory.bytes if self.memory else 0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start to measure the memory."""
        self.memory = PeakMemory(pl_module.device)
        self.memory.__enter__()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read the peak memory."""
        if self.memory is not None:
            self.memory.__exit__(None, None, None)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Read the peak memory of a run that ends early."""
        self.on_train_end(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock, unless the first steps are still to come."""
        self.mark = self._now(pl_module) if self.steps >= self.WARMUP else None
        self.timed = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the images; stop the clock at the epoch's last batch, before validation."""
        self.steps += 1
        if self.mark is not None:
            self.timed += 1
        elif self.steps == self.WARMUP:
            self.mark = self._now(pl_module)
        if batch_idx + 1 == trainer.num_training_batches and self.timed and self.mark is not None:
            self.seconds += self._now(pl_module) - self.mark
            self.images += self.timed * self.global_batch

    def _now(self, pl_module: pl.LightningModule) -> float:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        return time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """Return the counts of whole epochs: images and time of an interrupted epoch are left out."""
        if self.memory is not None:
            self.memory.__exit__(None, None, None)  # reads the peak so far, and goes on watching
        return {"images": self.images, "seconds": self.seconds, "peak_bytes": self.peak_bytes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the counts of the checkpoint."""
        self.images, self.seconds = state_dict["images"], state_dict["seconds"]
        self.earlier_peak = state_dict["peak_bytes"]


def agreed(trainer: pl.Trainer, wish: bool, batch_idx: int | None = None) -> bool:
    """Return True if any process wishes it; with `batch_idx`, the processes are asked at every tenth step only."""
    if trainer.world_size == 1:
        return wish
    if batch_idx is not None and batch_idx % AGREE_EVERY:
        return False
    return not trainer.strategy.reduce_boolean_decision(not wish, all=True)
