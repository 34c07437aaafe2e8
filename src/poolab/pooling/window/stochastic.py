"""Draws of one tap with a probability that depends on its value."""

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.windows import Windows, peak, rescue_infinite, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d


@register("stochastic")
class StochasticPool2d(WindowPool2d):
    """Apply stochastic pooling; in training x_l with l drawn by p_i = x_i / sum_j x_j, in evaluation sum_i x_i^2 /
    sum_i x_i.

    Negative taps have probability 0, and a window without a positive tap gives 0 (with gradient 0): our reading, the
    paper has non-negative input.

    Example:
        >>> StochasticPool2d(2).eval()(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.0
    """

    reference = Reference("Zeiler, Fergus", 2013, "arXiv:1301.3557")
    random = True
    evaluates = "The expectation sum_i x_i^2 / sum_i x_i over the positive taps, the Lehmer mean with a = 1."
    disagreements = (
        "rentainhe/pytorch-pooling (StochasticPool.py) and its copies draw a tap uniformly, for 2x2 alone, on CUDA"
        " alone, and in evaluation too: another method, whose expectation is the mean.",
        "A class of this name in a tutorial adds Gaussian noise and averages adaptively; its output has another "
        "size in training than in evaluation where the stride is not the kernel size.",
        "shizenglin's Caffe layer draws the first tap of a window of zeros; there and in pylearn2 negative input "
        "is undefined.",
    )

    @staticmethod
    def formula(windows: Windows, training: bool = True, generator: torch.Generator | None = None) -> Tensor:
        """Draw a value in training, compute its expectation otherwise."""
        taps = [F.relu(tap) for tap in windows.taps(0.0)]
        top = peak(taps)
        scale = torch.where(top == 0, 1.0, top)
        shares = [rescue_infinite(tap, top, tap / scale, 1.0, 0.0) for tap in taps]
        if training:
            return _draw(taps, [share.detach() for share in shares], windows.uniform(generator))
        sum_of_shares = torch.where(top == 0, 1.0, total(shares))
        return top * (total(shares, torch.square) / sum_of_shares)


def _draw(taps: list[Tensor], weights: list[Tensor], uniform: Tensor) -> Tensor:
    """Return the value where the running sum of the weights passes uniform * sum."""
    whole = total(weights)
    mark, passed = uniform * whole, torch.zeros_like(whole)
    drawn = torch.zeros_like(whole)
    for tap, weight in zip(taps, weights, strict=True):
        # The last tap that starts at or before the mark and has a weight: no rounding can leave a window undrawn.
        drawn = torch.where((mark >= passed) & (weight > 0), tap, drawn)
        passed = passed + weight
    return torch.where(whole.isnan(), whole, drawn)
