"""Heads: a whole map to one value, or to a fixed grid of values, for each channel."""

import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Size
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.head._open_maps import adaptive_avg, adaptive_max
from poolab.pooling.map_pool import HeadPool2d
from poolab.pooling.registry import register

LIN_2014 = Reference("Lin, Chen, Yan", 2014, "arXiv:1312.4400")
BINS = (
    "Spatial pyramid pooling's windows, ceil(H/h) at strides of floor(H/h), are others where h does not divide H.",
    "Where h does not divide H torch's ONNX exporter refuses it (pytorch/pytorch#42653, #64806), and on MPS it was "
    "unsupported or wrong (pytorch/pytorch#96056, #143864).",
    "torch's CUDA backward has no deterministic version (pytorch/pytorch#50198, #131972).",
)


@register("global_avg")
class GlobalAvgPool2d(HeadPool2d):
    """Apply global average pooling, the mean of the map: y = (1/HW) sum_i x_i.

    Example:
        >>> import torch
        >>> GlobalAvgPool2d()(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        2.5
    """

    reference = LIN_2014

    @staticmethod
    def formula(input: Tensor) -> Tensor:
        """Compute (1/HW) sum x."""
        return _adaptive_avg(input, (1, 1))


@register("global_max")
class GlobalMaxPool2d(HeadPool2d):
    """Apply global max pooling, the maximum of the map: y = max_i x_i; on a tie the gradient goes to the first.

    Example:
        >>> import torch
        >>> GlobalMaxPool2d()(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        4.0
    """

    reference = Reference("Oquab et al.", 2015, "CVPR 2015")
    disagreements = (
        "timm's 'fastmax' (SelectAdaptivePool2d) is amax, which splits a tie's gradient evenly: a quarter to each "
        "element of a 2x2 map of zeros, where torch's adaptive pooling and this give it all to the first.",
    )

    @staticmethod
    def formula(input: Tensor) -> Tensor:
        """Compute max_i x_i."""
        # Not amax: that splits the gradient of a tie, and after a ReLU many elements tie at 0.
        return F.adaptive_max_pool2d(input, 1)


@register("adaptive_avg")
class AdaptiveAvgPool2d(HeadPool2d):
    """Apply adaptive average pooling, means of a grid of bins; bin i has the rows floor(iH/h) to ceil((i+1)H/h)
    - 1.

    Args:
        output_size: the grid; a pair is (height, width).

    Example:
        >>> import torch
        >>> AdaptiveAvgPool2d(output_size=2)(torch.ones(8, 7, 5)).shape
        torch.Size([8, 2, 2])
    """

    output_shape = "(N, C, h, w), where (h, w) = pair(output_size)"
    reference = Reference("He et al.", 2014, "arXiv:1406.4729")
    options = {"output_size": Size(1, most=1024)}
    disagreements = BINS

    @staticmethod
    def formula(input: Tensor, output_size: int | tuple[int, int] = 1) -> Tensor:
        """Compute the mean of each bin."""
        return _adaptive_avg(input, output_size)


@register("adaptive_max")
class AdaptiveMaxPool2d(HeadPool2d):
    """Apply adaptive max pooling, maxima of a grid of bins; bin i has the rows floor(iH/h) to ceil((i+1)H/h) -
    1.

    Args:
        output_size: the grid; a pair is (height, width).

    Example:
        >>> import torch
        >>> AdaptiveMaxPool2d(output_size=(1, 3))(torch.ones(8, 7, 5)).shape
        torch.Size([8, 1, 3])
    """

    output_shape = "(N, C, h, w), where (h, w) = pair(output_size)"
    reference = Reference("He et al.", 2014, "arXiv:1406.4729")
    options = {"output_size": Size(1, most=1024)}
    disagreements = BINS

    @staticmethod
    def formula(input: Tensor, output_size: int | tuple[int, int] = 1) -> Tensor:
        """Compute the maximum of each bin."""
        return adaptive_max(input, output_size)


def _adaptive_avg(input: Tensor, output_size: int | tuple[int, int]) -> Tensor:
    return adaptive_avg(input.to(compute_dtype(input.dtype)), output_size).to(input.dtype)
