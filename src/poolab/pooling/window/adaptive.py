"""Adaptive maxima in a slot of windows: the output's size is that of the geometry, the bins are adaptive pooling's."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window_pool import WindowPool2d

ADAPTIVE_MAX: dict[int, Any] = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}


@register("binned_max")
class BinnedMaxPool2d(WindowPool2d):
    """Apply adaptive max pooling in place of windows: y_i = max of the bin floor(i H / h) to ceil((i + 1) H / h) - 1.

    h is the output size that nn.MaxPool2d gives for the geometry, which counts for nothing else; `adaptive_max` is the
    head with a given h. Where h divides H the bins are disjoint windows, so that 2x2/2 on even maps is max pooling to
    the bit; on odd maps the bins overlap, and no row is left out.

    Example:
        >>> BinnedMaxPool2d(2)(torch.arange(5.0).expand(1, 5, 5))[0, 0].tolist()  # columns 0 to 2, 2 to 4
        [2.0, 4.0]
    """

    reference = Reference("He et al.", 2014, "arXiv:1406.4729")
    exempt = {
        "nan": "the bins are not the windows of the geometry",
        "ties": "the bins are not the windows of the geometry; in each bin the first value takes the gradient",
    }
    disagreements = (
        "MLV-RG/cnn-pooling-layers-benchmark (Galanis et al. 2022) compares adaptive max pooling to half the size "
        "with max pooling: on its even maps the two are the same function.",
    )

    @staticmethod
    def formula(windows: Windows) -> Tensor:
        """Compute the maximum of each bin."""
        if not torch.compiler.is_exporting():
            return ADAPTIVE_MAX[windows.dims](windows.input, windows.output_size)
        return binned_maximum(windows.input, windows.output_size)


def binned_maximum(input: Tensor, counts: tuple[int, ...]) -> Tensor:
    """Compute adaptive max pooling by masks, for exporters: ONNX has it for one bin alone."""
    # The last axis first: of equal values the first in raster order remains.
    for axis, count in reversed(list(enumerate(counts, start=2))):
        inside = bins(input, axis, count).view(count, -1, *(1,) * (input.dim() - axis - 1))
        input = input.unsqueeze(axis).masked_fill(~inside, -torch.inf).max(axis + 1).values
    return input


def bins(input: Tensor, axis: int, count: int) -> Tensor:
    """Return which places of an axis lie in each bin, (count, length).

    Bin i has the places floor(i length / count) to ceil((i + 1) length / count) - 1.
    """
    length, device = input.shape[axis], input.device
    bin, place = torch.arange(count, device=device)[:, None], torch.arange(length, device=device)
    return (place >= bin * length // count) & (place < ((bin + 1) * length + count - 1) // count)
