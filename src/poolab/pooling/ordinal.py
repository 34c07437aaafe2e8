"""Ordinal pooling: a learned weight for each rank."""

import math

import torch
from torch import Tensor, nn

from poolab.pooling.base import Reference
from poolab.pooling.options import Choice
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d
from poolab.pooling.windows import Windows, compute_dtype

LARGEST = 0.99  # the first rank's weight for init="max"; nearer to 1 the other ranks hardly learn


@register("ordinal")
class OrdinalPool2d(WindowPool2d):
    """A learned mean by rank, y = sum_r w_r x_(r) with w = softmax(logits); max, mean, min and median are among them.

    A window with k < n real cells at the border takes the first k weights, divided by their sum.

    Args:
        init: "uniform" draws the weights from (0, 1) and normalises them, as the published code does; "avg" is the
            mean; "max" gives the largest cell the weight 0.99 (a softmax has no weight 1) and the others the rest.
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
        "There padded zeros take part in the ranking; here a border window ranks its real cells.",
        "Its sorting by pairwise maximum and minimum splits the gradient of equal cells; here they rank in raster "
        "order.",
    )
    exempt = {"ties": "learned weights need not fall with the rank, so the first of equal cells may get a smaller one"}
    options = {
        "init": Choice("uniform", ("uniform", "avg", "max")),
        "sharing": Choice("channel", ("channel", "layer")),
    }

    def build(self) -> None:
        """Make the logits, (C, n) or (n,)."""
        n = self.geometry.cells
        self.logits = nn.Parameter(torch.empty((self.channels or 1, n) if self.is_per_channel else (n,)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the logits to the logarithms of the start weights, up to a constant."""
        nn.init.zeros_(self.logits)
        n = self.geometry.cells
        if self.init == "uniform":
            nn.init.uniform_(self.logits, 1e-3, 1.0)
            with torch.no_grad():
                self.logits.log_()
        elif self.init == "max" and n > 1:
            nn.init.constant_(self.logits[..., 0], math.log(LARGEST / (1 - LARGEST) * (n - 1)))

    @staticmethod
    def formula(windows: Windows, logits: Tensor) -> Tensor:
        """sum_r softmax(logits)_r x_(r)."""
        counts, channels = windows.counts(), windows.input.shape[1]
        each = torch.arange(channels, device=logits.device).view(-1, *(1,) * windows.dims)
        logits = logits.to(compute_dtype(windows.input.dtype)).expand(channels, windows.geometry.cells)
        if isinstance(counts, int):
            weights = logits.softmax(-1)
            return windows.sum_by_rank(lambda rank, cell: weights[each, rank.long()] * cell)
        # Row k - 1 has the weights of a window of k cells; in this way no sum of small weights is divided by.
        absent = torch.ones_like(logits[0].expand(logits.shape[1], -1), dtype=torch.bool).triu(1)
        table = logits.unsqueeze(1).masked_fill(absent, -torch.inf).softmax(-1)
        row = counts.long() - 1
        return windows.sum_by_rank(lambda rank, cell: table[each, row, rank.long()] * cell)
