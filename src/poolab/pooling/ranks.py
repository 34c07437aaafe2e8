"""Weights by rank: the mean of the largest cells, geometric weights, and the draw of a rank."""

import torch
from torch import Tensor

from poolab.pooling.base import Reference
from poolab.pooling.options import Integer, Real, flag
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d
from poolab.pooling.windows import Windows

SHI_2016 = Reference("Shi, Ye, Wu", 2016, "doi:10.1016/j.neunet.2016.07.003")


@register("avg_topk")
class AvgTopKPool2d(WindowPool2d):
    """The mean of the k largest cells, y = (1/k) sum_{r<=k} x_(r).

    k = 1 is max pooling, k = n the mean. A window that has fewer than k cells at the border uses those it has. The
    paper's text says "weighted average"; its code is this plain mean.

    Args:
        k: how many cells, from 1 to the number of cells of the window.

    Example:
        >>> AvgTopKPool2d(2, k=2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.5
    """

    reference = Reference("Ozdemir", 2023, "Expert Systems with Applications, article 119892")
    options = {"k": Integer(2, within_window=True)}

    @staticmethod
    def formula(windows: Windows, k: int = 2) -> Tensor:
        """(1/k) sum_{r<=k} x_(r)."""
        if k == 1:
            return windows.maximum()
        if k == windows.geometry.cells:
            return windows.mean()
        counts = windows.counts()
        taken = k if isinstance(counts, int) else counts.clamp(max=k)
        return windows.sum_by_rank(lambda rank, cell: torch.where(rank < k, cell, 0.0)) / taken


@register("rank_avg")
class RankAvgPool2d(WindowPool2d):
    """Rank-based average pooling (RAP), y = (1/t) sum_{r<=t} x_(r): the same function as `avg_topk`, published earlier.

    Args:
        t: how many cells, from 1 to the number of cells of the window.

    Example:
        >>> RankAvgPool2d(2, t=3)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.0
    """

    reference = SHI_2016
    options = {"t": Integer(2, within_window=True)}

    @staticmethod
    def formula(windows: Windows, t: int = 2) -> Tensor:
        """(1/t) sum_{r<=t} x_(r)."""
        return AvgTopKPool2d.formula(windows, t)


@register("rank_weighted")
class RankWeightedPool2d(WindowPool2d):
    """Rank-based weighted pooling (RWP), y = sum_r p_r x_(r) with p_r = alpha (1 - alpha)^(r-1).

    Args:
        alpha: the weight of the largest cell, above 0; 1 is max pooling.
        normalize: divide by sum_r p_r = 1 - (1 - alpha)^n over the window's real cells, so that a constant stays that
            constant; False is the paper's.

    Example:
        >>> RankWeightedPool2d(2, normalize=False)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.0625
    """

    reference = SHI_2016
    options = {"alpha": Real(0.5, least=0.0, most=1.0, open_least=True), "normalize": flag(True)}

    @staticmethod
    def formula(windows: Windows, alpha: float = 0.5, normalize: bool = True) -> Tensor:
        """sum_r alpha (1 - alpha)^(r-1) x_(r)."""
        if alpha == 1.0:
            return windows.maximum()
        whole = 1 - (1 - alpha) ** windows.counts() if normalize else 1.0
        return windows.sum_by_rank(lambda rank, cell: (1 - alpha) ** rank * cell) * (alpha / whole)


@register("rank_stochastic")
class RankStochasticPool2d(WindowPool2d):
    """Rank-based stochastic pooling (RSP): in training the cell of a drawn rank, P(r) = p_r / sum_s p_s, p as in RWP.

    In evaluation the expectation, which is normalised rank-weighted pooling. The published code leaves the remaining
    probability (1 - alpha)^n to whatever the memory held; here the probabilities are normalised over the real cells.

    Args:
        alpha: the weight of the largest cell, above 0 to 1.

    Example:
        >>> round(RankStochasticPool2d(2).eval()(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item(), 4)
        3.2667
    """

    reference = SHI_2016
    random = True
    options = {"alpha": Real(0.5, least=0.0, most=1.0, open_least=True)}

    @staticmethod
    def formula(
        windows: Windows, alpha: float = 0.5, training: bool = True, generator: torch.Generator | None = None
    ) -> Tensor:
        """x_(r) for a drawn rank r in training, sum_r P(r) x_(r) otherwise."""
        if not training:
            return RankWeightedPool2d.formula(windows, alpha)
        counts = windows.counts()
        mark = windows.uniform(generator) * (1 - (1 - alpha) ** counts)
        # The first r ranks hold 1 - (1 - alpha)^r of the probability.
        passed = [(mark >= 1 - (1 - alpha) ** r).to(mark.dtype) for r in range(1, windows.geometry.cells)]
        drawn = sum(passed, torch.zeros_like(mark)).clamp(max=counts - 1)  # rounding may pass the last real cell
        return windows.sum_by_rank(lambda rank, cell: torch.where(rank == drawn, cell, 0.0))
