"""Power means of a window."""

import math

import torch
from torch import Tensor

from poolab.pooling.base import Reference
from poolab.pooling.learned import above_one
from poolab.pooling.options import Choice, Real, flag
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d
from poolab.pooling.windows import Windows, peak, rescue_infinite, total


@register("lp")
class LpPool2d(WindowPool2d):
    """The power mean of the absolute values, y = ((1/n) sum_i |x_i|^p)^(1/p).

    Computed as M ((1/n) sum_i (|x_i|/M)^p)^(1/p) with M = max_i |x_i|, so that large p and half precision are safe.
    A window of zeros gives 0 with gradient 0. `torch.nn.LPPool2d` differs: it takes the power of the signed value (NaN
    for negative input and non-integer p), sums instead of averaging, and scales partial windows by the full window
    (pytorch issue 184037 and its neighbours).

    Args:
        p: the exponent, at least 1; inf is the largest absolute value. The start value (> 1) where it is learned.
        norm: "mean", or "sum" for (sum_i |x_i|^p)^(1/p), which is torch's on non-negative complete windows.
        learnable: learn p = 1 + softplus(rho) (Gulcehre et al. 2014, arXiv:1311.1780).

    Example:
        >>> round(LpPool2d(2, p=2.0)(torch.tensor([[[1.0, -1.0], [7.0, -7.0]]])).item(), 4)
        5.0
    """

    reference = Reference("Sermanet, Chintala, LeCun", 2012, "arXiv:1204.3968")
    learns = "option"
    learned = above_one("p")
    options = {
        "p": Real(2.0, least=1.0, infinite=True),
        "norm": Choice("mean", ("mean", "sum")),
        "learnable": flag(False),
    }

    @staticmethod
    def formula(windows: Windows, p: float | Tensor = 2.0, norm: str = "mean") -> Tensor:
        """M * (mean or sum of (|x| / M)^p)^(1/p)."""
        if isinstance(p, float) and math.isinf(p):
            return Windows(windows.input.abs(), windows.geometry).maximum()
        sizes = [tap.abs() for tap in windows.taps(0.0)]
        top = peak(sizes)  # the formula does not depend on the scale, so neither does the gradient
        scale = torch.where(top == 0, 1.0, top)
        powers = total(sizes, lambda size: rescue_infinite(size, top, size / scale, 1.0, 0.0).pow(p))
        powers = torch.where(top == 0, 1.0, powers)  # the root of 0 has no finite slope
        mean = powers / windows.counts() if norm == "mean" else powers
        return top * mean.pow(1 / p)
