"""Choose between poolab's kernels and torch's own poolings for maxima and means: the faster one.

Both give the same bits, so that the choice may depend on what is known at a call. Forward and backward, relative to
`nn.MaxPool2d` (one thread of an AMD EPYC, processor time, torch 2.14.1): docs/speed.md has the table.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from poolab.pooling.core.base import memory_format
from poolab.pooling.core.geometry import Geometry


@dataclass(frozen=True)
class Range:
    """Tell for which maps and windows a kernel is the faster one.

    Attributes:
        least_elements: of the map. A call of a kernel takes some 0.1 ms more of Python than one of torch.
        most_taps: of the window. The kernel's backward recomputes the forward; torch's has kept an index.
        largest_stride: along the last axis. A contiguous row is first split into as many phases.
    """

    least_elements: int
    most_taps: int
    largest_stride: int


CONTIGUOUS = Range(50_000, 25, 3)
CHANNELS_LAST = {
    torch.float32: Range(250_000, 9, 3),
    torch.float64: Range(250_000, 9, 3),
    torch.bfloat16: Range(250_000, 4, 3),
}


def outruns_torch(input: Tensor, geometry: Geometry) -> bool:
    """Return True if a compiled kernel is faster than torch's own maximum or mean of these windows."""
    if input.device.type != "cpu":  # not measured
        return False
    if torch.compiler.is_compiling() or not isinstance(input.numel(), int):  # a size that is left open has no bound
        return False
    is_contiguous = memory_format(input) is torch.contiguous_format
    bounds = CONTIGUOUS if is_contiguous else CHANNELS_LAST.get(input.dtype)
    return (
        bounds is not None
        and input.numel() >= bounds.least_elements
        and geometry.taps <= bounds.most_taps
        and geometry.stride[-1] <= bounds.largest_stride
    )
