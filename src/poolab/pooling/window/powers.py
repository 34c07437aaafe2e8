"""Means by powers of the taps: power means and Lehmer means."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.core.base import Pool, Reference
from poolab.pooling.core.learned import above_one, positive
from poolab.pooling.core.options import Choice, Real, flag, magnitude
from poolab.pooling.core.windows import Windows, peak, rescue_infinite, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d


@register("lp")
class LpPool2d(WindowPool2d):
    """Apply Lp pooling, the power mean of absolute values: y = ((1/n) sum_i |x_i|^p)^(1/p).

    Computed as M ((1/n) sum_i (|x_i|/M)^p)^(1/p) with M = max_i |x_i|, so that large p and half precision are safe.
    A window of zeros gives 0 with gradient 0.

    Args:
        p: the exponent; inf is the largest absolute value. Where it is learned the start value
            (above 1.000001 and below 1e6).
        norm: "mean", or "sum" for (sum_i |x_i|^p)^(1/p), which is torch's on non-negative complete windows.
        learnable: learn p = 1 + softplus(rho) (Gulcehre et al. 2014, arXiv:1311.1780), from 1.000001 to 1e6.

    Example:
        >>> round(LpPool2d(2, p=2.0)(torch.tensor([[[1.0, -1.0], [7.0, -7.0]]])).item(), 4)
        5.0
    """

    reference = Reference("Sermanet, Chintala, LeCun", 2012, "arXiv:1204.3968")
    learns = "option"
    learned = above_one("p")
    disagreements = (
        "torch.nn.LPPool2d takes powers of the signed value: NaN for a negative tap and non-integer p "
        "(pytorch/pytorch issue 184037, open; so in 2.15), NaN and a NaN gradient for odd p where the powers add up"
        " to a negative number.",
        "torch sums where this class averages by default; norm='sum' is torch's on non-negative complete windows, "
        "and p=1 there is n times the mean.",
        "torch scales a window cut by ceil_mode by the taps of a complete one: a corner tap of 1 gives 4 for "
        "2x2 and p=1. Here it counts its own taps.",
        "For p=0 torch once raised ZeroDivisionError (issue 134841) and refuses it by name in 2.15; here p is at "
        "least 1.",
        "torch has no padding and no dilation here, and its powers overflow: 2x2 taps of 1e25 give inf for p=2 in "
        "float32.",
        "Sermanet et al. weigh the powers by a Gaussian within the window; this is the plain mean.",
        "rentainhe/pytorch-pooling (LpPool.py) averages without the absolute value and only for stride = kernel.",
    )
    options = {
        "p": Real(2.0, least=1.0, most=1e12, infinite=True),
        "norm": Choice("mean", ("mean", "sum")),
        "learnable": flag(False),
    }

    @staticmethod
    def formula(windows: Windows, p: float | Tensor = 2.0, norm: str = "mean") -> Tensor:
        """Compute M * (mean or sum of (|x| / M)^p)^(1/p)."""
        if isinstance(p, float) and p == math.inf:
            return windows.mapped(torch.abs).maximum()
        sizes = [tap.abs() for tap in windows.taps(0.0)]
        top = peak(sizes)  # the formula does not depend on the scale, so neither does the gradient
        scale = torch.where(top == 0, 1.0, top)
        powers = total(sizes, lambda size: rescue_infinite(size, top, size / scale, 1.0, 0.0).pow(p))
        powers = torch.where(top == 0, 1.0, powers)  # the root of 0 has no finite slope
        mean = powers / windows.counts() if norm == "mean" else powers
        return top * mean.pow(1 / p)


class GeneralizedMean(Pool):
    """Declare what GeM over windows and over the whole map have in common: their options and how p is learned."""

    learns = "option"
    uses_channels = "option"
    per_channel: bool
    learned = positive("p")
    options = {
        "p": magnitude(3.0, infinite=True),
        "learnable": flag(True),
        "per_channel": flag(False),
        "eps": magnitude(1e-6),
    }

    def conflicts(self) -> Iterator[str]:
        """Check that there is one exponent for each channel only where it is a parameter."""
        if self.per_channel and not self.is_learning:
            yield "per_channel=True is one p to learn for each channel: it needs learnable=True"


@register("gem")
class GeMPool2d(GeneralizedMean, WindowPool2d):
    """Apply generalized-mean pooling (GeM): y = ((1/n) sum_i max(x_i, eps)^p)^(1/p).

    Computed as M exp(log(1 + (1/n) sum_i ((x_i/M)^p - 1)) / p), M the largest clamped tap, in float32 for half
    precision: no power underflows to 0, and p may be small or large. Taps below eps count as eps and get no gradient.

    Args:
        p: the exponent; 1 is the mean, inf the maximum. Where it is learned the start value (above
            1e-6 and below 1e6).
        learnable: learn p = exp(rho), from 1e-6 to 1e6 whatever the step of an optimizer.
        per_channel: learn one p for each channel; needs `learnable` and `channels`.
        eps: the smallest value that a tap counts as.

    Example:
        >>> round(GeMPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item(), 4)  # 25^(1/3)
        2.924
    """

    reference = Reference("Radenovic, Tolias, Chum", 2019, "arXiv:1711.02512")
    disagreements = (
        "The published layer pools the whole map; this one pools windows, and the head `global_gem` the map.",
        "filipradenovic/cnnimageretrieval-pytorch learns p itself, which can cross 0, and takes powers in the dtype"
        " of the input: in float16 eps^3 is 0, a dark window gives 0 and dy/dp is NaN; in float32 p = 200 gives 0 "
        "where all taps are below 0.27.",
        "There, too, the clamp hides negative taps (its issue 73): give the absolute value, or use `lp`, where "
        "they count.",
    )

    @staticmethod
    def formula(windows: Windows, p: float | Tensor = 3.0, eps: float = 1e-6) -> Tensor:
        """Compute M * (mean of (max(x, eps) / M)^p)^(1/p)."""
        if isinstance(p, float) and p == math.inf:
            return windows.maximum().clamp(min=eps)
        taps, real = [tap.clamp(min=eps) for tap in windows.taps(0.0)], windows.real()
        top = peak(taps)  # the formula does not depend on the scale, so neither does the gradient
        gains = []
        for place, tap in enumerate(taps):
            # A tap is infinite only where the largest one is, too: inf / inf would be NaN.
            share = (tap / top).masked_fill(tap == torch.inf, 1.0).clamp(min=torch.finfo(top.dtype).tiny)
            # The power less 1. For small p it is near 0, and only expm1 has all its digits.
            gain = share.pow(p) - 1 if isinstance(p, float) and p >= 1 else (p * share.log()).expm1()
            gains.append(gain if real is None else gain.masked_fill(~real[place], 0.0))
        return top * ((total(gains) / windows.counts()).log1p() / p).exp()


@register("lehmer")
class LehmerPool2d(WindowPool2d):
    """Apply Lehmer-mean pooling: y = sum_i x_i^(a+1) / sum_i x_i^a over the positive values.

    Negative taps count as 0, as in stochastic pooling, whose evaluation is a = 1; a window without a positive tap
    gives 0 with gradient 0: our reading, the formula is one of positive numbers. With a > 0 a tap that is 0 has no
    weight; a = 0 is the mean of all taps. For a < 1 the slope at a small positive tap has no bound.

    Args:
        a: the power of the weights; towards infinity the maximum. Where it is learned the start value
            (above 1e-6 and below 1e6).
        learnable: learn a = exp(rho), from 1e-6 to 1e6.

    Example:
        >>> LehmerPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()  # 30 / 10
        3.0
    """

    reference = Reference("Wei et al. (polynomial pooling)", 2019, "CVPR 2019, pages 7115-7123")
    learns = "option"
    learned = positive("a")
    disagreements = (
        "The exponent is counted from the weights here (a = 0 is the mean); texts on means count it from the "
        "numerator, p = a + 1.",
    )
    options = {"a": Real(1.0, least=0.0, most=1e12), "learnable": flag(False)}

    @staticmethod
    def formula(windows: Windows, a: float | Tensor = 1.0) -> Tensor:
        """Compute M * sum (x/M)^(a+1) / sum (x/M)^a."""
        if isinstance(a, float) and a == 0.0:
            return windows.mapped(torch.relu).mean()
        taps = [F.relu(tap) for tap in windows.taps(0.0)]
        top = peak(taps)  # the formula does not depend on the scale, so neither does the gradient
        scale = torch.where(top == 0, 1.0, top)
        weights, weighted = torch.zeros_like(top), torch.zeros_like(top)
        for tap in taps:
            share = rescue_infinite(tap, top, tap / scale, 1.0, 0.0)
            zero = share == 0  # the power has no finite slope at 0
            weight = share.masked_fill(zero, 1.0).pow(a).masked_fill(zero, 0.0)
            weights = weights + weight
            weighted = weighted + weight * share
        return top * (weighted / torch.where(top == 0, 1.0, weights))
