"""Weights by information: each tap's part of its window's entropy."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.windows import Windows, peak, rescue_infinite, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d


@register("weighted")
class EntropyWeightedPool2d(WindowPool2d):
    """Apply entropy-weighted pooling: y = sum_i w_i x_i with w_i = p_i log p_i / sum_j p_j log p_j and p_i = |x_i|
    / sum_j |x_j|.

    Our reading: the paper weighs by the entropy of the window and the mutual information between a tap and its window,
    and its abstract does not say how these are estimated. A window without entropy, where at most one tap is not 0,
    gives that tap (or 0). A tap that is 0 has no weight and the gradient 0; near 0 the slope of p log p has no bound.

    Example:
        >>> EntropyWeightedPool2d(2)(torch.full((1, 2, 2), 3.0)).item()
        3.0
        >>> EntropyWeightedPool2d(2)(torch.tensor([[[0.0, 0.0], [4.0, 0.0]]])).item()
        4.0
    """

    reference = Reference("Zhu, Meng, Ding, Gu, Yang", 2019, "doi:10.1007/s10586-018-2165-4")
    disagreements = (
        "No public code of the paper was found; in other texts weighted pooling means any fixed or learned "
        "normalised kernel, which is a filter and another method.",
    )

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """Compute sum_i p_i log p_i x_i / sum_i p_i log p_i."""
        taps = windows.taps(0.0)
        top = peak([tap.abs() for tap in taps])  # y(a x) = a y(x): the scale changes neither value nor gradient
        scale = torch.where(top == 0, 1.0, top)
        least = torch.finfo(top.dtype).tiny * len(taps)  # what is smaller counts as 0: its logarithm overflows
        signed, sizes = [], []
        for tap in taps:
            share = rescue_infinite(tap, top, tap / scale, 1.0, 0.0).masked_fill(tap == -torch.inf, -1.0)
            signed.append(share.masked_fill(share.abs() < least, 0.0))
            sizes.append(signed[-1].abs())
        weights = [_information(size, rest) for size, rest in zip(sizes, _sums_of_others(sizes), strict=True)]
        whole = total(weights)
        certain = whole == 0
        weighted = total([weight * share for weight, share in zip(weights, signed, strict=True)])
        return top * torch.where(certain, total(signed), weighted / whole.masked_fill(certain, 1.0))


def _sums_of_others(terms: list[Tensor]) -> list[Tensor]:
    """Return the sum of all others for each term, by sums from both ends: whole - term would lose the small ones."""
    before, after = [torch.zeros_like(terms[0])], [torch.zeros_like(terms[0])]
    for first, last in zip(terms[:-1], reversed(terms[1:]), strict=True):
        before.append(before[-1] + first)
        after.append(after[-1] + last)
    return [head + tail for head, tail in zip(before, reversed(after), strict=True)]


def _information(size: Tensor, rest: Tensor) -> Tensor:
    """Return -a log(a / (a + rest)), 0 for a = 0; by log1p where a is the larger part and the logarithm near 0."""
    zero, leads = size == 0, size > rest
    safe = size.masked_fill(zero, 1.0)
    near = (rest.masked_fill(~leads, 0.0) / safe).log1p()
    far = torch.where(leads, 1.0, safe + rest).log() - safe.log()
    return (safe * torch.where(leads, near, far)).masked_fill(zero, 0.0)
