"""Universal pooling: each channel learns from the window how to weight its positions (Hyun et al. 2019)."""

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window.controls import CONVOLVE
from poolab.pooling.window.gated import bounded
from poolab.pooling.window.lip import exponentials, weighted_mean
from poolab.pooling.window_pool import WindowPool2d


@register("universal")
class UniversalPool2d(WindowPool2d):
    """Apply universal pooling, a learned softmax by position: y = sum_k w_k x_k with w = softmax(A x + b), A and b
    of each channel.

    The paper's abstract calls it a channel-wise local spatial attention that contains mean, maximum and stride pooling;
    which module makes the logits we could not read. This is our reading of it, the smallest that contains them: the
    logits of the n positions are an affine function of the window's n taps, A of n*n numbers for each channel, b of n.
    All start at 0, which is the mean; A = t I is `softpool` and goes to the maximum with t, a large b_k takes position
    k. A missing tap is 0 to the logits and has no weight.

    Args:
        channels: the number of channels, kept; the layer has channels * n * (n + 1) parameters.

    Example:
        >>> import torch
        >>> pool = UniversalPool2d(2, channels=1)
        >>> pool(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()  # at its start, the mean
        2.5
        >>> _ = torch.nn.init.constant_(pool.bias[:, 1], 50.0)  # the second position
        >>> pool(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        2.0
    """

    reference = Reference("Hyun, Seong, Kim", 2019, "arXiv:1907.11440")
    learns = "always"
    uses_channels = "always"
    positional = True
    exempt = {
        "numbers": "A's gradient is a value times a value: for values near 1e4 it is beyond float16",
    }
    disagreements = (
        "timeseriesAI/tsai's AdaptiveWeightedAvgPool1d, written after this paper, pools a whole series: its logits "
        "come from fully connected layers over a series of fixed length, the same ones for every channel, and start "
        "at 0 as here.",
    )

    def build(self) -> None:
        """Make A (channel, position, taps of the window) and b (channel, position)."""
        assert self.channels is not None
        self.weight = nn.Parameter(torch.empty(self.channels, self.geometry.taps, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(self.channels, self.geometry.taps))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight all positions equally."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    @staticmethod
    def formula(windows: Windows, weight: Tensor, bias: Tensor) -> Tensor:
        """Compute sum_k w_k x_k with w = softmax(A x + b) over the real taps."""
        weights = exponentials(_logits(windows, weight, bias))
        # Where no weight is left an infinite tap takes no part: 0 * inf would be NaN.
        taps = [
            tap.masked_fill(tap.isinf() & (share == 0), 0.0)
            for tap, share in zip(windows.taps(0.0), weights, strict=True)
        ]
        return weighted_mean(taps, weights)


def _logits(windows: Windows, weight: Tensor, bias: Tensor) -> list[Tensor]:
    """Return for each position k a map of logits, -inf where the position is not on the map.

    A convolution of each channel by itself for each position: all positions at once would be the unfolded copy.
    """
    g, map = windows.geometry, bounded(windows).padded(0.0)
    logits = [
        CONVOLVE[windows.dims](map, w.unsqueeze(1), b, g.stride, 0, g.dilation, len(w)).to(map.dtype)
        for w, b in zip(weight.to(map.dtype).unbind(1), bias.to(map.dtype).unbind(1), strict=True)
    ]
    real = windows.real()
    if real is None:
        return logits
    return [logit.masked_fill(~here, -torch.inf) for logit, here in zip(logits, real, strict=True)]
