"""Weights by rank: the mean of the largest taps, geometric weights, the median, and the choice between two of them."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice, Integer, Real, flag
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

SHI_2016 = Reference("Shi, Ye, Wu", 2016, "doi:10.1016/j.neunet.2016.07.003")


@register("avg_topk")
class AvgTopKPool2d(WindowPool2d):
    """Apply average top-k pooling, the mean of the k largest: y = (1/k) sum_{r<=k} x_(r).

    k = 1 is max pooling, k = n the mean. A window with fewer than k values at the border averages those it has.

    Args:
        k: how many of the largest values are averaged.

    Example:
        >>> AvgTopKPool2d(2, k=2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.5
    """

    reference = Reference("Ozdemir", 2023, "Expert Systems with Applications, article 119892")
    disagreements = (
        "The paper's abstract says weighted average; the author's code (cuneytozdemir/Avg-TopK) is this plain mean,"
        " for 3x3 windows with k = 5 by default.",
        "Code by others pads with zeros through unfold, which enter the k largest where a border window has fewer "
        "than k non-negative taps; here padding takes no part.",
        "The same function was published in 2016 as rank-based average pooling (`rank_avg`).",
    )
    options = {"k": Integer(2, within_window=True)}

    @staticmethod
    def formula(windows: Windows, k: int = 2) -> Tensor:
        """Compute (1/k) sum_{r<=k} x_(r)."""
        if k == 1:
            return windows.maximum()
        if k == windows.geometry.taps:
            return windows.mean()
        counts = windows.counts()
        taken = k if isinstance(counts, int) else counts.clamp(max=k)
        return windows.sum_by_rank(lambda rank, tap: torch.where(rank < k, tap, 0.0)) / taken


@register("rank_avg")
class RankAvgPool2d(WindowPool2d):
    """Apply rank-based average pooling (RAP): y = (1/t) sum_{r<=t} x_(r), the same function as `avg_topk`,
    published earlier.

    Args:
        t: how many of the largest values are averaged.

    Example:
        >>> RankAvgPool2d(2, t=3)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.0
    """

    reference = SHI_2016
    disagreements = (
        "The authors' Caffe code (shizenglin/Rank-based-Pooling-for-Deep-Convolutional-Neural-Networks) takes t = 5"
        " by default, supports no padding, and ranks equal taps in raster order, as here.",
    )
    options = {"t": Integer(2, within_window=True)}

    @staticmethod
    def formula(windows: Windows, t: int = 2) -> Tensor:
        """Compute (1/t) sum_{r<=t} x_(r)."""
        return AvgTopKPool2d.formula(windows, t)


@register("rank_weighted")
class RankWeightedPool2d(WindowPool2d):
    """Apply rank-based weighted pooling (RWP): y = sum_r p_r x_(r) with p_r = alpha (1 - alpha)^(r-1).

    Args:
        alpha: the weight of the largest tap; 1 is max pooling.
        normalize: divide by sum_r p_r = 1 - (1 - alpha)^n over the window's real taps, so that a constant stays that
            constant; False is the published form.

    Example:
        >>> RankWeightedPool2d(2, normalize=False)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.0625
    """

    reference = SHI_2016
    disagreements = (
        "The published weights are not normalised: they sum to 0.9375 for 2x2 and alpha = 0.5, to 0.76 for alpha = "
        "0.3, so that a constant map gets darker; normalize=False gives that form.",
    )
    options = {"alpha": Real(0.5, least=0.0, most=1.0, open_least=True), "normalize": flag(True)}

    @staticmethod
    def formula(windows: Windows, alpha: float = 0.5, normalize: bool = True) -> Tensor:
        """Compute sum_r alpha (1 - alpha)^(r-1) x_(r)."""
        if alpha == 1.0:
            return windows.maximum()
        whole = 1 - (1 - alpha) ** windows.counts() if normalize else 1.0
        weights = [(1 - alpha) ** rank for rank in range(windows.geometry.taps)]
        return windows.sum_by_rank(lambda rank, tap: windows.by_rank(rank, weights) * tap) * (alpha / whole)


@register("median")
class MedianPool2d(WindowPool2d):
    """Apply median pooling: y = x_((n+1)/2) for an odd number n of values and (x_(n/2) + x_(n/2+1)) / 2 for an even
    one.

    The middle taps share the gradient; on a tie those are the middle ones in raster order.

    Example:
        >>> MedianPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        2.5
    """

    reference = Reference("Gallagher, Wise (median filters)", 1981, "doi:10.1109/TASSP.1981.1163708")
    disagreements = (
        "torch.median, and with it timm's MedianPool2d (timm/layers/median_pool.py) and its copies, takes the lower"
        " of the two middle taps for an even number: 2 and not 2.5 for the taps 1, 2, 3, 4.",
        "timm's MedianPool2d is a filter by default (3x3, stride 1) and pads by reflection; here padding takes no "
        "part.",
    )
    exempt = {"ties": "the middle taps have the gradient, and among equal taps those are not the first"}

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """Compute the middle value, or the mean of the two middle ones."""
        counts = windows.counts()
        first, last = (counts - 1) // 2, counts // 2  # one rank where the count is odd
        middle = windows.sum_by_rank(lambda rank, tap: torch.where((rank == first) | (rank == last), tap, 0.0))
        return middle / (1 + last - first)


@register("t_max_avg")
class TMaxAvgPool2d(WindowPool2d):
    """Apply T-Max-Avg pooling, maximum or top-k mean: y = x_(1) if x_(k) >= T, else (1/k) sum_{r<=k} x_(r).

    T is in units of the activations, so that the method depends on their scale; it jumps at T and gives T no gradient.
    T <= 0 on non-negative input is max pooling, T = inf is `avg_topk`.

    Args:
        k: how many of the largest values are compared and averaged; a window with fewer at the border uses those.
        threshold: T, also inf.
        rule: what must reach T: "all" of the k largest, which is to say x_(k); the "max"; or the "mean" of the k.

    Example:
        >>> x = torch.tensor([[[0.1, 0.8], [0.9, 0.7]]])
        >>> [round(TMaxAvgPool2d(2, k=2, threshold=t)(x).item(), 2) for t in (0.8, 0.85)]
        [0.9, 0.85]
        >>> round(TMaxAvgPool2d(2, k=2, threshold=0.87, rule="max")(x).item(), 2)
        0.9
    """

    reference = Reference("Zhao, Zhang", 2024, "doi:10.1038/s41598-024-51258-6")
    disagreements = (
        "The decision is published in at least four forms. rule='all' is the likely original: a follow-up (ATP, "
        "TELKOMNIKA 24(2), 2026) says that T-Max-Avg compares several times with the threshold, and replaces that "
        "by one comparison with the mean of the k, which is rule='mean' here.",
        "matcarollo/densatio (t_max_avg_pooling_2d) and ParsaIdp/pooling compare the maximum alone: rule='max'.",
        "Other ports output the mean where the mean passes T and the maximum elsewhere, decide once for the whole "
        "batch, or blend T max + (1 - T) mean; none of these is offered. On uniform numbers with 3x3 windows, k = 3"
        " and T = 0.7 the rules 'all', 'mean' and 'max' give the maximum in 54, 84 and 96 % of the windows.",
        "The abstract says that T is learned; no public code does that.",
    )
    options = {
        "k": Integer(3, within_window=True),
        "threshold": Real(0.7, least=-1e12, most=1e12, infinite=True),
        "rule": Choice("all", ("all", "max", "mean")),
    }
    # The suite has windows of two taps, and taps of 0.7, which bfloat16 rounds to below 0.7.
    trial = {"k": 2, "threshold": 0.68}

    @staticmethod
    def formula(windows: Windows, k: int = 3, threshold: float = 0.7, rule: str = "all") -> Tensor:
        """Compute x_(1) where the rule's statistic reaches the threshold, else (1/k) sum_{r<=k} x_(r)."""
        mean = AvgTopKPool2d.formula(windows, k)
        largest = windows.maximum().to(mean.dtype)
        if rule == "all":
            with torch.no_grad():
                passing = total([(tap >= threshold).to(mean.dtype) for tap in windows.taps(-torch.inf)])
                counts = windows.counts()
                passed = passing >= (k if isinstance(counts, int) else counts.clamp(max=k))
        else:
            passed = (largest if rule == "max" else mean) >= threshold
        return torch.where(passed, largest, mean)
