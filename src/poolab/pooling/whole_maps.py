"""Heads that give one value for each channel of the whole map: power means, soft maxima, means of the largest cells.

The formulas of the window methods on the one window that is the whole map, written as reductions over the map: a tap
for each of its H*W cells would be a list of as many tensors.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.base import Reference
from poolab.pooling.head_pool import HeadPool2d
from poolab.pooling.learned import above_one, positive
from poolab.pooling.options import Choice, Integer, Real, flag
from poolab.pooling.registry import register
from poolab.pooling.windows import compute_dtype, rescue_infinite

MAP = (-2, -1)


@register("global_lp")
class GlobalLpPool2d(HeadPool2d):
    """The power mean of the absolute values of the map, y = ((1/HW) sum_i |x_i|^p)^(1/p), as (N, C, 1, 1).

    Computed in float32 at least and with the largest value factored out, as in `LpPool2d`.

    Args:
        p: the exponent, at least 1; inf is the largest absolute value. The start value (> 1) where it is learned.
        norm: "mean", or "sum" for (sum_i |x_i|^p)^(1/p).
        learnable: learn p = 1 + softplus(rho) (Gulcehre et al. 2014, arXiv:1311.1780).

    Example:
        >>> import torch
        >>> round(GlobalLpPool2d()(torch.tensor([[[1.0, -1.0], [7.0, -7.0]]])).item(), 4)
        5.0
    """

    reference = Reference("Sermanet, Chintala, LeCun", 2012, "arXiv:1204.3968")
    learns = "option"
    learned = above_one("p")
    options = {
        "p": Real(2.0, least=1.0, infinite=True),
        "norm": Choice("mean", ("mean", "sum")),
        "learnable": flag(False),
    }
    disagreements = (
        "torch.nn.LPPool2d over the whole map takes the power of the signed value (NaN for a negative cell and a "
        "non-integer p, pytorch/pytorch#184037) and sums, which is norm='sum' here.",
    )

    @staticmethod
    def formula(input: Tensor, p: float | Tensor = 2.0, norm: str = "mean") -> Tensor:
        """M * (mean or sum of (|x| / M)^p)^(1/p)."""
        return _power_mean(input.abs(), p, norm)


@register("global_gem")
class GlobalGeMPool2d(HeadPool2d):
    """The generalized mean of the map, y = ((1/HW) sum_i max(x_i, eps)^p)^(1/p), as (N, C, 1, 1).

    Computed in float32 at least and with the largest value factored out. Cells below eps count as eps and get no
    gradient.

    Args:
        p: the exponent, at least 1; inf is the maximum. The start value (> 1) where it is learned.
        learnable: learn p = 1 + softplus(rho), which no step of an optimizer takes to 1 or below.
        per_channel: learn one p for each channel; needs `learnable` and `channels`.
        eps: the least value of a cell, above 0.

    Example:
        >>> import torch
        >>> round(GlobalGeMPool2d(p=2.0, learnable=False)(torch.tensor([[[1.0, -1.0], [5.0, 7.0]]])).item(), 4)
        4.3301
    """

    reference = Reference("Radenovic, Tolias, Chum", 2019, "arXiv:1711.02512")
    learns = "option"
    uses_channels = "option"
    learned = above_one("p")
    per_channel: bool
    options = {
        "p": Real(3.0, least=1.0, infinite=True),
        "learnable": flag(True),
        "per_channel": flag(False),
        "eps": Real(1e-6, least=0.0, open_least=True),
    }
    disagreements = (
        "cirtorch's GeM (filipradenovic/cnnimageretrieval-pytorch) takes the power in the input's dtype: in float16 "
        "1e-6^3 is 0, so a channel of zeros gives 0 and a NaN gradient of p; in float32 p = 200 gives 0.",
        "cirtorch learns p itself, which a step of an optimizer can take through 0.",
        "The clamp cannot be turned off (filipradenovic/cnnimageretrieval-pytorch#73); `global_lp` takes |x| instead.",
    )

    @property
    def is_per_channel(self) -> bool:
        """Whether each channel learns an exponent of its own."""
        return self.per_channel

    def conflicts(self) -> Iterator[str]:
        """One exponent for each channel is a parameter."""
        if self.per_channel and not self.is_learning:
            yield "per_channel=True is one p to learn for each channel: it needs learnable=True"

    def _channel_faults(self) -> Iterator[str]:
        if self.per_channel and self.channels is None:
            yield "per_channel=True needs channels, the number of channels of its input"
        else:
            yield from super()._channel_faults()

    @staticmethod
    def formula(input: Tensor, p: float | Tensor = 3.0, eps: float = 1e-6) -> Tensor:
        """M * (mean of (max(x, eps) / M)^p)^(1/p)."""
        return _power_mean(input.to(compute_dtype(input.dtype)).clamp(min=eps), p, "mean")


@register("global_lse")
class GlobalLSEPool2d(HeadPool2d):
    """The log of the mean exponential of the map, y = (1/r) log((1/HW) sum_i exp(r x_i)), as (N, C, 1, 1).

    Computed as M + (1/r) log((1/HW) sum_i exp(r (x_i - M))) with M the maximum, in float32 at least, and by
    log1p and expm1 where the exponentials are all near 1, so that small r is as precise as large r.

    Args:
        r: above 0; towards 0 the mean, towards infinity the maximum. The start value where it is learned.
        learnable: learn log r.

    Example:
        >>> import torch
        >>> round(GlobalLSEPool2d(r=1.0)(torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])).item(), 4)  # log((3 + e) / 4)
        0.3574
    """

    reference = Reference("Pinheiro, Collobert", 2015, "arXiv:1411.6228")
    learns = "option"
    learned = positive("r")
    options = {"r": Real(10.0, least=0.0, open_least=True), "learnable": flag(False)}
    disagreements = (
        "timm's LsePlus2d learns r itself by default: nothing keeps it from 0, where the formula divides by it (NaN "
        "was reported of such a layer in VChristlein/dgmp#1).",
        "Some write the sum instead of the mean of the exponentials: that adds log(HW) / r, so that a constant map "
        "does not keep its value.",
    )

    @staticmethod
    def formula(input: Tensor, r: float | Tensor = 10.0) -> Tensor:
        """M + (1/r) log mean exp(r (x - M))."""
        cells = input.to(compute_dtype(input.dtype))
        top = cells.detach().amax(MAP, keepdim=True)  # y(x + c) = y(x) + c: the shift changes no gradient
        below = cells - top
        away = below == -torch.inf  # no weight, and no 0 * inf in the gradient of r
        exponent = r * below.masked_fill(away | cells.isinf(), 0.0)
        nearly = exponent.expm1().masked_fill(away, -1.0).mean(MAP, keepdim=True)
        whole = exponent.exp().masked_fill(away, 0.0).mean(MAP, keepdim=True)
        close = nearly > -0.5
        return top + torch.where(close, nearly.where(close, 0.0).log1p(), whole.log()) / r


@register("global_topk")
class GlobalTopKPool2d(HeadPool2d):
    """The mean of the k largest cells of the map, y = (1/k) sum_{r<=k} x_(r), as (N, C, 1, 1).

    k = 1 is the maximum, k = HW the mean. Equal cells rank in raster order, so that the first takes the gradient.

    Args:
        k: how many cells; a map that has fewer gives the mean of all.
        share: where given, the share of the map's cells that takes the place of k, above 0 to 1, rounded to a whole
            number of cells and at least one. It follows the size of the map, k does not.

    Example:
        >>> import torch
        >>> GlobalTopKPool2d(k=2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.5
    """

    reference = Reference("Dogan", 2023, "doi:10.18280/ts.400216")
    options = {"k": Integer(8), "share": Real(None, least=0.0, most=1.0, open_least=True)}
    disagreements = (
        "Top-t% aggregation (arXiv:2002.07613) is `share`; GAMP (Dogan 2023) fixes the number of cells, which is `k`.",
        "torch.topk, on which public versions stand, promises no order among equal cells, so neither which of them "
        "takes the gradient.",
    )

    @staticmethod
    def formula(input: Tensor, k: int = 8, share: float | None = None) -> Tensor:
        """(1/k) sum_{r<=k} x_(r)."""
        cells = input.to(compute_dtype(input.dtype)).flatten(2)
        count = cells.shape[2]
        k = min(k, count) if share is None else max(1, int(share * count + 0.5))
        # A stable sort ranks NaN first, and equal cells by their place.
        largest = cells.sort(dim=2, descending=True, stable=True).values[..., :k]
        return largest.mean(2)[..., None, None]


@register("global_avgmax")
class GlobalAvgMaxPool2d(HeadPool2d):
    """Mean and maximum of the map, y = (mean + max) / 2 as (N, C, 1, 1), or both one after the other, (N, 2C, 1, 1).

    Args:
        mode: "mean" of the two, or "cat": all means, then all maxima.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])
        >>> GlobalAvgMaxPool2d()(x).item(), GlobalAvgMaxPool2d(mode="cat")(x).flatten().tolist()
        (3.25, [2.5, 4.0])
    """

    reference = Reference("Wightman", 2019, "doi:10.5281/zenodo.4414861")
    mode: str
    options = {"mode": Choice("mean", ("mean", "cat"))}
    disagreements = (
        "timm's 'fastavgmax' and 'fastcatavgmax' take the maximum by amax, which splits the gradient of a tie evenly; "
        "its 'avgmax' and 'catavgmax', torch's adaptive pooling and this give it to the first cell.",
    )

    def out_channels(self, channels: int) -> int:
        """Twice as many where both are kept."""
        return channels * (2 if self.mode == "cat" else 1)

    @staticmethod
    def formula(input: Tensor, mode: str = "mean") -> Tensor:
        """(mean + max) / 2, or both."""
        cells = input.to(compute_dtype(input.dtype))
        mean, top = F.adaptive_avg_pool2d(cells, 1), F.adaptive_max_pool2d(cells, 1)
        return torch.cat([mean, top], 1) if mode == "cat" else 0.5 * mean + 0.5 * top


def _power_mean(sizes: Tensor, p: float | Tensor, norm: str) -> Tensor:
    """The power mean of non-negative cells over the map."""
    if isinstance(p, float) and math.isinf(p):
        return F.adaptive_max_pool2d(sizes, 1)
    sizes = sizes.to(compute_dtype(sizes.dtype))
    top = sizes.detach().amax(MAP, keepdim=True)  # the formula does not depend on the scale, so neither the gradient
    scale = torch.where(top == 0, 1.0, top)
    powers = rescue_infinite(sizes, top, sizes / scale, 1.0, 0.0).pow(p)
    reduced = powers.mean(MAP, keepdim=True) if norm == "mean" else powers.sum(MAP, keepdim=True)
    return top * torch.where(top == 0, 1.0, reduced).pow(1 / p)  # the root of 0 has no finite slope
