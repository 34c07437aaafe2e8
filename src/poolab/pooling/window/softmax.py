"""Means that follow the exponential of the value: softmax weights, log-sum-exp."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.learned import positive
from poolab.pooling.core.options import flag, magnitude
from poolab.pooling.core.windows import Windows, peak, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d


@register("softpool")
class SoftPool2d(WindowPool2d):
    """Apply SoftPool, the softmax-weighted mean: y = sum_i w_i x_i with w_i = exp(x_i/T) / sum_j exp(x_j/T).

    Gradient dy/dx_i = w_i (1 + (x_i - y)/T), the true one, which may be negative.

    Args:
        temperature: T; towards 0 the maximum, towards infinity the mean. Where it is learned the
            start value (above 1e-6 and below 1e6).
        learnable: learn T = exp(rho), from 1e-6 to 1e6.

    Example:
        >>> round(SoftPool2d(2)(torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])).item(), 4)  # e / (3 + e)
        0.4754
    """

    reference = Reference("Stergiou, Poppe, Kalliatakis", 2021, "arXiv:2101.00440")
    learns = "option"
    learned = positive("temperature")
    disagreements = (
        "The CPU path of alexandrosstergiou/SoftPool (pytorch/SoftPool/idea.py) sums the exponentials over the "
        "channels, so that all channels share their weights, and clamps the output at 0 (its issues 4, 31, 61); "
        "with many channels that is nearly average pooling. rentainhe/pytorch-pooling has a copy. Here each channel"
        " is weighted by itself.",
        "Its CUDA backward passes on w_i alone, the weights taken as constants; its kernel takes the output size "
        "from H / stride where its Python code allocates (H - k) // stride + 1, so that the rows are mixed up where"
        " the stride is not the kernel size (issue 35).",
        "It exponentiates the taps themselves, which gives inf / inf from 89 on in float32 and from 12 on in "
        "float16, and replaces NaN afterwards; here the window's maximum is taken off first, and NaN stays NaN.",
        "The published function has no temperature (T = 1 here).",
    )
    options = {"temperature": magnitude(1.0), "learnable": flag(False)}

    @staticmethod
    def formula(windows: Windows, temperature: float | Tensor = 1.0) -> Tensor:
        """Compute M + sum w (x - M) / sum w with w = exp((x - M) / T)."""
        taps = windows.taps(-torch.inf)
        top = peak(taps)  # y(x + c) = y(x) + c: the shift changes neither the value nor the gradient
        weights, weighted = torch.zeros_like(top), torch.zeros_like(top)
        for tap in taps:
            below = tap - top
            # Infinitely far below: no weight, and no 0 * inf in either gradient. Infinite and the largest: full weight.
            away = below == -torch.inf
            below = below.masked_fill(away | tap.isinf(), 0.0)
            weight = (below / temperature).exp().masked_fill(away, 0.0)
            weights = weights + weight
            weighted = weighted + weight * below
        return top + weighted / weights


@register("lse")
class LSEPool2d(WindowPool2d):
    """Apply log-sum-exp pooling, a smooth maximum: y = (1/r) log((1/n) sum_i exp(r x_i)), the mean form, which
    keeps constants.

    Computed as M + (1/r) log(1 + (1/n) sum_i (exp(r (x_i - M)) - 1)), M the window's maximum, which overflows for no r
    and goes to the mean without a loss of digits as r goes to 0.

    Args:
        r: the sharpness; towards infinity the maximum, towards 0 the mean. Where it is learned the
            start value (above 0.000101 and below 1e6).
        learnable: learn r = 0.0001 + exp(rho), exp(rho) from 1e-6 to 1e6, which no step of an optimizer brings to 0.

    Example:
        >>> round(LSEPool2d(2, r=1.0)(torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])).item(), 4)  # log((3 + e) / 4)
        0.3574
    """

    reference = Reference("Pinheiro, Collobert", 2015, "arXiv:1411.6228")
    learns = "option"
    learned = positive("r", floor=1e-4)
    disagreements = (
        "timm's LsePlus2d (timm/layers/other_pool.py) is this function over the whole map alone, and learns r "
        "itself: nothing keeps it from 0, where the formula divides by it.",
        "Learned sharpness that became NaN is reported in VChristlein/dgmp issue 1, whose author suspects r at 0.",
        "Log-sum-exp with the sum in place of the mean adds log(n) / r and keeps no constants; border windows would"
        " then differ from complete ones.",
    )
    options = {"r": magnitude(10.0), "learnable": flag(False)}

    @staticmethod
    def formula(windows: Windows, r: float | Tensor = 10.0) -> Tensor:
        """Compute M + log1p(mean of expm1(r (x - M))) / r."""
        taps, real = windows.taps(-torch.inf), windows.real()
        top = peak(taps)  # y(x + c) = y(x) + c: the shift changes neither the value nor the gradient
        gains = []
        for place, tap in enumerate(taps):
            below = (tap - top).masked_fill(tap.isinf() & (tap == top), 0.0)  # inf - inf
            away = below == -torch.inf
            gain = (r * below.masked_fill(away, 0.0)).expm1().masked_fill(away, -1.0)
            gains.append(gain if real is None else gain.masked_fill(~real[place], 0.0))
        return top + (total(gains) / windows.counts()).log1p() / r
