"""Detail-preserving pooling: taps count by how far they stand out (Saeedan et al. 2018)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice, flag
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window.lip import exponentials, weighted_mean
from poolab.pooling.window_pool import WindowPool2d

EPS = 1e-3  # keeps a window without any detail at equal weights
MOST = 10.0  # of log alpha and log lambda: beyond it the layer is the mean, or all but one tap


@register("dpp")
class DetailPreservingPool2d(WindowPool2d):
    """Apply detail-preserving pooling (DPP): y = sum_i w_i x_i / sum_j w_j with w_i = alpha + (d_i / mean_j
    d_j)^(lambda / 2).

    d_i = (x_i - s)^2 + 0.001 is how far a tap stands out from the smoothed window s. alpha and lambda are learned for
    each channel, as the exponentials (at most exp(10)) of free numbers that start from U(-1/sqrt(C), 1/sqrt(C)), the
    published start. lambda towards 0 or a large alpha gives the mean, a large lambda the tap that stands out most. The
    published layer is for disjoint 2x2 windows of an even map; here any window stands for itself, its missing taps
    left out. Keep weight decay away from both numbers, as the authors do.

    Args:
        channels: the number of channels, kept.
        variant: s is the window's mean ("lite"); or sum_i v_i x_i with a learned mask v for each channel, which starts
            as the mean and where a missing tap counts as the mean of the others ("full").
        symmetric: whether taps below s stand out too, or only those above it.

    Example:
        >>> import torch
        >>> pool = DetailPreservingPool2d(2, channels=1)
        >>> _ = torch.nn.init.constant_(pool.log_alpha, -30.0)  # details alone
        >>> _ = torch.nn.init.constant_(pool.log_lambda, 5.0)
        >>> round(pool(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item(), 4)  # 1 and 4 stand out as much from 2.5
        2.5
        >>> round(pool(torch.tensor([[[1.0, 2.0], [9.0, 3.0]]])).item(), 4)
        9.0
    """

    reference = Reference("Saeedan, Weber, Goesele, Roth", 2018, "arXiv:1804.04076")
    learns = "always"
    uses_channels = "always"
    variant: str
    symmetric: bool
    options = {"variant": Choice("lite", ("lite", "full")), "symmetric": flag(True)}
    disagreements = (
        "visinf/dpp's full variants smooth by a 3x3 convolution of stride 2 with a bias and a random start, so that s "
        "sees beyond its window and an all-zero map has details at its border; here the mask has the window's taps "
        "alone.",
        "visinf/dpp writes 10 into the parameter where log alpha is larger, and leaves log lambda unbounded.",
        "visinf/dpp's Python code (DPPinPytorch) does not run: it needs Tensor Comprehensions, which are discontinued.",
    )

    def build(self) -> None:
        """Make the two numbers of each channel, and its mask."""
        assert self.channels is not None
        shape = (self.channels, *(1,) * self.dims)
        self.log_lambda = nn.Parameter(torch.empty(shape))
        self.log_alpha = nn.Parameter(torch.empty(shape))
        self.mask = nn.Parameter(torch.empty(self.channels, *self.kernel_size)) if self.variant == "full" else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the two numbers; the mask is the mean."""
        bound = 1 / math.sqrt(len(self.log_lambda))
        nn.init.uniform_(self.log_lambda, -bound, bound)
        nn.init.uniform_(self.log_alpha, -bound, bound)
        if self.mask is not None:
            nn.init.constant_(self.mask, 1 / self.geometry.taps)

    @staticmethod
    def formula(
        windows: Windows, log_lambda: Tensor, log_alpha: Tensor, mask: Tensor | None, symmetric: bool
    ) -> Tensor:
        """Sum w x / sum w with w = alpha + (d / mean d)^(lambda / 2)."""
        mean, taps, real = windows.mean(), windows.taps(0.0), windows.real()
        apart = [tap - mean for tap in taps]  # from the mean, so that no large value cancels
        if real is not None:
            apart = [d.masked_fill(~here, 0.0) for d, here in zip(apart, real, strict=True)]
        if mask is not None:
            smoothed = _smoothed_less_mean(apart, mean, mask)
            apart = [d - smoothed for d in apart]
        details = [(d if symmetric else F.relu(d)).square() + EPS for d in apart]
        present = details if real is None else [d * here for d, here in zip(details, real, strict=True)]
        log_mean = (total(present) / windows.counts()).log()
        half, shift = log_lambda.to(mean.dtype).clamp(max=MOST).exp() / 2, log_alpha.to(mean.dtype).clamp(max=MOST)
        powers = [half * (d.log() - log_mean) for d in details]
        if real is not None:
            powers = [p.masked_fill(~here, -torch.inf) for p, here in zip(powers, real, strict=True)]
        *weights, floor = exponentials([*powers, shift.expand_as(mean)])
        weights = [weight + floor for weight in weights]
        if real is not None:
            weights = [w * here for w, here in zip(weights, real, strict=True)]
        # Every tap has a weight: an infinite one decides the mean and the output alike.
        return torch.where(mean.isfinite(), weighted_mean(taps, weights), mean)


def _smoothed_less_mean(apart: list[Tensor], mean: Tensor, mask: Tensor) -> Tensor:
    """Return sum_i v_i x_i - m, where a missing tap is the mean m: sum_i v_i (x_i - m) + (sum_i v_i - 1) m."""
    dims = mean.dim() - 2
    weights = [w.view(-1, *(1,) * dims) for w in mask.to(mean.dtype).flatten(1).unbind(1)]
    return total([w * d for w, d in zip(weights, apart, strict=True)]) + (total(weights) - 1) * mean
