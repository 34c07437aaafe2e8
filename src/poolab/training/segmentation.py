"""Segmentation, a class for each pixel: its module and its metrics."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassJaccardIndex,
)

from poolab.data import IGNORED, ImageData
from poolab.training.metrics import Columns, EpochMetrics, FinalFigures, FinalMetrics, mean_metric
from poolab.training.module import TaskModule
from poolab.training.samples import Samples, segmented


class Segmenter(TaskModule):
    """Segmentation: cross entropy of pixels with label smoothing; logits (N, classes, H, W) and masks (N, H, W).

    Pixels that the mask ignores (255) take part in nothing. With several processes each one's mean counts alike in the
    gradient, however many pixels it ignores.
    """

    def build_metrics(self, num_classes: int) -> None:
        """Make loss, mean IoU, Dice and pixel accuracy; for the test, for each class and each image too."""
        self.train_metrics = SegmentationMetrics(num_classes)
        self.val_metrics = SegmentationMetrics(num_classes)
        self.test_metrics = SegmentationTestMetrics(num_classes)

    def loss(self, logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Return the cross entropy, averaged over the pixels that count; 0 if there are none."""
        wide = logits if logits.dtype == torch.float64 else logits.float()  # a sum over pixels leaves half precision
        sums = F.cross_entropy(wide, labels, ignore_index=IGNORED, label_smoothing=label_smoothing, reduction="sum")
        return sums / counted(labels).clamp(min=1)

    def samples(self, data: ImageData, examples: Mapping[str, Tensor]) -> Samples:
        """Return test images with true and predicted mask."""
        return segmented(data, self.network, examples)


class SegmentationMetrics(EpochMetrics):
    """Loss, mean IoU, Dice and accuracy over the pixels of an epoch, exact over batches and processes.

    What is summed over batches and processes are counts of pixels: true and predicted class for the IoU (intersection
    over union, also Jaccard index), true and false positives for Dice (of pixels the same as F1). So the figures are
    those of all pixels together, not means over images. The means are over the classes that occur, in a mask or in a
    prediction; one that occurs in neither has no figure and is left out.
    """

    def __init__(self, num_classes: int):
        super().__init__(**_overlap(num_classes))

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch; `loss` is the mean over its pixels that count."""
        self.loss.update(loss.detach(), weight=counted(labels))
        predicted = logits.detach().argmax(dim=1)
        for name, metric in self._metrics().items():
            if name != "loss":
                metric.update(predicted, labels)


class SegmentationTestMetrics(FinalMetrics):
    """The same metrics, with IoU and Dice of each class, the pixels' confusion matrix, and values of each image."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.loss = mean_metric()
        self.scores = MetricCollection(
            {
                **_overlap(num_classes),
                "class_iou": MulticlassJaccardIndex(num_classes, average="none", **_SETTINGS),
                "class_dice": MulticlassF1Score(num_classes, average="none", **_SETTINGS),
                "confusion": MulticlassConfusionMatrix(num_classes, **_SETTINGS),
            },
            # the same counts behind several figures
            compute_groups=[["confusion", "mean_iou", "class_iou"], ["dice", "class_dice"], ["accuracy"]],
        )
        self.examples = Columns("index", "iou", "accuracy")
        self.num_classes = num_classes

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor, index: Tensor) -> None:
        """Add a batch; `loss` is the mean over its pixels that count."""
        self.loss.update(loss, weight=counted(labels))
        predicted = logits.argmax(dim=1)
        self.scores.update(predicted, labels)
        iou, accuracy = image_figures(predicted, labels, self.num_classes)
        self.examples.update(index=index, iou=iou, accuracy=accuracy)

    def compute(self) -> FinalFigures:
        """Return all metrics over all processes: scalars, per-class vectors, the confusion matrix and the examples.

        A class that occurs neither in a mask nor in a prediction is NaN.
        """
        values = {"loss": self.loss.compute(), **self.scores.compute()}
        confusion = values.pop("confusion")
        occurs = confusion.sum(0) + confusion.sum(1) > 0
        for name in ("class_iou", "class_dice"):
            values[name] = values[name].where(occurs, torch.nan)
        return FinalFigures(values, confusion, self.examples.compute())

    @staticmethod
    def scalars(values: Mapping[str, Tensor], classes: tuple[str, ...]) -> dict[str, float]:
        """Return the flat metrics of a record from the values of `compute`."""
        metrics = {f"test/{name}": float(values[name]) for name in ("loss", "mean_iou", "dice", "accuracy")}
        for name in ("class_iou", "class_dice"):
            labelled = zip(classes, values[name].tolist(), strict=True)
            metrics |= {f"test/{name}/{label}": value for label, value in labelled}
        return metrics


# validate_args=False: the checks copy the masks to the host in each update
_SETTINGS: dict[str, Any] = {"ignore_index": IGNORED, "validate_args": False}


def _overlap(num_classes: int) -> dict[str, Metric]:
    return {
        "mean_iou": MulticlassJaccardIndex(num_classes, average="macro", **_SETTINGS),
        "dice": MulticlassF1Score(num_classes, average="macro", **_SETTINGS),
        "accuracy": MulticlassAccuracy(num_classes, average="micro", **_SETTINGS),
    }


def counted(labels: Tensor) -> Tensor:
    """Return how many pixels of the masks are not ignored."""
    return (labels != IGNORED).sum()


def image_figures(predicted: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return IoU and pixel accuracy of each image of a batch, (N,) float; NaN if all its pixels are ignored.

    The IoU is the mean over the classes that occur in the image's mask or in its prediction.

    >>> labels, predicted = torch.tensor([[[0, 0], [1, 255]]]), torch.tensor([[[0, 1], [1, 2]]])
    >>> image_figures(predicted, labels, num_classes=3)
    (tensor([0.5000]), tensor([0.6667]))
    """
    counts = labels.flatten(1) != IGNORED
    pairs = torch.where(counts, labels.flatten(1) * num_classes + predicted.flatten(1), num_classes**2)
    confusion = pairs.new_zeros(len(labels), num_classes**2 + 1)
    confusion = confusion.scatter_add_(1, pairs, torch.ones_like(pairs))[:, :-1].unflatten(1, (num_classes, -1))
    right = confusion.diagonal(dim1=1, dim2=2)
    union = confusion.sum(1) + confusion.sum(2) - right
    iou = (right / union.clamp(min=1)).sum(1) / (union > 0).sum(1)
    return iou, right.sum(1) / counts.sum(1)
