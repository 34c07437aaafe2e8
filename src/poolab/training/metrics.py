"""What is counted while training and testing, exact over any number of processes."""

import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
)

from poolab.measure.probabilities import example_scores


class ClassificationMetrics(torch.nn.Module):
    """Loss and top-1 accuracy, cheap enough for each training batch."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.loss = _mean()
        self.accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)
        for metric in (self.loss, self.accuracy):
            metric.persistent(True)  # a run resumed inside an epoch goes on counting

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch; `loss` is its mean."""
        self.loss.update(loss.detach(), weight=len(labels))
        self.accuracy.update(logits.detach(), labels)

    def compute_and_reset(self) -> dict[str, Tensor]:
        """Loss and accuracy over all processes since the last call."""
        values = {"loss": self.loss.compute(), "accuracy": self.accuracy.compute()}
        self.loss.reset()
        self.accuracy.reset()
        return values


class Examples(Metric):
    """What is kept of every test example, gathered from all processes in index order.

    Its index and label, the predicted class and its confidence, the negative log-likelihood and the Brier score.
    """

    full_state_update = False
    columns = ("index", "label", "predicted", "confidence", "nll", "brier")

    def __init__(self) -> None:
        super().__init__()
        for name in self.columns:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, index: Tensor, label: Tensor, logits: Tensor) -> None:
        """Add a batch."""
        for name, values in {"index": index, "label": label, **example_scores(logits, label)}.items():
            getattr(self, name).append(values)

    def compute(self) -> dict[str, Tensor]:
        """The columns, sorted by index."""
        columns = {name: _joined(getattr(self, name)) for name in self.columns}
        order = columns["index"].argsort()
        return {name: column[order].cpu() for name, column in columns.items()}


class TestMetrics(torch.nn.Module):
    """Accuracy (top-1, top-5, per class), confusion matrix and calibration error, with the examples behind them."""

    __test__ = False  # the name is no test class

    def __init__(self, num_classes: int):
        super().__init__()
        self.loss = _mean()
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

    def compute(self) -> dict:
        """All of it over all processes: scalars, the per-class vector, the confusion matrix and the examples."""
        return {"loss": self.loss.compute(), **self.scores.compute(), "examples": self.examples.compute()}


def _mean() -> MeanMetric:
    # A mean with a NaN is NaN: by default NaN is left out, and "disable" leaves out the weights (torchmetrics 1.9).
    return MeanMetric(nan_strategy=float("nan"))


def _joined(values: list[Tensor] | Tensor) -> Tensor:
    return torch.cat(values) if isinstance(values, list) else values
