"""Maximum, mean and minimum, and the rule that chooses between their combinations."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import flag
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d


@register("max")
class MaxPool2d(WindowPool2d):
    """Apply max pooling: y = max_i x_i, the same as `nn.MaxPool2d` to the last bit.

    Example:
        >>> import torch
        >>> MaxPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        4.0
    """

    reference = Reference("Yamaguchi et al.", 1990, "ICSLP 1990")
    native = True
    disagreements = (
        "On a tie max_pool2d gives the whole gradient to the first maximum, torch.amax an equal part to each, and "
        "FluxML/NNlib.jl once gave the whole to each (its issue 86).",
        "Older torch lost NaN or gave the lowest number of the dtype for it (pytorch/pytorch issues 7645, 39846, "
        "40131).",
    )

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """Compute max_i x_i."""
        return windows.maximum()


@register("avg")
class AvgPool2d(WindowPool2d):
    """Apply average pooling: y = (1/n) sum_i x_i, the same as `nn.AvgPool2d` to the last bit.

    Args:
        count_include_pad: count padded zeros as taps (torch's default); taps that only `ceil_mode` adds never count.

    Example:
        >>> import torch
        >>> AvgPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        2.5
    """

    reference = Reference("LeCun et al.", 1989, "doi:10.1162/neco.1989.1.4.541")
    disagreements = (
        "torch, ONNX and ONNX Runtime disagree on which taps count where ceil_mode and count_include_pad meet "
        "(pytorch/pytorch issues 99424, 183528; onnx/onnx issue 4958); this is torch's rule.",
        "LeCun et al. follow the mean by a learned gain and bias; this is the mean alone.",
    )
    native = True
    options = {"count_include_pad": flag(True)}
    exempt = {"padding": "count_include_pad=True counts padded zeros, as torch does"}

    @staticmethod
    def formula(windows: Windows, count_include_pad: bool = True) -> Tensor:
        """Compute (1/n) sum_i x_i."""
        return windows.mean(count_include_pad)


@register("min")
class MinPool2d(WindowPool2d):
    """Apply min pooling: y = min_i x_i.

    After a ReLU it is 0 almost everywhere, and so is its gradient.

    Example:
        >>> import torch
        >>> MinPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        1.0
    """

    reference = Reference("Serra (flat erosion)", 1982, "Image Analysis and Mathematical Morphology, Academic Press")
    disagreements = (
        "Code that pads with zeros, as unfold does, gives 0 at the border of a positive map; here padding takes no "
        "part.",
    )

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """Compute min_i x_i."""
        return windows.minimum()


@register("mam")
class MAMPool2d(WindowPool2d):
    """Apply max-average-min pooling (MAM): y = max - min where max - min > mean, and (max + mean) / 2 elsewhere.

    The rule jumps where max - min passes the mean, and has no threshold to learn. A constant c < 0 gives 0, since its
    range 0 is larger than its mean; c >= 0 gives c.

    Example:
        >>> import torch
        >>> MAMPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()  # 4 - 1 > 2.5
        3.0
        >>> MAMPool2d(2)(torch.tensor([[[3.0, 3.0], [4.0, 2.0]]])).item()  # 4 - 2 < 3
        3.5
    """

    reference = Reference("Akgül", 2024, "doi:10.32604/cmes.2024.052549")
    disagreements = (
        "The rule is that of matcarollo/densatio (mam_pooling_2d), a port by others: the author's own code is not "
        "public, and for max - min = mean, which the abstract leaves open, both take (max + mean) / 2.",
    )

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """Compute max - min where it is above the mean, else (max + mean) / 2."""
        mean = windows.mean()
        largest, smallest = windows.maximum().to(mean.dtype), windows.minimum().to(mean.dtype)
        width = (largest - smallest).masked_fill(largest == smallest, 0.0)  # inf - inf
        return torch.where(width > mean, width, largest / 2 + mean / 2)
