"""Fuzzy pooling: memberships of the values, fuzzy integrals of the ranked values, and combinations of aggregations."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice, magnitude
from poolab.pooling.core.windows import Windows, compute_dtype, total
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

RODRIGUEZ_2022 = Reference("Rodriguez et al.", 2022, "doi:10.1016/j.neunet.2022.04.028")


@register("fuzzy")
class FuzzyPool2d(WindowPool2d):
    """Apply fuzzy pooling, the mean by membership: y = sum_i p(x_i) x_i / sum_i p(x_i).

    p is one of three memberships, the one with the largest sum over the window (the first on a tie), each piecewise
    linear and between 0 and 1, with r = `largest`: "small" is 1 up to r/6 and falls to 0 at r/2; "medium" rises from
    r/4 to 1 at r/2 and falls to 0 at 3r/4; "large" rises from r/2 to 1 at 3r/4. Every number belongs to one of them at
    least. Which membership is taken has no gradient. The method depends on the activations' scale: r is 6 for the
    ReLU6 that the paper supposes.

    Args:
        largest: r, in units of the activations.

    Example:
        >>> FuzzyPool2d(2)(torch.tensor([[[0.5, 0.5], [0.5, 6.0]]])).item()  # three small ones
        0.5
    """

    reference = Reference("Diamantis, Iakovidis", 2022, "arXiv:2202.08372")
    options = {"largest": magnitude(6.0)}
    disagreements = (
        "MLV-RG/cnn-pooling-layers-benchmark (Galanis et al. 2022) computes another function: its second membership is "
        "0 above r/4 and negative below it, its third looks at the first membership and not at the values, and it "
        "multiplies memberships and values as matrices.",
        "Another PyTorch port has a symmetric triangle for each set, squares the values in the mean, and gives 0 where "
        "no set holds a value.",
    )

    @staticmethod
    def formula(windows: Windows, largest: float = 6.0) -> Tensor:
        """Compute the mean weighted by the membership of the largest sum."""
        taps, real = windows.taps(0.0), windows.real()
        sets = [[_member(tap / largest, kind) for tap in taps] for kind in ("small", "medium", "large")]
        if real is not None:
            sets = [[p * here for p, here in zip(of, real, strict=True)] for of in sets]
        sums = [total(of) for of in sets]
        # Where a set is not taken its values are not divided: 0 / 0 would be NaN.
        small_first, medium_first = sums[0] >= torch.maximum(sums[1], sums[2]), sums[1] >= sums[2]
        weights = [
            torch.where(small_first, small, torch.where(medium_first, medium, large))
            for small, medium, large in zip(*sets, strict=True)
        ]
        present = [tap.masked_fill(weight == 0, 0.0) for tap, weight in zip(taps, weights, strict=True)]
        mean = total([weight * tap for weight, tap in zip(weights, present, strict=True)]) / total(weights)
        with torch.no_grad():
            has_nan = windows.has_nan()
        return mean.masked_fill(has_nan, torch.nan)


def _member(share: Tensor, kind: str) -> Tensor:
    """Return the membership of a value over the largest one."""
    if kind == "small":
        return ((0.5 - share) * 3).clamp(min=0.0).clamp(max=1.0)  # both bounds at once have no compiled kernel
    rising = (share - (0.25 if kind == "medium" else 0.5)) * 4
    return (torch.minimum(rising, 2 - rising) if kind == "medium" else rising).clamp(min=0.0).clamp(max=1.0)


@register("fuzzy_integral")
class FuzzyIntegralPool2d(WindowPool2d):
    """Apply a fuzzy integral of the ranked values; m_r = (r / n)^power is the measure of the r largest of n.

    "choquet": y = sum_r x_(r) (m_r - m_(r-1)); "sugeno": y = max_r min(x_(r), m_r); "dv_sugeno": y = sum_r x_(r) m_r,
    x_(1) being the largest. The Choquet integral is a weighted mean by rank, whose weights grow with the rank where the
    power is above 1; power 1 is average pooling. The Sugeno integral lies between 0 and 1 for such values and never
    above 1: it depends on the activations' scale. "dv_sugeno" sums to more than 1.

    Args:
        integral: which one.
        power: of the share r / n.

    Example:
        >>> x = torch.tensor([[[0.1, 0.2], [0.4, 0.3]]])
        >>> [round(FuzzyIntegralPool2d(2, integral=name)(x).item(), 4) for name in ("choquet", "sugeno", "dv_sugeno")]
        [0.1875, 0.25, 0.3125]
    """

    reference = RODRIGUEZ_2022
    integral: str
    options = {"integral": Choice("sugeno", ("sugeno", "dv_sugeno", "choquet")), "power": magnitude(2.0)}
    exempt = {
        "ties": "the measure grows with the rank: of equal values the last one may decide, or weigh the most",
    }
    disagreements = (
        "The integrals are defined on [0, 1]; iosurodri/CombPool applies the Sugeno integral to real numbers, as here, "
        "so that nothing above 1 comes out.",
        "iosurodri/CombPool keeps the measure on CUDA device 0 for windows of 2x2 and 3x3, whatever the map's device; "
        "it has no Choquet integral, and no power but 2.",
    )

    @staticmethod
    def formula(windows: Windows, integral: str = "sugeno", power: float = 2.0) -> Tensor:
        """Compute the integral."""
        return _integral(windows, integral, power)


def _integral(windows: Windows, integral: str, power: float) -> Tensor:
    counts = windows.counts()

    def measure(rank: Tensor) -> Tensor:
        return (rank / counts).clamp(0.0, 1.0) ** power

    if integral == "dv_sugeno":
        return windows.sum_by_rank(lambda rank, tap: measure(rank + 1) * tap)
    if integral == "choquet":
        return windows.sum_by_rank(lambda rank, tap: (measure(rank + 1) - measure(rank)) * tap)
    least = [
        torch.where(rank < counts, torch.minimum(tap, measure(rank + 1)), -torch.inf)
        for rank, tap in zip(windows.ranks(), windows.taps(-torch.inf), strict=True)
    ]
    with torch.no_grad():
        has_nan = windows.has_nan()
    return reduce(torch.maximum, least).masked_fill(has_nan, torch.nan)


AGGREGATIONS: dict[str, Callable[[Windows], Tensor]] = {
    "avg": lambda windows: windows.mean(),
    "max": lambda windows: windows.maximum().to(windows.dtype),
    "sugeno": lambda windows: _integral(windows, "sugeno", 2.0),
    "dv_sugeno": lambda windows: _integral(windows, "dv_sugeno", 2.0),
    "choquet": lambda windows: _integral(windows, "choquet", 2.0),
}


@register("comb")
class CombPool2d(WindowPool2d):
    """Apply CombPool, a learned combination of two aggregations: y = w_1^2 A(x) + w_2^2 B(x), w for each channel.

    The numbers start from U(0, 1) and are squared, so that the combination grows with each value; they need not sum
    to 1. The integrals are those of `fuzzy_integral` with power 2.

    Args:
        channels: the number of channels, kept.
        functions: A and B.

    Example:
        >>> pool = CombPool2d(2, channels=1)
        >>> _ = torch.nn.init.constant_(pool.weight, 0.5**0.5)
        >>> round(pool(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item(), 4)  # (2.5 + 4) / 2
        3.25
    """

    reference = RODRIGUEZ_2022
    learns = "always"
    uses_channels = "always"
    functions: str
    options = {"functions": Choice("avg+max", ("avg+max", "avg+sugeno", "max+sugeno", "avg+dv_sugeno", "avg+choquet"))}
    disagreements = (
        "iosurodri/CombPool combines any list of functions, min, median and sum too; here there are five pairs.",
        "Its GatedCombPool2d passes on coefficient_type='channelwise' and so is the same layer; `gated` is a gate.",
        "Its padding argument is not used unless it is a list, and then zeros take part; dilation is not used.",
    )

    def build(self) -> None:
        """Make the two numbers of each channel."""
        self.weight = nn.Parameter(torch.empty(2, self.channels or 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw both from U(0, 1)."""
        nn.init.uniform_(self.weight)

    def arguments(self) -> dict[str, Any]:
        """Return the squares, for each channel."""
        squares = self.weight.to(compute_dtype(self.weight.dtype)).square().view(2, -1, *(1,) * self.dims)
        return {"functions": self.functions, "first": squares[0], "second": squares[1]}

    @staticmethod
    def formula(windows: Windows, first: Tensor, second: Tensor, functions: str = "avg+max") -> Tensor:
        """Compute w_1^2 A(x) + w_2^2 B(x)."""
        one, other = (AGGREGATIONS[name](windows) for name in functions.split("+"))
        return first * one + second * other
