"""The base of the window methods: geometry, checks, dtype and shape around one formula."""

from typing import Any

import torch
from torch import Tensor

from poolab.pooling.base import Pool, check_floating
from poolab.pooling.geometry import Geometry, IntOrPair, Pair
from poolab.pooling.options import checked
from poolab.pooling.windows import Windows, compute_dtype


class WindowPool2d(Pool):
    """A pooling over local windows: geometry, checks, dtype and shape here; one formula over `Windows` in the leaf.

    Input (N, C, H, W) or (C, H, W), any floating dtype; output of the same dtype, device and memory format and of the
    size that `nn.MaxPool2d` gives. Padding never takes part: a window is its real cells.

    Args:
        kernel_size: the window, an int or a pair (height, width).
        stride: the step; None means `kernel_size`.
        padding: cells around the map that widen the grid of windows, at most half of `kernel_size`.
        dilation: the step between the cells of one window.
        ceil_mode: round the output size up.
        channels: the number of channels, for the methods that need it.
        generator: the source of random numbers in training, for the random methods; None is torch's global one.
        options: the method's own.

    Raises:
        ValueError: a wrong option or geometry (at construction), a map that is too small or not 3-d or 4-d (at call).
        TypeError: an input that is not floating.
    """

    role = "window"

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        generator: torch.Generator | None = None,
        **options: Any,
    ):
        super().__init__()
        owner, faults = type(self).__name__, []
        try:
            self.geometry = Geometry.of(owner, kernel_size, stride, padding, dilation, ceil_mode)
        except ValueError as fault:
            faults.append(str(fault))
        try:
            cells = None if faults else self.geometry.cells
            for name, value in checked(owner, self.options, options, cells).items():
                setattr(self, name, value)
        except ValueError as fault:
            faults.append(str(fault))
        if faults:
            raise ValueError("; ".join(faults))
        self.channels = channels
        self.generator = generator
        self.build()

    def build(self) -> None:
        """Make the parameters, where the method has any."""

    def forward(self, input: Tensor) -> Tensor:
        """Pool (N, C, H, W) or (C, H, W)."""
        return self.compute(input, self.geometry, **self.arguments())

    @classmethod
    def compute(cls, input: Tensor, geometry: Geometry, **arguments: Any) -> Tensor:
        """The formula on a checked input: what the module and its functional twin share."""
        _check(cls.__name__, input, geometry)
        batched = input if input.dim() == 4 else input.unsqueeze(0)
        output = cls.formula(Windows(batched, geometry), **arguments)
        if memory_format(batched) is torch.channels_last:
            output = output.contiguous(memory_format=torch.channels_last)
        if compute_dtype(input.dtype) != input.dtype:  # else leave the dtype that autocast chose for a convolution
            output = output.to(input.dtype)
        return output if input.dim() == 4 else output.squeeze(0)

    @property
    def kernel_size(self) -> Pair:
        """The window (height, width)."""
        return self.geometry.kernel_size

    @property
    def stride(self) -> Pair:
        """The step (height, width)."""
        return self.geometry.stride

    @property
    def padding(self) -> Pair:
        """The padding (height, width)."""
        return self.geometry.padding

    @property
    def dilation(self) -> Pair:
        """The step between the cells of one window."""
        return self.geometry.dilation

    @property
    def ceil_mode(self) -> bool:
        """Whether the output size is rounded up."""
        return self.geometry.ceil_mode

    def extra_repr(self) -> str:
        """The geometry and the options that differ from their defaults."""
        return ", ".join(part for part in (str(self.geometry), super().extra_repr()) if part)


def memory_format(input: Tensor) -> torch.memory_format:
    """channels_last where the map is laid out so and only so, else contiguous."""
    if input.is_contiguous(memory_format=torch.channels_last) and not input.is_contiguous():
        return torch.channels_last
    return torch.contiguous_format


def _check(owner: str, input: Tensor, geometry: Geometry) -> None:
    check_floating(owner, input)
    height, width = input.shape[-2:]
    out = geometry.output_size(height, width)
    if height < 1 or width < 1 or out[0] < 1 or out[1] < 1:
        least = [max(1, geometry.span(axis) - 2 * geometry.padding[axis]) for axis in (0, 1)]
        raise ValueError(
            f"{owner}({geometry}): the map of input {tuple(input.shape)} is too small, its output would be "
            f"{max(out[0], 0)}x{max(out[1], 0)}; it must be at least {least[0]}x{least[1]}, or the kernel smaller"
        )
    # Only a dilated window can step over a tiny map and hold nothing but padding.
    if geometry.dilation != (1, 1) and geometry.padding != (0, 0):
        for axis, length in enumerate((height, width)):
            _check_not_empty(owner, input, geometry, axis, length, out[axis])


def _check_not_empty(owner: str, input: Tensor, geometry: Geometry, axis: int, length: int, out: int) -> None:
    for index in range(out):
        first = index * geometry.stride[axis] - geometry.padding[axis]
        places = range(first, first + geometry.span(axis), geometry.dilation[axis])
        if not any(0 <= place < length for place in places):
            raise ValueError(
                f"{owner}({geometry}): window {index} along {'height' if axis == 0 else 'width'} of input "
                f"{tuple(input.shape)} lies in the padding alone; use less padding or dilation, or a larger map"
            )
