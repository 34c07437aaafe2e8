"""Maximum, mean, minimum, and the mixture of the first two."""

from torch import Tensor

from poolab.pooling.base import Reference
from poolab.pooling.learned import logistic
from poolab.pooling.options import Choice, Real, flag
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d
from poolab.pooling.windows import Windows


@register("max")
class MaxPool2d(WindowPool2d):
    """The largest cell of each window, y = max_i x_i; torch's own kernel.

    Example:
        >>> import torch
        >>> MaxPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        4.0
    """

    reference = Reference("Yamaguchi et al.", 1990, "ICSLP 1990")

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """max_i x_i."""
        return windows.maximum()


@register("avg")
class AvgPool2d(WindowPool2d):
    """The mean of each window, y = (1/n) sum_i x_i; torch's own kernel.

    Args:
        count_include_pad: count padded zeros as cells (torch's default); cells that only `ceil_mode` adds never count.

    Example:
        >>> import torch
        >>> AvgPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        2.5
    """

    reference = Reference("LeCun et al.", 1989, "doi:10.1162/neco.1989.1.4.541")
    options = {"count_include_pad": flag(True)}
    exempt = {"padding": "count_include_pad=True counts padded zeros, as torch does"}

    @staticmethod
    def formula(windows: Windows, count_include_pad: bool = True) -> Tensor:
        """(1/n) sum_i x_i."""
        return windows.mean(count_include_pad)


@register("min")
class MinPool2d(WindowPool2d):
    """The smallest cell of each window, y = min_i x_i.

    After a ReLU it is 0 almost everywhere, and so is its gradient.

    Example:
        >>> import torch
        >>> MinPool2d(2)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        1.0
    """

    reference = Reference("Serra (flat erosion)", 1982, "Image Analysis and Mathematical Morphology, Academic Press")

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """min_i x_i."""
        return windows.minimum()


@register("mixed")
class MixedPool2d(WindowPool2d):
    """A blend of maximum and mean, y = alpha max_i x_i + (1 - alpha) (1/n) sum_i x_i.

    Args:
        alpha: the weight of the maximum, from 0 (mean) to 1 (maximum); the start value where it is learned.
        learnable: learn alpha, as the logistic function of a free parameter (Lee et al. 2016 start at 0.5).
        sharing: one alpha for the layer, or one for each channel.

    Example:
        >>> import torch
        >>> MixedPool2d(2, alpha=0.5)(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item()
        3.25
    """

    reference = Reference("Lee, Gallagher, Tu", 2016, "arXiv:1509.08985")
    learns = "option"
    uses_channels = "option"
    learned = logistic("alpha")
    options = {
        "alpha": Real(0.7, least=0.0, most=1.0),
        "learnable": flag(False),
        "sharing": Choice("layer", ("layer", "channel")),
    }

    @staticmethod
    def formula(windows: Windows, alpha: float | Tensor = 0.7) -> Tensor:
        """Alpha * max + (1 - alpha) * mean."""
        if isinstance(alpha, float) and alpha in (0.0, 1.0):  # 0 * inf would be NaN
            return windows.maximum() if alpha else windows.mean()
        mean = windows.mean()
        return alpha * windows.maximum().to(mean.dtype) + (1 - alpha) * mean
