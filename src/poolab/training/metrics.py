"""Metrics of training and testing, exact over any number of processes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
)

from poolab.measure import example_scores


class EpochMetrics(torch.nn.Module, ABC):
    """Loss and scores of an epoch, cheap enough for each training batch; subclasses choose the scores."""

    def __init__(self, **scores: Metric):
        super().__init__()
        self.loss = mean_metric()
        for name, metric in scores.items():
            self.add_module(name, metric)
        for metric in self._metrics().values():
            metric.persistent(True)  # a run resumed inside an epoch goes on counting

    @abstractmethod
    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch; `loss` is its mean."""

    def compute_and_reset(self) -> dict[str, Tensor]:
        """Return loss and scores over all processes since the last call, and reset them."""
        metrics = self._metrics()
        values = {name: metric.compute() for name, metric in metrics.items()}
        for metric in metrics.values():
            metric.reset()
        return values

    def _metrics(self) -> dict[str, Metric]:
        return {name: child for name, child in self.named_children() if isinstance(child, Metric)}


@dataclass(frozen=True)
class FinalFigures:
    """The results of a test over all processes.

    Attributes:
        values: scalars, and vectors with one value for each class, by name.
        confusion: the confusion matrix.
        examples: a column for each value that is kept of every test example.
    """

    values: Mapping[str, Tensor]
    confusion: Tensor
    examples: Mapping[str, Tensor]


class FinalMetrics(torch.nn.Module, ABC):
    """The metrics of the test and of each test example; subclasses choose the metrics."""

    @abstractmethod
    def update(self, loss: Tensor, logits: Tensor, labels: Tensor, index: Tensor) -> None:
        """Add a batch; `loss` is its mean, `index` has the indices of these test examples."""

    @abstractmethod
    def compute(self) -> FinalFigures:
        """Return all metrics over all processes."""

    @staticmethod
    @abstractmethod
    def scalars(values: Mapping[str, Tensor], classes: tuple[str, ...]) -> dict[str, float]:
        """Return the flat metrics of a record from the values of `compute`."""


class ClassificationMetrics(EpochMetrics):
    """Loss and top-1 accuracy."""

    def __init__(self, num_classes: int):
        super().__init__(accuracy=MulticlassAccuracy(num_classes, average="micro", validate_args=False))
        self.accuracy: MulticlassAccuracy

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch; `loss` is its mean."""
        self.loss.update(loss.detach(), weight=len(labels))
        self.accuracy.update(logits.detach(), labels)


class Columns(Metric):
    """Values of every test example, gathered from all processes and sorted by the column `index`."""

    full_state_update = False

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        for name in names:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, **columns: Tensor) -> None:
        """Add a batch: one tensor (N,) for each column."""
        for name in self.names:
            getattr(self, name).append(columns[name])

    def compute(self) -> dict[str, Tensor]:
        """Return the columns, sorted by index."""
        columns = {name: _joined(getattr(self, name)) for name in self.names}
        order = columns["index"].argsort()
        return {name: column[order].cpu() for name, column in columns.items()}


class Examples(Columns):
    """The values kept of every test example: its index, its label, and those of `example_scores`.

    That is the predicted class and its confidence, the negative log-likelihood and the Brier score.
    """

    def __init__(self) -> None:
        super().__init__("index", "label", "predicted", "confidence", "nll", "brier")

    def update(self, index: Tensor, label: Tensor, logits: Tensor) -> None:  # type: ignore[override]
        """Add a batch."""
        super().update(index=index, label=label, **example_scores(logits, label))


class TestMetrics(FinalMetrics):
    """Accuracy (top-1, top-5, per class), confusion matrix and calibration error, with the examples behind them."""

    __test__ = False  # the name is no test class

    def __init__(self, num_classes: int):
        super().__init__()
        self.loss = mean_metric()
        # validate_args=False: the checks copy the labels to the host in each update
        self.scores = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(num_classes, average="micro", validate_args=False),
                "accuracy_top5": MulticlassAccuracy(
                    num_classes, average="micro", top_k=min(5, num_classes), validate_args=False
                ),
                "per_class": MulticlassAccuracy(num_classes, average="none", validate_args=False),
                "confusion": MulticlassConfusionMatrix(num_classes, validate_args=False),
                "calibration_error": MulticlassCalibrationError(num_classes, n_bins=15, validate_args=False),
            },
            compute_groups=False,  # the members keep different statistics
        )
        self.examples = Examples()

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor, index: Tensor) -> None:
        """Add a batch; `loss` is its mean."""
        probabilities = logits.float().softmax(dim=1)
        self.loss.update(loss, weight=len(labels))
        self.scores.update(probabilities, labels)
        self.examples.update(index, labels, logits)

    def compute(self) -> FinalFigures:
        """Return all metrics over all processes: scalars, per-class vector, confusion matrix and examples."""
        values = {"loss": self.loss.compute(), **self.scores.compute()}
        return FinalFigures(values, values.pop("confusion"), self.examples.compute())

    @staticmethod
    def scalars(values: Mapping[str, Tensor], classes: tuple[str, ...]) -> dict[str, float]:
        """Return the flat metrics of a record from the values of `compute`."""
        names = ("loss", "accuracy", "accuracy_top5", "calibration_error")
        metrics = {f"test/{name}": float(values[name]) for name in names}
        per_class = zip(classes, values["per_class"].tolist(), strict=True)
        return metrics | {f"test/class_accuracy/{name}": value for name, value in per_class}


def mean_metric() -> MeanMetric:
    """Return a metric for the weighted mean; a NaN in a batch makes the mean NaN."""
    # A mean with a NaN is NaN: by default NaN is left out, and "disable" leaves out the weights (torchmetrics 1.9).
    return MeanMetric(nan_strategy=float("nan"))


def _joined(values: list[Tensor] | Tensor) -> Tensor:
    return torch.cat(values) if isinstance(values, list) else values
