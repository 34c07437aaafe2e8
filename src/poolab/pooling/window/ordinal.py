"""Ordinal pooling: a learned weight for each rank."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice
from poolab.pooling.core.windows import Windows, compute_dtype
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

LARGEST = 0.99  # the first rank's weight for init="max"; nearer to 1 the other ranks hardly learn


@register("ordinal")
class OrdinalPool2d(WindowPool2d):
    """Apply ordinal pooling, learned weights by rank: y = sum_r w_r x_(r) with w = softmax(logits).

    Max, mean, min and median pooling are among them. A window with k < n real taps at the border takes the first k
    weights, divided by their sum.

    Args:
        init: "uniform" draws the weights from (0, 1) and normalises them, as the published code does; "avg" is the
            mean; "max" gives the largest tap the weight 0.99 (a softmax has no weight 1) and the others the rest.
        sharing: weights for each channel, (C, n), or one set for the layer, (n,).

    Example:
        >>> pool = OrdinalPool2d(2, channels=1, init="avg")
        >>> pool(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        2.5
    """

    reference = Reference("Deliège, Istasse, Kumar, De Vleeschouwer, Van Droogenbroeck", 2019, "arXiv:2109.01561")
    learns = "always"
    uses_channels = "option"
    init: str
    disagreements = (
        "mistasse/ordinal-pooling-layers (ordinal_pooling.py) keeps the weights valid by setting negative ones to 0"
        " and dividing by their sum, in the forward and after each step: a weight at 0 has no gradient and all at 0"
        " is 0/0. A softmax reaches every positive weighting and needs no projection.",
        "There padded zeros take part in the ranking; here a border window ranks its real taps.",
        "Its sorting by pairwise maximum and minimum splits the gradient of equal taps; here they rank in raster "
        "order.",
    )
    exempt = {"ties": "learned weights need not fall with the rank, so the first of equal taps may get a smaller one"}
    options = {
        "init": Choice("uniform", ("uniform", "avg", "max")),
        "sharing": Choice("channel", ("channel", "layer")),
    }

    def build(self) -> None:
        """Make the logits, (C, n) or (n,)."""
        n = self.geometry.taps
        self.logits = nn.Parameter(torch.empty((self.channels or 1, n) if self.is_per_channel else (n,)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the logits to the logarithms of the start weights, up to a constant."""
        nn.init.zeros_(self.logits)
        n = self.geometry.taps
        if self.init == "uniform":
            nn.init.uniform_(self.logits, 1e-3, 1.0)
            with torch.no_grad():
                self.logits.log_()
        elif self.init == "max" and n > 1:
            nn.init.constant_(self.logits[..., 0], math.log(LARGEST / (1 - LARGEST) * (n - 1)))

    def arguments(self) -> dict[str, Any]:
        """Return the softmax, the logits and their running log-sum-exp, by rank and channel or layer."""
        logits = self.logits.to(compute_dtype(self.logits.dtype))
        per_rank = logits.softmax(-1), logits, logits.logcumsumexp(-1)
        shape = (-1, *(1,) * self.dims) if self.is_per_channel else ()
        names = ("weights", "logits", "sums")
        return {name: tuple(v.reshape(shape) for v in of.unbind(-1)) for name, of in zip(names, per_rank, strict=True)}

    @staticmethod
    def formula(
        windows: Windows, weights: Sequence[Tensor], logits: Sequence[Tensor], sums: Sequence[Tensor]
    ) -> Tensor:
        """Compute sum_r softmax(logits)_r x_(r)."""
        counts = windows.counts()
        if isinstance(counts, int):
            return windows.sum_by_rank(lambda rank, tap: windows.by_rank(rank, weights) * tap)
        # By the logits of the ranks that the window has; in this way no sum of small weights is divided by.
        whole = windows.by_rank(counts - 1, sums)

        def term(rank: Tensor, tap: Tensor) -> Tensor:
            weight = (windows.by_rank(rank, logits) - whole).exp()
            return torch.where(rank < counts, weight, 0.0) * tap

        return windows.sum_by_rank(term)
