"""Pyramids: the same map pooled at several sizes, the results side by side."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.options import Choice, Integers, flag
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.head._open_maps import adaptive_avg, adaptive_max
from poolab.pooling.map_pool import HeadPool2d, MapPool2d
from poolab.pooling.registry import register


@register("spp")
class SpatialPyramidPool2d(HeadPool2d):
    """Apply spatial pyramid pooling, n x n bins for each level n; the maxima (or means) of all bins are the
    features.

    The features of one level follow those of the level before it; within a level they run over channel, row, column.
    The bins are those of adaptive pooling, bin i over the rows floor(iH/n) to ceil((i+1)H/n) - 1: any map has all of
    them and every position is in one. That is our reading; the paper's windows are not.

    Args:
        levels: how many bins along each side, level by level.
        mode: how the values of a bin are pooled.

    Example:
        >>> import torch
        >>> SpatialPyramidPool2d()(torch.ones(8, 16, 13, 10)).shape  # 16 * (1 + 4 + 16)
        torch.Size([8, 336])
    """

    output_shape = "(N, C * sum(n * n for n in levels))"
    reference = Reference("He et al.", 2014, "arXiv:1406.4729")
    levels: tuple[int, ...]
    options = {"levels": Integers((1, 2, 4), most=256, longest=16), "mode": Choice("max", ("max", "avg"))}
    disagreements = (
        "The paper pools an a x a map with windows of ceil(a/n) and strides of floor(a/n): for a = 7, n = 4 they leave "
        "out the last two rows and columns; for a = 13 and n in 1, 2, 3, 6 they cover the map.",
        "Levels (1, 2, 3, 6) and (1, 2, 4) both are the paper's, for different networks.",
        "torch's ONNX exporter refuses adaptive pooling where n does not divide the map's size "
        "(pytorch/pytorch#42653, #74034).",
    )

    def out_channels(self, channels: int) -> int:
        """Return the number of features."""
        return channels * sum(level**2 for level in self.levels)

    @staticmethod
    def formula(input: Tensor, levels: Sequence[int] = (1, 2, 4), mode: str = "max") -> Tensor:
        """Compute the bins of every level, one level after the other."""
        values = input if mode == "max" else input.to(compute_dtype(input.dtype))
        pool = adaptive_max if mode == "max" else adaptive_avg
        return torch.cat([pool(values, level).flatten(1) for level in levels], 1)


@register("pixel_pyramid")
class PixelPyramidPool2d(MapPool2d):
    """Apply per-pixel pyramid pooling (4P), stride 1; the map pooled with M windows, side by side as C * M
    channels.

    The window of a position is centred on it and consists of its real taps: at a border it is cut, never padded. The C
    maps of one window follow those of the window before it. Window 1 is the map itself.

    Args:
        windows: the sides of the windows, odd numbers.
        mode: "max", or "avg" for the mean of the real taps.
        project: blend the C*M maps to C again by a learned 1x1 convolution, as the paper's network does.
        channels: the number of channels; `project` needs it.

    Example:
        >>> import torch
        >>> PixelPyramidPool2d()(torch.ones(8, 16, 13, 10)).shape
        torch.Size([8, 64, 13, 10])
    """

    output_shape = "(N, C if project else C * len(windows), H, W)"
    reference = Reference("Park, Lee", 2017, "arXiv:1709.06248")
    role = "same"
    learns = "option"
    uses_channels = "option"
    windows: tuple[int, ...]
    project: bool
    options = {
        "windows": Integers((27, 9, 3, 1), most=1024, longest=16),
        "mode": Choice("max", ("max", "avg")),
        "project": flag(False),
    }

    def conflicts(self) -> Iterator[str]:
        """Check that each window has a centre, and that the convolution knows the number of channels."""
        if any(window % 2 == 0 for window in self.windows):
            yield f"windows must be odd, so that each has a centre, found {tuple(self.windows)}"
        if self.project and self.channels is None:
            yield "project=True needs channels, the number of channels of its input"

    def build(self) -> None:
        """Make the convolution, where there is one."""
        self.projection = None
        if self.project:
            assert self.channels is not None
            self.projection = nn.Conv2d(self.channels * len(self.windows), self.channels, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Pool (N, C, H, W) or (C, H, W), then project."""
        pooled = super().forward(input)
        return pooled if self.projection is None else self.projection(pooled)

    @property
    def is_learning(self) -> bool:
        """Return True if there is a convolution."""
        return self.project

    @property
    def is_bound_to_channels(self) -> bool:
        """Return True if there is a convolution: it takes one number of channels."""
        return self.project

    def out_channels(self, channels: int) -> int:
        """Return as many times the channels as there are windows, unless they are projected."""
        return channels if self.project else channels * len(self.windows)

    @staticmethod
    def formula(input: Tensor, windows: Sequence[int] = (27, 9, 3, 1), mode: str = "max") -> Tensor:
        """Compute the pooled maps of every window, one window after the other."""
        values = input if mode == "max" else input.to(compute_dtype(input.dtype))
        return torch.cat([_centred(values, window, mode) for window in windows], 1)


def _centred(values: Tensor, window: int, mode: str) -> Tensor:
    """Pool one window at stride 1: along the rows, then along the columns, which costs 2 * window instead of window^2.

    The first of the largest of each row, then the first row that has the largest, is the first in raster order; a
    window's real taps are a rectangle, so the mean of its rows' means is its mean.
    """
    half = window // 2
    if mode == "max":
        return F.max_pool2d(F.max_pool2d(values, (1, window), 1, (0, half)), (window, 1), 1, (half, 0))
    rows = F.avg_pool2d(values, (1, window), 1, (0, half), count_include_pad=False)
    return F.avg_pool2d(rows, (window, 1), 1, (half, 0), count_include_pad=False)
