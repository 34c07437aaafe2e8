"""The reliability picture: how often a network is right beside how sure it is."""

from pathlib import Path

import torch
from torch import Tensor

from poolab.measure.probabilities import BINS, calibration_error, reliability

RIGHT, GAP, INK = "#8fb8de", "#b3261e", "#333333"


def reliability_diagram(confidence: Tensor, right: Tensor, path: str | Path, bins: int = BINS) -> None:
    """Draw the accuracy in each bin of confidence against the diagonal, and below how many examples a bin has.

    A bar below the diagonal is a bin in which the network is surer than it is right; the distance is marked at the
    bin's mean confidence. A PNG of 660 x 792 pixels (DeGroot & Fienberg 1983; Guo et al. 2017, arXiv:1706.04599).

    Args:
        confidence: of the predicted class, (N,).
        right: whether the prediction is right, (N,).
        path: of the PNG.
        bins: how many, of equal width.
    """
    from matplotlib.figure import Figure

    found = reliability(confidence, right, bins)
    some = found.counts > 0
    left, width = found.edges[:-1].numpy(), 1 / bins
    figure = Figure(figsize=(5.5, 6.6), layout="constrained", dpi=120)
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    above.bar(left, found.accuracy.nan_to_num().numpy(), width, align="edge", color=RIGHT, edgecolor="white")
    means, accuracy = found.confidence[some].numpy(), found.accuracy[some].numpy()
    above.vlines(means, accuracy, means, color=GAP, linewidth=2, label="accuracy to mean confidence")
    above.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="as sure as right")
    error, overall = calibration_error(confidence, right, bins), right.double().mean().item()
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    above.set_title(
        f"accuracy {overall:.4f}, mean confidence {confidence.double().mean().item():.4f}, ECE {error:.4f}", fontsize=10
    )
    above.legend(loc="upper left", fontsize=9)
    below.bar(left, found.counts.numpy(), width, align="edge", color="#8a8f98", edgecolor="white")
    below.set(xlabel=f"confidence, {bins} bins", ylabel="examples")
    if _spread(found.counts):
        below.set_yscale("log")
        below.set_ylim(bottom=0.5)  # a single example is a bar too
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    figure.savefig(path)


def _spread(counts: Tensor) -> bool:
    """Return True if the largest bin would hide the smallest: a trained network is confident of nearly everything."""
    some = counts[counts > 0]
    return bool(torch.max(some) > 50 * torch.min(some))
