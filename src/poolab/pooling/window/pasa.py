"""Content-aware anti-aliasing: a low-pass filter for each place and group of channels, predicted from the map."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.open_sizes import as_tensor
from poolab.pooling.core.options import Integer
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window._batch_norm import BATCH_NORM, normalised
from poolab.pooling.window._binomial import extended
from poolab.pooling.window.controls import CONV, CONVOLVE
from poolab.pooling.window_pool import WindowPool2d


@register("pasa")
class AdaptiveLowPassPool2d(WindowPool2d):
    """Apply content-aware low-pass filtering (PASA): y_i = sum_k w_ik x_(i s + k), w_i by a softmax over k.

    The weights of each place are predicted from all channels, w = softmax_k(norm(conv(x))), by a convolution of the
    filter's size without bias and batch normalisation; `groups` groups of neighbouring channels have weights of their
    own. Output i is centred on the place i * stride, as in `blur`, and the map is reflected at its border (repeated
    where it is not larger than the filter's reach). Kernel, padding and dilation set the output size alone. Weights are
    computed for the places that are kept, and the batch normalisation sees those alone in training.

    Args:
        channels: the number of channels, kept; `groups` must divide it.
        filter_size: k, along each axis.
        groups: how many groups of channels have weights of their own; the published code has 2 by default.

    Example:
        >>> pool = AdaptiveLowPassPool2d(2, channels=2)
        >>> torch.allclose(pool(torch.full((1, 2, 4, 4), 3.0)), torch.tensor(3.0))  # weights that sum to 1
        True
    """

    reference = Reference("Zou, Xiao, Yu, Lee", 2020, "arXiv:2008.09604")
    learns = "always"
    uses_channels = "always"
    positional = True
    groups: int
    filter_size: int
    options = {"filter_size": Integer(3, most=64), "groups": Integer(1, most=65536)}
    evaluates = "the batch normalisation uses its running statistics, in training those of the batch"
    exempt = {
        "numbers": "the logits are products of weights and values: for values of 1e4 their rounding moves the softmax",
        "onnx": "ONNX Runtime rounds the logits otherwise: for values of 1e4 outputs differ by 1.3e-5 of their scale",
        "nan": "the filter reaches beyond the window, and its weights come from all channels",
        "ties": "the filter's weights go by place",
        "infinities": "the logits are sums of both signs over all channels: inf - inf",
        "memory": "the predicted weights are k * k numbers for each group and place, more than a map of few channels",
    }
    disagreements = (
        "MaureenZOU/Adaptive-anti-Aliasing takes one softmax over all groups together, so that the weights of a group "
        "do not sum to 1 and a constant does not stay that constant; here each group has a softmax of its own.",
        "There the filter runs at every place before the rows are thrown away, so that its batch normalisation "
        "averages over all places in training; in evaluation it is the same function.",
        "There the unfolded copy (k * k times the map) is held; its filters are odd, and its padding refuses maps that "
        "are not larger than half the filter.",
    )

    def conflicts(self) -> Iterator[str]:
        """Check that the groups divide the channels."""
        if self.channels and self.channels % self.groups:
            yield f"groups={self.groups} must divide channels={self.channels}"

    def build(self) -> None:
        """Make the convolution and its normalisation."""
        assert self.channels is not None
        logits = self.groups * self.filter_size**self.dims
        self.conv = CONV[self.dims](self.channels, logits, self.filter_size, bias=False)
        self.norm = BATCH_NORM[self.dims](logits)

    @staticmethod
    def formula(windows: Windows, conv: nn.Module, norm: nn.Module, filter_size: int, groups: int) -> Tensor:
        """Compute sum_k softmax_k(norm(conv(x))) x_k around the places that are kept."""
        map, step = _reached(windows, filter_size)
        sizes = (filter_size,) * windows.dims
        taps = Windows(map, Geometry(sizes, step, (0,) * windows.dims, (1,) * windows.dims, False)).taps(0.0)
        logits = CONVOLVE[windows.dims](map, conv.weight.to(map.dtype), None, step)
        logits = normalised("AdaptiveLowPassPool2d", logits.to(windows.input.dtype), norm).to(map.dtype)
        shares = logits.unflatten(1, (groups, len(taps))).softmax(2).unsqueeze(3).unbind(2)
        members = windows.input.shape[1] // groups
        grouped = [tap.unflatten(1, (groups, members)) for tap in taps]
        return total([share * tap for share, tap in zip(shares, grouped, strict=True)]).flatten(1, 2)


def _reached(windows: Windows, size: int) -> tuple[Tensor, tuple[int, ...]]:
    """Return a map on which the filter's k-th window begins at k * step, and the step along each axis."""
    map, before, after = windows.input.to(windows.dtype), (size - 1) // 2, size // 2
    steps = []
    for axis, (step, out) in enumerate(zip(windows.geometry.stride, windows.output_size, strict=True)):
        dim, length = axis + 2, map.shape[axis + 2]
        if not windows.is_open and (out - 1) * step < length:
            map = extended(map, dim, before, after, "reflect").narrow(dim, 0, (out - 1) * step + size)
            steps.append(step)
            continue
        # The last outputs are centred on the last place, or the size is open: the windows side by side.
        last = as_tensor(length, map) - 1
        centre = torch.minimum(torch.arange(out, device=map.device) * step, last)
        place = (centre[:, None] + torch.arange(-before, after + 1, device=map.device)).flatten()
        reflected = last - (last - place.abs()).abs()
        nearest = torch.minimum(place.clamp(min=0), last)
        map = map.index_select(dim, torch.where(last >= after, reflected, nearest))
        steps.append(size)
    return map, tuple(steps)
