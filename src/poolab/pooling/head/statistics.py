"""Heads that give one value for each channel of the whole map: power means, soft maxima, means of the largest elements.

The formulas of the window methods on the one window that is the whole map, written as reductions over the map: a tap
for each of its H*W positions would be a list of as many tensors. A head that has a window method takes its options and
the way it learns from there.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.open_sizes import as_tensor
from poolab.pooling.core.options import Choice, Integer, Real
from poolab.pooling.core.windows import compute_dtype, rescue_infinite
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register
from poolab.pooling.window.powers import GeneralizedMean, LpPool2d
from poolab.pooling.window.softmax import LSEPool2d

MAP = (-2, -1)


@register("global_lp")
class GlobalLpPool2d(HeadPool2d):
    """Apply global Lp pooling, the power mean of the map: y = ((1/HW) sum_i |x_i|^p)^(1/p).

    Computed in float32 at least and with the largest value factored out, as in `LpPool2d`.

    Args:
        p: the exponent; inf is the largest absolute value. Where it is learned the start value
            (above 1.000001 and below 1e6).
        norm: "mean", or "sum" for (sum_i |x_i|^p)^(1/p).
        learnable: learn p = 1 + softplus(rho) (Gulcehre et al. 2014, arXiv:1311.1780), from 1.000001 to 1e6.

    Example:
        >>> import torch
        >>> round(GlobalLpPool2d()(torch.tensor([[[1.0, -1.0], [7.0, -7.0]]])).item(), 4)
        5.0
    """

    reference = Reference("Sermanet, Chintala, LeCun", 2012, "arXiv:1204.3968")
    learns = "option"
    learned = LpPool2d.learned
    options = LpPool2d.options
    disagreements = (
        "torch.nn.LPPool2d over the whole map takes the power of the signed value (NaN for a negative element and a "
        "non-integer p, pytorch/pytorch#184037) and sums, which is norm='sum' here.",
    )

    @staticmethod
    def formula(input: Tensor, p: float | Tensor = 2.0, norm: str = "mean") -> Tensor:
        """Compute M * (mean or sum of (|x| / M)^p)^(1/p)."""
        return _power_mean(input.abs(), p, norm)


@register("global_gem")
class GlobalGeMPool2d(GeneralizedMean, HeadPool2d):
    """Apply global generalized-mean pooling (GeM): y = ((1/HW) sum_i max(x_i, eps)^p)^(1/p).

    Computed in float32 at least, with the largest value M factored out, as M exp(log((1/HW) sum_i (x_i/M)^p) / p), so
    that p may be small or large. Elements below eps count as eps and get no gradient.

    Args:
        p: the exponent; 1 is the mean, inf the maximum. Where it is learned the start value (above
            1e-6 and below 1e6).
        learnable: learn p = exp(rho), from 1e-6 to 1e6 whatever the step of an optimizer.
        per_channel: learn one p for each channel; needs `learnable` and `channels`.
        eps: the smallest value that an element counts as.

    Example:
        >>> import torch
        >>> round(GlobalGeMPool2d(p=2.0, learnable=False)(torch.tensor([[[1.0, -1.0], [5.0, 7.0]]])).item(), 4)
        4.3301
    """

    reference = Reference("Radenovic, Tolias, Chum", 2019, "arXiv:1711.02512")
    disagreements = (
        "cirtorch's GeM (filipradenovic/cnnimageretrieval-pytorch) takes the power in the input's dtype: in float16 "
        "1e-6^3 is 0, so a channel of zeros gives 0 and a NaN gradient of p; in float32 p = 200 gives 0.",
        "cirtorch learns p itself, which a step of an optimizer can take through 0.",
        "The clamp cannot be turned off (filipradenovic/cnnimageretrieval-pytorch#73); `global_lp` takes |x| instead.",
    )

    @staticmethod
    def formula(input: Tensor, p: float | Tensor = 3.0, eps: float = 1e-6) -> Tensor:
        """Compute M * (mean of (max(x, eps) / M)^p)^(1/p)."""
        values = input.to(compute_dtype(input.dtype)).clamp(min=eps)
        if isinstance(p, float) and p == math.inf:
            return F.adaptive_max_pool2d(values, 1)
        top = values.detach().amax(MAP, keepdim=True)  # the formula does not depend on the scale: nor does the gradient
        share = rescue_infinite(values, top, values / top, 1.0, 0.0).clamp(min=torch.finfo(values.dtype).tiny)
        return top * (_log_mean_exp(p * share.log()) / p).exp()


@register("global_lse")
class GlobalLSEPool2d(HeadPool2d):
    """Apply global log-sum-exp pooling, a smooth maximum: y = (1/r) log((1/HW) sum_i exp(r x_i)).

    Computed as M + (1/r) log((1/HW) sum_i exp(r (x_i - M))) with M the maximum, in float32 at least, and by
    log1p and expm1 where the exponentials are all near 1, so that small r is as precise as large r.

    Args:
        r: the sharpness; towards infinity the maximum, towards 0 the mean. Where it is learned the
            start value (above 0.000101 and below 1e6).
        learnable: learn r = 0.0001 + exp(rho), exp(rho) from 1e-6 to 1e6, which no step of an optimizer brings to 0.

    Example:
        >>> import torch
        >>> round(GlobalLSEPool2d(r=1.0)(torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])).item(), 4)  # log((3 + e) / 4)
        0.3574
    """

    reference = Reference("Pinheiro, Collobert", 2015, "arXiv:1411.6228")
    learns = "option"
    learned = LSEPool2d.learned
    options = LSEPool2d.options
    disagreements = (
        "timm's LsePlus2d learns r itself by default: nothing keeps it from 0, where the formula divides by it (NaN "
        "was reported of such a layer in VChristlein/dgmp#1).",
        "Some write the sum instead of the mean of the exponentials: that adds log(HW) / r, so that a constant map "
        "does not keep its value.",
    )

    @staticmethod
    def formula(input: Tensor, r: float | Tensor = 10.0) -> Tensor:
        """Compute M + (1/r) log mean exp(r (x - M))."""
        values = input.to(compute_dtype(input.dtype))
        top = values.detach().amax(MAP, keepdim=True)  # y(x + c) = y(x) + c: the shift changes no gradient
        below = values - top
        away = below == -torch.inf  # no weight, and no 0 * inf in the gradient of r
        return top + _log_mean_exp(r * below.masked_fill(away | values.isinf(), 0.0), away) / r


@register("global_topk")
class GlobalTopKPool2d(HeadPool2d):
    """Apply global top-k pooling, the mean of the k largest: y = (1/k) sum_{r<=k} x_(r) over the map.

    k = 1 is the maximum, k = HW the mean. Equal elements rank in raster order, so that the first takes the gradient.

    Args:
        k: how many elements; a map that has fewer gives the mean of all.
        share: where given, the share of the map's elements that takes the place of k, rounded to a whole
            number of elements and at least one. It follows the size of the map, k does not.

    Example:
        >>> import torch
        >>> GlobalTopKPool2d(k=2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.5
    """

    reference = Reference("Dogan", 2023, "doi:10.18280/ts.400216")
    options = {"k": Integer(8, most=67_108_864), "share": Real(None, least=0.0, most=1.0, open_least=True)}
    disagreements = (
        "Top-t% aggregation (arXiv:2002.07613) is `share`; GAMP (Dogan 2023) fixes the number of elements, which is "
        "`k`.",
        "torch.topk, on which public versions stand, promises no order among equal elements, so neither which of them "
        "takes the gradient.",
    )

    @staticmethod
    def formula(input: Tensor, k: int = 8, share: float | None = None) -> Tensor:
        """Compute (1/k) sum_{r<=k} x_(r)."""
        values = input.to(compute_dtype(input.dtype)).flatten(2)
        count = values.shape[2]
        if torch.compiler.is_exporting():
            return _mean_of_largest(values, k, share)[..., None, None]
        k = min(k, count) if share is None else max(1, int(share * count + 0.5))
        # A stable sort ranks NaN first, and equal elements by their place.
        largest = values.sort(dim=2, descending=True, stable=True).values[..., :k]
        return largest.mean(2)[..., None, None]


@register("global_avgmax")
class GlobalAvgMaxPool2d(HeadPool2d):
    """Apply global average and max pooling: y = (mean + max) / 2, or both one after the other, (N, 2C, 1, 1).

    Args:
        mode: "mean" of the two, or "cat": all means, then all maxima.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])
        >>> GlobalAvgMaxPool2d()(x).item(), GlobalAvgMaxPool2d(mode="cat")(x).flatten().tolist()
        (3.25, [2.5, 4.0])
    """

    output_shape = "(N, 2 * C if mode == 'cat' else C, 1, 1)"
    reference = Reference("Wightman", 2019, "doi:10.5281/zenodo.4414861")
    mode: str
    options = {"mode": Choice("mean", ("mean", "cat"))}
    disagreements = (
        "timm's 'fastavgmax' and 'fastcatavgmax' take the maximum by amax, which splits the gradient of a tie evenly; "
        "its 'avgmax' and 'catavgmax', torch's adaptive pooling and this give it to the first element.",
    )

    def out_channels(self, channels: int) -> int:
        """Return twice as many where both are kept."""
        return channels * (2 if self.mode == "cat" else 1)

    @staticmethod
    def formula(input: Tensor, mode: str = "mean") -> Tensor:
        """Compute (mean + max) / 2, or both."""
        values = input.to(compute_dtype(input.dtype))
        mean, top = F.adaptive_avg_pool2d(values, 1), F.adaptive_max_pool2d(values, 1)
        return torch.cat([mean, top], 1) if mode == "cat" else 0.5 * mean + 0.5 * top


def _mean_of_largest(values: Tensor, k: int, share: float | None) -> Tensor:
    """Compute `global_topk` for an exporter, which may leave the size open, and for ONNX, which has no stable sort.

    Equal elements have the same value, so the values do not ask which comes first; the gradient of a tie goes to any.
    """
    count = as_tensor(values.shape[2], values)
    kept = count.clamp(max=k) if share is None else (share * count.double() + 0.5).floor().clamp(min=1)
    largest = values.topk(values.shape[2], dim=2).values
    taken = torch.arange(values.shape[2], device=values.device) < kept
    mean = largest.masked_fill(~taken, 0.0).sum(2) / kept.to(values.dtype)
    return mean.masked_fill(values.isnan().any(2), torch.nan)


def _log_mean_exp(exponents: Tensor, away: Tensor | None = None) -> Tensor:
    """Return the log of the map's mean of exp(exponent), the largest exponent being 0; none for what is `away`."""
    gains, powers = exponents.expm1(), exponents.exp()
    if away is not None:
        gains, powers = gains.masked_fill(away, -1.0), powers.masked_fill(away, 0.0)
    gain, power = gains.mean(MAP, keepdim=True), powers.mean(MAP, keepdim=True)
    close = gain > -0.5  # near 1 the first has the digits, far from it the second
    return torch.where(close, gain.where(close, 0.0).log1p(), power.log())


def _power_mean(sizes: Tensor, p: float | Tensor, norm: str) -> Tensor:
    """Return the power mean of non-negative elements over the map."""
    if isinstance(p, float) and p == math.inf:
        return F.adaptive_max_pool2d(sizes, 1)
    sizes = sizes.to(compute_dtype(sizes.dtype))
    top = sizes.detach().amax(MAP, keepdim=True)  # the formula does not depend on the scale, so neither the gradient
    scale = torch.where(top == 0, 1.0, top)
    powers = rescue_infinite(sizes, top, sizes / scale, 1.0, 0.0).pow(p)
    reduced = powers.mean(MAP, keepdim=True) if norm == "mean" else powers.sum(MAP, keepdim=True)
    return top * torch.where(top == 0, 1.0, reduced).pow(1 / p)  # the root of 0 has no finite slope
