"""Measure how well a network's probabilities agree with its accuracy: ECE, Brier score, negative log-likelihood."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 15


def calibration(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Compute how well a classifier's probabilities agree with its accuracy, over all examples.

    Args:
        logits: (N, classes), before the softmax.
        labels: int64 (N,).

    Returns:
        ece: the expected calibration error over 15 bins of equal width, sum over bins of the share of examples times
            |accuracy - mean confidence| (Guo et al. 2017, arXiv:1706.04599), by torchmetrics.
        brier: the mean over examples of sum_k (p_k - [k = label])^2, from 0 to 2 (Brier 1950, over all classes; some
            libraries give half of it).
        nll: the mean of -ln p_label, in nats.

    >>> calibration(torch.zeros(4, 2), torch.tensor([0, 0, 1, 1]))  # always 0.5, right in half of the cases
    {'ece': 0.0, 'brier': 0.5, 'nll': 0.6931471824645996}
    """
    return calibration_of(example_scores(logits, labels) | {"label": labels})


def example_scores(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Compute for each example the predicted class, its confidence, the negative log-likelihood and the Brier score;
    all (N,).

    >>> scores = example_scores(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    >>> {name: round(column.item(), 3) for name, column in scores.items()}
    {'predicted': 0, 'confidence': 0.731, 'nll': 1.313, 'brier': 1.069}
    """
    logits = logits.float()
    probabilities = logits.softmax(dim=1)
    confidence, predicted = probabilities.max(dim=1)
    misses = probabilities - F.one_hot(labels, probabilities.shape[1])
    # From the logits: the logarithm of a probability that rounds to 0 would be infinite.
    nll = F.cross_entropy(logits, labels, reduction="none")
    return {"predicted": predicted, "confidence": confidence, "nll": nll, "brier": misses.square().sum(dim=1)}


def calibration_of(examples: Mapping[str, Tensor]) -> dict[str, float]:
    """Compute what `calibration` gives, from the columns label, predicted, confidence, nll and brier."""
    error = calibration_error(examples["confidence"], examples["label"] == examples["predicted"])
    return {"ece": error, **{name: examples[name].double().mean().item() for name in ("brier", "nll")}}


def calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float:
    """Compute the expected calibration error by torchmetrics, which gives a confidence of exactly 1 its own bin (1.9).

    >>> round(calibration_error(torch.tensor([0.75, 0.75]), torch.tensor([True, True])), 4)
    0.25
    """
    from torchmetrics.functional.classification import binary_calibration_error

    # A confidence that is right or not is a binary prediction, so this is the multi-class error of the top class.
    return binary_calibration_error(confidence, right.long(), n_bins=bins, norm="l1", validate_args=False).item()


@dataclass(frozen=True)
class Reliability:
    """The examples of each of B bins of confidence; what has no examples has NaN.

    Attributes:
        edges: the bins' borders, (B + 1,); a bin holds its lower one, the last both.
        counts: how many examples, int64 (B,).
        accuracy: the share of them that is right, (B,).
        confidence: their mean confidence, (B,).
    """

    edges: Tensor
    counts: Tensor
    accuracy: Tensor
    confidence: Tensor


def reliability(confidence: Tensor, right: Tensor, bins: int = BINS) -> Reliability:
    """Compute the accuracy in bins of equal width, from the examples' confidence and correctness, both (N,).

    >>> found = reliability(torch.tensor([0.2, 0.6, 0.9, 1.0]), torch.tensor([False, True, False, True]), bins=2)
    >>> found.counts.tolist(), found.accuracy.tolist()
    ([1, 3], [0.0, 0.6666666666666666])
    """
    confidence = confidence.double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    bin = (torch.bucketize(confidence, edges, right=True) - 1).clamp(0, bins - 1)
    counts = torch.bincount(bin, minlength=bins)
    sums = [torch.bincount(bin, weights=weights.double(), minlength=bins) for weights in (right, confidence)]
    return Reliability(edges, counts, sums[0] / counts, sums[1] / counts)
