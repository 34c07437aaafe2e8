"""ADown, the downsampling of YOLOv9: a convolution and a maximum side by side."""

from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.open_sizes import as_tensor
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window._batch_norm import BATCH_NORM, normalised
from poolab.pooling.window.controls import CONV, convolved
from poolab.pooling.window_pool import WindowPool2d

KERNEL, PAIR = 3, 2  # of convolution and maximum; of the mean before them


@register("adown")
class ADownPool2d(WindowPool2d):
    """Apply ADown (YOLOv9): means m of 2x2 values at stride 1, then (silu(norm(V m_1)), silu(norm(W max m_2))) as
    channels.

    m_1 is the first half of the channels, m_2 the second (the smaller one of an odd number, none of one channel); V
    is a 3x3 convolution and max a 3x3 maximum, both with the stride of the pooling, W a 1x1 convolution, norm a
    batch normalisation each. Beyond the means of the map the convolution sees one row of zeros, the maximum
    nothing. For 2x2/2 this is the published block with as many channels out as in. For other geometries kernel
    size, padding and dilation set the output's size and where the four values that an output sees along each axis
    lie: about the middle of the window, and where that is beyond the map, at its border. C * C * 10 / 4 weights and
    2 C numbers.

    The batch normalisation needs more than one value per channel in training.

    Args:
        channels: the number of channels, kept.

    Example:
        >>> ADownPool2d(2, channels=8)(torch.randn(2, 8, 6, 7)).shape
        torch.Size([2, 8, 3, 3])
    """

    reference = Reference("Wang, Yeh, Liao", 2024, "arXiv:2402.13616")
    learns = "always"
    uses_channels = "always"
    positional = True
    evaluates = "the batch normalisations use their running statistics, in training those of the batch"
    exempt = {
        "padding": "a convolution needs a value at every position: beyond the means it sees zeros",
        "nan": "its windows overlap the next ones, and the convolutions mix the channels",
        "ties": "a convolution ranks nothing",
        "infinities": "silu(-inf) is -inf * 0",
    }
    disagreements = (
        "WongKinYiu/yolov9 and ultralytics give any even number of channels; here as many come out as go in.",
        "Ultralytics sets eps 0.001 and momentum 0.03 for its batch normalisations; here they are torch's.",
        "WongKinYiu/yolov9 needs a map of at least 2x2 and an even number of channels.",
    )

    def build(self) -> None:
        """Make the two convolutions with their normalisations."""
        assert self.channels is not None
        second = self.channels // 2
        first = self.channels - second
        self.conv = CONV[self.dims](first, first, KERNEL, self.stride, bias=False)
        self.norm = BATCH_NORM[self.dims](first)
        self.projection = CONV[self.dims](second, second, 1, bias=False) if second else None
        self.projection_norm = BATCH_NORM[self.dims](second) if second else None

    @staticmethod
    def formula(
        windows: Windows, conv: Any, norm: nn.Module, projection: Any, projection_norm: nn.Module | None
    ) -> Tensor:
        """Compute both halves."""
        means, dtype = _means(windows), windows.input.dtype
        parts = means.split([size for size in (conv.in_channels, means.shape[1] - conv.in_channels) if size], 1)
        filtered = convolved(conv, _placed(parts[0], windows, 0.0)).to(dtype)
        halves = [F.silu(normalised("ADownPool2d", filtered, norm))]
        if projection is not None and projection_norm is not None:
            ones = (1,) * windows.dims
            threes = Geometry((KERNEL,) * windows.dims, windows.geometry.stride, (0,) * windows.dims, ones, False)
            largest = Windows(_placed(parts[1], windows, -torch.inf), threes).maximum()
            projected = convolved(projection, largest).to(dtype)
            halves.append(F.silu(normalised("ADownPool2d", projected, projection_norm)))
        return torch.cat(halves, 1)


def _means(windows: Windows) -> Tensor:
    """Return the means of two neighbours along each axis, one fewer than the map has; of one value that value."""
    whole = windows.input.to(windows.dtype)
    sizes = [1 if windows.is_open else min(1, size - 1) for size in windows.sizes]
    shifted = []
    for offsets in product(*(range(more + 1) for more in sizes)):
        part = whole
        for axis, (offset, more) in enumerate(zip(offsets, sizes, strict=True)):
            part = part.narrow(axis + 2, offset, part.shape[axis + 2] - more)
        shifted.append(part)
    return total(shifted) / len(shifted)


def _placed(means: Tensor, windows: Windows, fill: float) -> Tensor:
    """Return the means that the outputs see, the first at 0: three for each output at the stride; `fill` beyond them.

    Where an output's middle lies beyond the means, the border is repeated up to it.
    """
    g = windows.geometry
    for axis, (step, out) in enumerate(zip(g.stride, windows.output_size, strict=True)):
        dim, length = axis + 2, means.shape[axis + 2]
        first = -g.padding[axis] - (KERNEL + PAIR - 1 - g.span(axis)) // 2  # before the middle of the first output
        extent = (out - 1) * step + KERNEL
        if not windows.is_open and -1 <= first <= 0 and first + extent <= length + 1:
            before, after = -first, max(0, first + extent - length)
            means = means.narrow(dim, 0, min(length, first + extent))
            if before or after:
                margins = [0, 0] * (means.dim() - dim - 1) + [before, after]
                means = F.pad(means, margins, value=fill)
            continue
        places, last = torch.arange(extent, device=means.device) + first, as_tensor(length, means) - 1
        middles = first + 1, (out - 1) * step + first + 1
        beyond = (places < min(0, middles[0])) | (places > torch.maximum(last, as_tensor(middles[1], means)))
        means = means.index_select(dim, torch.minimum(places.clamp(min=0), last))
        means = means.masked_fill(beyond.view(-1, *(1,) * (means.dim() - dim - 1)), fill)
    return means
