"""Means whose weights grow exponentially with the value."""

import torch
from torch import Tensor

from poolab.pooling.base import Reference
from poolab.pooling.learned import positive
from poolab.pooling.options import Real, flag
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d
from poolab.pooling.windows import Windows, peak


@register("softpool")
class SoftPool2d(WindowPool2d):
    """The softmax-weighted mean, y = sum_i w_i x_i with w_i = exp(x_i/T) / sum_j exp(x_j/T), per window and channel.

    Gradient dy/dx_i = w_i (1 + (x_i - y)/T), the true one: the published CUDA code treats the weights as constants, and
    its CPU path sums the weights over the channels (SoftPool issues 4, 31, 61).

    Args:
        temperature: T > 0; towards 0 the maximum, towards infinity the mean. The start value where it is learned.
        learnable: learn log T.

    Example:
        >>> round(SoftPool2d(2)(torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])).item(), 4)  # e / (3 + e)
        0.4754
    """

    reference = Reference("Stergiou, Poppe, Kalliatakis", 2021, "arXiv:2101.00440")
    learns = "option"
    learned = positive("temperature")
    options = {"temperature": Real(1.0, least=0.0, open_least=True), "learnable": flag(False)}

    @staticmethod
    def formula(windows: Windows, temperature: float | Tensor = 1.0) -> Tensor:
        """M + sum w (x - M) / sum w with w = exp((x - M) / T)."""
        cells = windows.taps(-torch.inf)
        top = peak(cells)  # y(x + c) = y(x) + c: the shift changes neither the value nor the gradient
        weights, weighted = torch.zeros_like(top), torch.zeros_like(top)
        for cell in cells:
            below = cell - top
            # Infinitely far below: no weight, and no 0 * inf in either gradient. Infinite and the largest: full weight.
            away = below == -torch.inf
            below = below.masked_fill(away | cell.isinf(), 0.0)
            weight = (below / temperature).exp().masked_fill(away, 0.0)
            weights = weights + weight
            weighted = weighted + weight * below
        return top + weighted / weights
