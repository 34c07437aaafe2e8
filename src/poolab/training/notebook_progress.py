"""The progress of a training in a notebook."""

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from poolab.notebook import Bar

EVERY = 0.3  # seconds between two updates: each is a message to the browser


class NotebookProgress(Callback):
    """Shows the epochs and steps that are done, and the last epoch's figures, in a bar."""

    def __init__(self, bar: Bar, title: str) -> None:
        self.bar = bar
        self.title = title
        self.shown = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the step, now and then."""
        if time.monotonic() - self.shown >= EVERY:
            self._show(trainer, trainer.current_epoch + (batch_idx + 1) / max(trainer.num_training_batches, 1))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the epoch."""
        self._show(trainer, trainer.current_epoch + 1)

    def _show(self, trainer: pl.Trainer, epochs: float) -> None:
        self.shown = time.monotonic()
        total = trainer.max_epochs or 0
        self.bar.update(epochs, total, f"{self.title}, epoch {min(int(epochs) + 1, total)} of {total}")
