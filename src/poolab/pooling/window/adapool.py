"""adaPool: a learned blend of weights by value and weights by likeness to the mean."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.learned import logistic
from poolab.pooling.core.options import Choice, Real, flag
from poolab.pooling.core.windows import Windows, peak, rescue_infinite, total
from poolab.pooling.registry import register
from poolab.pooling.window.softmax import SoftPool2d
from poolab.pooling.window_pool import WindowPool2d


@register("adapool")
class AdaPool2d(WindowPool2d):
    """Apply adaPool, a blend of two weighted means: y = beta y_eDSCW + (1 - beta) y_eM; y_eM is SoftPool and
    y_eDSCW = sum_i softmax(DSC(x_i, m))_i x_i.

    DSC(a, b) = 2 |a b| / (a^2 + b^2) is the likeness of a tap to the window's mean m, from 0 to 1; DSC(0, 0) = 1 (our
    reading: equal taps are alike). The gradient is the true one, through the weights and the mean.

    Args:
        beta: the weight of the likeness, 0 is SoftPool; the start value where it is learned.
        learnable: learn beta, as the logistic function of a free parameter.
        sharing: one learned beta for the layer, or one for each channel, never one for each place of a map; without
            `learnable` it has no effect.

    Example:
        >>> x = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
        >>> [round(AdaPool2d(2, beta=beta, learnable=False)(x).item(), 4) for beta in (0.0, 1.0)]  # m = 1/4
        [0.4754, 0.348]
    """

    reference = Reference("Stergiou, Poppe", 2023, "arXiv:2111.00772")
    learns = "option"
    uses_channels = "option"
    learned = logistic("beta")
    disagreements = (
        "alexandrosstergiou/adaPool makes beta for one size of the output map, so that the input size is fixed (its"
        " issues 5, 6 and 13), starts it from clamped normal numbers of which half are 0, and clamps it by a call "
        "that changes nothing, so that it can leave [0, 1]; it runs on CUDA alone.",
        "Its DSC is 0/0 where a tap and the mean are 0, which it replaces by 0 afterwards: a window of zeros "
        "survives only by that.",
        "Its backward treats the weights as constants, as SoftPool's does: not the gradient of its forward.",
    )
    options = {
        "beta": Real(0.5, least=0.0, most=1.0),
        "learnable": flag(True),
        "sharing": Choice("layer", ("layer", "channel")),
    }

    @staticmethod
    def formula(windows: Windows, beta: float | Tensor = 0.5) -> Tensor:
        """Compute beta * eDSCW + (1 - beta) * eM."""
        if isinstance(beta, float) and beta in (0.0, 1.0):  # 0 * inf would be NaN
            return _alike(windows) if beta else SoftPool2d.formula(windows)
        return beta * _alike(windows) + (1 - beta) * SoftPool2d.formula(windows)


def _alike(windows: Windows) -> Tensor:
    """Return the mean of the taps with the weights exp(DSC(x_i, m))."""
    taps, real = windows.taps(0.0), windows.real()
    top = peak([tap.abs() for tap in taps])  # y(a x) = a y(x): the scale changes neither the value nor the gradient
    scale = torch.where(top == 0, 1.0, top)
    shares = [rescue_infinite(tap, top, tap / scale, 1.0, 0.0) for tap in taps]
    shares = [share.masked_fill(tap == -torch.inf, -1.0) for share, tap in zip(shares, taps, strict=True)]
    centre = (total(shares) / windows.counts()).abs()
    weights, weighted = torch.zeros_like(top), torch.zeros_like(top)
    for place, share in enumerate(shares):
        weight = _likeness(share.abs(), centre).exp()
        if real is not None:
            weight = weight.masked_fill(~real[place], 0.0)
        weights = weights + weight
        weighted = weighted + weight * share
    return scale * (weighted / weights)  # not top: in a window of zeros each tap has the slope 1/n


def _likeness(a: Tensor, b: Tensor) -> Tensor:
    """Compute 2 a b / (a^2 + b^2) of non-negative numbers as 2 t / (1 + t^2), t <= 1, so that no square underflows."""
    swapped = a > b
    low, high = torch.where(swapped, b, a), torch.where(swapped, a, b)
    both_zero = high == 0
    t = low.masked_fill(both_zero, 1.0) / high.masked_fill(both_zero, 1.0)
    return 2 * t / (1 + t * t)
