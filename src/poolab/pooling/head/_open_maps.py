"""Bins, windows and grids over a map whose size an exporter leaves open: by masks and matrices, not by torch's kernels.

ONNX knows no adaptive pooling, no pooling whose kernel follows the map's size, and no resizing to such a size by
torch's rules; torch's exporter refuses them or keeps the example's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.core.open_sizes import as_tensor, is_open

Grid = int | tuple[int, int]


def adaptive_max(input: Tensor, output_size: Grid) -> Tensor:
    """Compute `F.adaptive_max_pool2d`; for an exporter by masks, as ONNX has it for one bin alone."""
    bins = _pair(output_size)
    if bins == (1, 1) or not torch.compiler.is_exporting():
        return F.adaptive_max_pool2d(input, output_size)
    # The last axis first: of equal elements the first in raster order remains.
    for axis, count in ((3, bins[1]), (2, bins[0])):
        outside = ~_bins(input, axis, count)
        input = input.unsqueeze(axis).masked_fill(outside, -torch.inf).max(axis + 1).values
    return input


def adaptive_avg(input: Tensor, output_size: Grid) -> Tensor:
    """Compute `F.adaptive_avg_pool2d`; by masks where an exporter leaves the size open."""
    bins = _pair(output_size)
    if bins == (1, 1) or not is_open(*input.shape[2:]):
        return F.adaptive_avg_pool2d(input, output_size)
    for axis, count in ((3, bins[1]), (2, bins[0])):
        inside = _bins(input, axis, count)
        input = input.unsqueeze(axis).masked_fill(~inside, 0.0).sum(axis + 1) / inside.sum(1 if axis == 2 else -1)
    return input


def box_means(input: Tensor, scale: int) -> Tensor:
    """Return the mean of every window of a `scale`-th of the map's sides, at every place."""
    # Rounded up without a negative number: ONNX divides whole numbers towards 0, where Python rounds down.
    sides = [(size + scale - 1) // scale for size in input.shape[2:]]
    if not is_open(*sides):
        return F.avg_pool2d(input, sides, stride=1)
    for side in reversed(sides):  # the width, then the height
        length = input.shape[3]
        # length - side + 1, written so that torch sees that it is at least 1
        first = torch.arange(length * (scale - 1) // scale + 1, device=input.device)
        place = torch.arange(length, device=input.device)[:, None]
        inside = (place >= first) & (place < first + side)
        input = (input @ (inside.to(input.dtype) / side)).transpose(2, 3)
    return input


def resizing(length: int, wanted: int, cubic: bool, like: Tensor) -> Tensor:
    """Return the matrix (length, wanted) of torch's antialiased resizing, `align_corners=False`."""
    scale = as_tensor(length, like) / as_tensor(wanted, like)
    spread = scale.clamp(min=1.0)
    centre = (torch.arange(wanted, device=like.device) + 0.5) * scale
    apart = ((torch.arange(length, device=like.device)[:, None] + 0.5 - centre) / spread).abs()
    if cubic:  # Keys' kernel with a = -1/2
        near = (1.5 * apart - 2.5) * apart.square() + 1
        far = ((-0.5 * apart + 2.5) * apart - 4) * apart + 2
        weight = torch.where(apart < 1, near, torch.where(apart < 2, far, 0.0))
    else:
        weight = (1 - apart).clamp(min=0.0)
    return (weight / weight.sum(0)).to(like.dtype)


def _pair(size: Grid) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _bins(input: Tensor, axis: int, count: int) -> Tensor:
    """Return which positions of an axis lie in each bin, (count, length) and a 1 for the axis behind.

    Bin i has the positions floor(i length / count) to ceil((i + 1) length / count) - 1.
    """
    length, device = input.shape[axis], input.device
    bin, place = torch.arange(count, device=device)[:, None], torch.arange(length, device=device)
    inside = (place >= bin * length // count) & (place < ((bin + 1) * length + count - 1) // count)
    return inside if axis == 3 else inside.unsqueeze(2)
