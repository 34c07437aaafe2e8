"""The Lightning modules: network, loss, optimiser and metrics. What tasks share, and classification.

Segmentation is in `segmentation`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import cast

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from poolab.data import ImageData
from poolab.measure import in_parts
from poolab.run_config import OptimConfig
from poolab.training.metrics import ClassificationMetrics, EpochMetrics, FinalMetrics, TestMetrics
from poolab.training.optimizers import build_optimizer, build_schedule
from poolab.training.samples import Samples, classified

Batch = dict[str, Tensor]


class TaskModule(pl.LightningModule, ABC):
    """Trains, validates and tests a backbone; a subclass for each task adds the loss, the metrics and the samples.

    Args:
        network: images (N, C, H, W) to logits (N, classes, ...).
        optim: the optimiser's settings.
        num_classes: the number of classes.
        steps: the optimiser steps of the whole training, for the schedule. Lightning's estimated_stepping_batches would
            set up the loaders before a checkpoint is restored, and the loaders would never learn where to go on.
    """

    train_metrics: EpochMetrics
    val_metrics: EpochMetrics
    test_metrics: FinalMetrics

    def __init__(self, network: nn.Module, optim: OptimConfig, num_classes: int, steps: int):
        super().__init__()
        self.steps = steps
        self.network = network
        # In a tuple, which nn.Module does not look into: the compiled twin has the same weights.
        self._called: tuple[nn.Module] = (network,)
        self.optim = optim
        self.build_metrics(num_classes)
        self.last_loss = torch.zeros(())

    @abstractmethod
    def build_metrics(self, num_classes: int) -> None:
        """Make `train_metrics`, `val_metrics` and `test_metrics`."""

    @abstractmethod
    def loss(self, logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean loss of a batch."""

    @abstractmethod
    def samples(self, data: ImageData, examples: Mapping[str, Tensor]) -> Samples:
        """Return test images with the network's predictions; `examples` are those of `test_metrics`."""

    def compile_network(self) -> None:
        """Compute with torch.compile from now on; the names of the weights do not change."""
        self._called = (cast(nn.Module, torch.compile(self.network)),)

    @property
    def called(self) -> nn.Module:
        """The module that computes the logits: the network, or its compiled form."""
        return self._called[0]

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch."""
        return self.called(image)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the smoothed loss of a batch."""
        logits = self(batch["image"])
        loss = self.loss(logits, batch["label"], self.optim.label_smoothing)
        self.train_metrics.update(loss, logits, batch["label"])
        self.last_loss = loss.detach()
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a validation batch to the metrics."""
        if len(batch["label"]):  # a process's share of the last batch may be empty
            logits = in_parts(self.called, batch["image"])
            self.val_metrics.update(self.loss(logits, batch["label"]), logits, batch["label"])

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self._log_all("val", self.val_metrics.compute_and_reset())

    def on_train_epoch_end(self) -> None:
        """Log the training metrics."""
        self._log_all("train", self.train_metrics.compute_and_reset())

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a test batch to the metrics."""
        if len(batch["label"]):
            logits = in_parts(self.called, batch["image"])
            self.test_metrics.update(self.loss(logits, batch["label"]), logits, batch["label"], batch["index"])

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the optimiser and its schedule, which advances at every batch."""
        optimizer = build_optimizer(self.parameters(), self.optim)
        schedule = build_schedule(optimizer, self.optim, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _log_all(self, stage: str, values: dict[str, Tensor]) -> None:
        # The values are already those of all processes.
        self.log_dict({f"{stage}/{name}": value for name, value in values.items()}, rank_zero_only=True)


class Classifier(TaskModule):
    """Classification: cross entropy with label smoothing; logits (N, classes) and labels (N,)."""

    def build_metrics(self, num_classes: int) -> None:
        """Make loss and accuracy, and further metrics for the test."""
        self.train_metrics = ClassificationMetrics(num_classes)
        self.val_metrics = ClassificationMetrics(num_classes)
        self.test_metrics = TestMetrics(num_classes)

    def loss(self, logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Return the cross entropy, averaged over the images."""
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)

    def samples(self, data: ImageData, examples: Mapping[str, Tensor]) -> Samples:
        """Return test images with true and predicted class."""
        return classified(data, examples)
