"""Draws by rank: of a rank with geometric probability, and of the taps that are kept before the maximum is taken."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Real
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window.rank import SHI_2016, RankWeightedPool2d
from poolab.pooling.window_pool import WindowPool2d


@register("rank_stochastic")
class RankStochasticPool2d(WindowPool2d):
    """Apply rank-based stochastic pooling (RSP); in training the value of a drawn rank, P(r) = p_r / sum_s p_s, p
    as in RWP.

    The probabilities are normalised over the window's real taps.

    Args:
        alpha: the weight of the largest tap.

    Example:
        >>> round(RankStochasticPool2d(2).eval()(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item(), 4)
        3.2667
    """

    reference = SHI_2016
    random = True
    evaluates = "The expectation sum_r P(r) x_(r), which is normalised rank-weighted pooling."
    disagreements = (
        "The published probabilities sum to 1 - (1 - alpha)^n; in the authors' Caffe code the rest selects nothing "
        "in training, so that the output keeps what its memory held, and the evaluation is the sum without "
        "normalisation. Giving the rest to 0 is `max_dropout`.",
    )
    options = {"alpha": Real(0.5, least=0.0, most=1.0, open_least=True)}

    @staticmethod
    def formula(
        windows: Windows, alpha: float = 0.5, training: bool = True, generator: torch.Generator | None = None
    ) -> Tensor:
        """Compute x_(r) for a drawn rank r in training, sum_r P(r) x_(r) otherwise."""
        if not training:
            return RankWeightedPool2d.formula(windows, alpha)
        counts = windows.counts()
        mark = windows.uniform(generator) * (1 - (1 - alpha) ** counts)
        # The first r ranks hold 1 - (1 - alpha)^r of the probability.
        passed = [(mark >= 1 - (1 - alpha) ** r).to(mark.dtype) for r in range(1, windows.geometry.taps)]
        drawn = sum(passed, torch.zeros_like(mark)).clamp(max=counts - 1)  # rounding may pass the last real tap
        return windows.sum_by_rank(lambda rank, tap: torch.where(rank == drawn, tap, 0.0))


@register("max_dropout")
class MaxDropoutPool2d(WindowPool2d):
    """Apply max pooling with dropout of values; in training the maximum of those kept, each with probability p, P(y
    = x_(r)) = p (1 - p)^(r-1).

    A dropped tap is not in the window, and a window that keeps no tap gives 0 (with gradient 0). The paper has
    non-negative input, where this is the same as setting dropped taps to 0; for signed input it is our reading, so
    that the evaluation stays the expectation of the training. An element is kept or dropped once for all windows that
    hold it.

    Args:
        retain: p, the probability of keeping a tap; 1 is max pooling.

    Example:
        >>> MaxDropoutPool2d(2).eval()(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.0625
    """

    reference = Reference("Wu, Gu", 2015, "arXiv:1512.00242")
    random = True
    evaluates = "The expectation sum_r p (1 - p)^(r-1) x_(r), which the paper calls probabilistic weighted pooling."
    disagreements = (
        "The usual code sets dropped taps to 0, so that 0 beats the negative taps that are kept; here they are "
        "left out.",
        "The evaluations that the paper compares with, the plain maximum and p times the maximum, are not the "
        "expectation.",
    )
    exempt = {"padding": "the fewer taps a window has, the likelier is 0: a constant c gives c (1 - (1 - p)^n)"}
    options = {"retain": Real(0.5, least=0.0, most=1.0, open_least=True)}

    @staticmethod
    def formula(
        windows: Windows, retain: float = 0.5, training: bool = True, generator: torch.Generator | None = None
    ) -> Tensor:
        """Compute the largest kept value in training, its expectation otherwise."""
        if not training:
            return RankWeightedPool2d.formula(windows, retain, normalize=False)
        taps, numbers, real = windows.taps(0.0), windows.uniform_of_positions(generator), windows.real()
        # NaN is not lost. A missing tap is not kept.
        kept = [(number < retain) | tap.isnan() for number, tap in zip(numbers, taps, strict=True)]
        if real is not None:
            kept = [keep & here for keep, here in zip(kept, real, strict=True)]
        largest = torch.zeros_like(taps[0])
        any_kept = torch.zeros_like(kept[0])
        for tap, keep in zip(taps, kept, strict=True):
            # Of equal taps the first keeps the gradient, as in `nn.MaxPool2d`.
            largest = torch.where(keep & (~any_kept | (tap > largest) | tap.isnan()), tap, largest)
            any_kept = any_kept | keep
        return largest
