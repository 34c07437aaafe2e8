"""Pooling by regularized optimal transport between the positions and the channels of a map (Xu, Cheng 2023)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.open_sizes import as_tensor
from poolab.pooling.core.options import Choice, Integer
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.head.attention import MIXES
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register

LEAST = 1e-6  # of a step and a weight: softplus(-90) is 0 in float32, and the formula divides by it
CHANNELS, POSITIONS = 1, 2  # the dimensions of a map (N, C, HW)


@register("rotp")
class OptimalTransportPool2d(HeadPool2d):
    """Apply regularized optimal transport pooling (ROTP): y_c = C sum_i P_ic x_ic, P a transport plan between the HW
    positions i and the C channels c.

    The plan is on the way to the least -<X, P> + a <P, log P> with even sums, 1/HW at each position and 1/C in each
    channel, by the entropic Bregman ADMM: with `marginal="channels"` each iteration sets P = softmax_i((X - Z) / r +
    log S) / C, S = softmax_c((Z + r log P) / (a + r)) / HW and Z = Z + r (P - S), from an even S and Z = 0 on. Then the
    weights C P of a channel sum to 1, and one iteration is `softpool` of the whole map at temperature r. With
    "positions" the softmaxes change places: P sums to 1/HW at every position, and the weights of a channel to no fixed
    number. Steps r and weights a are learned, softplus of a free number each (at least 1e-6), with numbers of their own
    in each iteration; the last one needs no a.

    Args:
        iterations: of the Bregman ADMM.
        marginal: which sums the plan has exactly, those of the "channels" or of the "positions".

    Example:
        >>> import torch
        >>> x = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
        >>> [round(value, 4) for value in OptimalTransportPool2d()(x).flatten().tolist()]  # a constant stays
        [1.0, 2.0]
    """

    reference = Reference("Xu, Cheng", 2023, "arXiv:2212.06339")
    learns = "always"
    iterations: int
    marginal: str
    options = {
        "iterations": Integer(4, most=100),
        "marginal": Choice("channels", ("channels", "positions")),
    }
    exempt = {"nan": MIXES}
    disagreements = (
        "SDS-Lab/ROT-Pooling gave the plan of its Bregman ADMM the channels' sums until September 2022; since then "
        "(57e8c75) it has those of the positions, which is marginal='positions' here: a constant channel does not keep "
        "its value then. The paper's abstract calls the result a conditional expectation, whose weights sum to 1 for "
        "each channel.",
        "There the weights a2 and a3 of the two marginals' divergences are learned too. In its Bregman ADMM they "
        "change nothing: each plan has the sums that were asked of it, the multipliers of the sums stay 0, and both "
        "get no gradient but rounding. Nor does the last of the weights a1. Here all of them are left out.",
        "There 1e-8 is added to the priors inside logarithms.",
        "Its other solvers are not offered here. `sinkhorn` divides the scaled potentials by the weight a1 once more, "
        "so that only for a1 = 1 it goes to the solution of the problem, and its plan has none of the sums exactly: "
        "after 4 iterations with all weights log 2, the weights of a channel summed to 2.7 to 4.4 on normal values. "
        "`badmm-q` has a quadratic regularizer.",
        "Its ROTPooling adds a Gromov-Wasserstein term by the covariances of channels (C x C) and of positions (HW x "
        "HW); its `sinkhorn` form is called with no inner iteration, so that nothing is scaled. q0 may be learned by "
        "an attention network. Neither is offered here.",
    )

    def build(self) -> None:
        """Make the free numbers of steps and weights."""
        self.rho = nn.Parameter(torch.empty(self.iterations))
        self.alpha = nn.Parameter(torch.empty(self.iterations - 1)) if self.iterations > 1 else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw them as the authors do, around softplus(0) = log 2."""
        for free in (self.rho, self.alpha):
            if free is not None:
                nn.init.normal_(free, std=0.1)

    @staticmethod
    def formula(input: Tensor, rho: Tensor, alpha: Tensor | None, marginal: str = "channels") -> Tensor:
        """Compute C sum_i P_ic x_ic."""
        values = input.to(compute_dtype(input.dtype)).flatten(2)
        met, other = (POSITIONS, CHANNELS) if marginal == "channels" else (CHANNELS, POSITIONS)
        steps = _positive(rho, values)
        weights = [] if alpha is None else _positive(alpha, values)
        shares = _plan(values - values.detach().amax(met, keepdim=True), steps, weights, met, other).exp()
        scale: Any = 1.0 if marginal == "channels" else _share(values, CHANNELS) / _share(values, POSITIONS)
        return (scale * (shares * values).sum(2))[..., None, None]


def _plan(gains: Tensor, steps: list[Tensor], weights: list[Tensor], met: int, other: int) -> Tensor:
    """Return log P without its prior: a log softmax over the dimension `met`, which no shift along it changes."""
    plan, second, multipliers = torch.log_softmax(gains / steps[0], met), None, torch.zeros_like(gains)
    for before, step, weight in zip(steps, steps[1:], weights, strict=False):
        second = torch.log_softmax((multipliers + before * plan) / (weight + before), other)
        # The softmax over the positions has the mass 1 in each of the C channels, and so on.
        multipliers = multipliers + before * (plan.exp() / _share(gains, other) - second.exp() / _share(gains, met))
        plan = torch.log_softmax((gains - multipliers) / step + second, met)
    return plan


def _share(values: Tensor, dim: int) -> Tensor:
    """Return how many elements a dimension has, as a number that an exporter may leave open."""
    return as_tensor(values.shape[dim], values).to(values.dtype)


def _positive(free: Tensor, like: Tensor) -> list[Tensor]:
    """Return softplus of each number, at least 1e-6."""
    return list(F.softplus(free.to(like.dtype)).clamp(min=LEAST).unbind())
