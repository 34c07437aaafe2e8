"""The control arms: reduction without pooling."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from poolab.pooling.base import Reference, memory_format
from poolab.pooling.options import Integer, flag
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d
from poolab.pooling.windows import Windows

CONV: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@register("strided_conv")
class StridedConv2d(WindowPool2d):
    """A learned convolution with the window's geometry in place of a pooling: y = b + sum_c sum_i w_ci x_ci.

    Missing cells are zeros, as in any convolution. It adds channels * channels / groups * n weights (and a bias), so
    that an arm with it is larger than the others.

    Args:
        channels: the number of channels, kept.
        groups: as in `torch.nn.Conv2d`; `channels` groups make it depthwise.
        bias: whether it has a bias.

    Example:
        >>> StridedConv2d(2, channels=3)(torch.ones(1, 3, 4, 4)).shape
        torch.Size([1, 3, 2, 2])
    """

    reference = Reference("Springenberg et al.", 2015, "arXiv:1412.6806")
    learns = "always"
    uses_channels = "always"
    positional = True
    groups: int
    bias: bool
    options = {"groups": Integer(1), "bias": flag(True)}
    exempt = {
        "padding": "a convolution needs a value at every position: missing cells are zeros",
        "nan": "a convolution mixes the channels, so NaN reaches the other channels of its window",
        "ties": "a convolution ranks nothing",
    }

    def conflicts(self) -> Iterator[str]:
        """The groups must divide the channels."""
        if self.channels and self.channels % self.groups:
            yield f"groups={self.groups} must divide channels={self.channels}"

    def build(self) -> None:
        """Make the convolution."""
        assert self.channels is not None
        g, conv = self.geometry, CONV[self.dims]
        self.conv = conv(
            self.channels, self.channels, g.kernel_size, g.stride, 0, g.dilation, groups=self.groups, bias=self.bias
        )

    @staticmethod
    def formula(windows: Windows, conv: nn.Module) -> Tensor:
        """conv(x with zeros where the windows reach beyond it)."""
        return conv(windows.padded(0.0))


@register("subsample")
class Subsample2d(WindowPool2d):
    """Plain subsampling: output (i, j) is the cell (i * stride, j * stride), or the last one where that lies outside.

    With kernel size equal to stride it is x[..., ::s, ::s]; the window's other cells are thrown away.

    Example:
        >>> Subsample2d(2)(torch.arange(16.0).view(1, 4, 4)).flatten().tolist()
        [0.0, 2.0, 8.0, 10.0]
    """

    reference = Reference("Springenberg et al.", 2015, "arXiv:1412.6806")
    positional = True
    exempt = {
        "nan": "a NaN that is thrown away does not come out",
        "ties": "subsampling ranks nothing",
    }

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """x[i * stride, j * stride]."""
        picked = windows.input
        for axis, (step, out) in enumerate(zip(windows.geometry.stride, windows.output_size, strict=True)):
            picked = _every(picked, axis + 2, step, out)
        return picked.clone(memory_format=memory_format(windows.input))  # never a view of the input


def _every(input: Tensor, dim: int, step: int, count: int) -> Tensor:
    stop = (count - 1) * step + 1
    if stop <= input.shape[dim]:
        return input[(slice(None),) * dim + (slice(None, stop, step),)]
    places = torch.arange(count, device=input.device) * step
    return input.index_select(dim, places.clamp(max=input.shape[dim] - 1))
