"""A pooling that learns its stride."""

from typing import Any

import torch
from torch import Tensor, nn

from poolab.pooling.core.base import Reference
from poolab.pooling.core.open_sizes import as_tensor
from poolab.pooling.core.options import Real
from poolab.pooling.core.windows import Windows, compute_dtype
from poolab.pooling.registry import register
from poolab.pooling.window.fourier import WHOLE_MAP, frequencies, low_pass
from poolab.pooling.window_pool import WindowPool2d


@register("diffstride")
class DiffStridePool2d(WindowPool2d):
    """Apply DiffStride, spectral pooling with a learned stride: y = Re F^-1(crop(m F x)) * elements out / elements in,
    m a ramp to the crop.

    Along each axis m_p = clip((R + L - |p|) / R, 0, 1), with R the smoothness and R + L = (kept + 1) / 2 the first
    frequency that is not kept; kept = o s0 / s is a real number, with o the geometry's output size, s0 its stride and s
    the learned one. m_0 is 1: a constant stays. In a map of so few frequencies that the ramp would not fit, R is R + L.

    The output's size is `kept`, rounded: at the start (s = s0) that of the geometry, then it follows s, so that the
    network needs a head for any size. The gradient reaches s through m alone. s counts as at least 1 (the output never
    grows beyond its input, or the geometry's output) and at most what leaves 2 elements; beyond, the parameter gets the
    bound's gradient, so that it can come back. To know the size the forward waits for s; on the meta device, which has
    no values, the size is the geometry's. The parameter `strides` has one number for each axis.

    Args:
        smoothness: R > 0, the length of the ramp in frequencies.

    Example:
        >>> pool, x = DiffStridePool2d(2), torch.ones(1, 12, 12)
        >>> first = pool(x).shape
        >>> with torch.no_grad():
        ...     pool.strides.copy_(torch.tensor([3.0, 1.5]))
        Parameter containing:
        tensor([3.0000, 1.5000], requires_grad=True)
        >>> first, pool(x).shape
        (torch.Size([1, 6, 6]), torch.Size([1, 4, 8]))
    """

    reference = Reference("Riad, Teboul, Grangier, Zeghidour", 2022, "arXiv:2202.01653")
    learns = "always"
    positional = True
    resizes = True
    smoothness: float
    options = {"smoothness": Real(4.0, least=0.0, most=1e6, open_least=True)}
    exempt = {
        **WHOLE_MAP,
        "host_sync": "the output's size is a function of the learned stride, which the host has to know",
        "compile": "the output's size is a function of the learned stride, which no graph without breaks can hold",
    }
    disagreements = (
        "google-research/diffstride lets the ramp begin at the kept size and crops where it ends, so that a stride s "
        "gives n / s + 2 R elements and not n / s; here the ramp ends there, and s is the true stride. Both have the "
        "same masks, counted differently.",
        "google-research/diffstride transforms back without stating the width, so that it is always even, and does not "
        "rescale: a constant comes out multiplied by elements in / elements out.",
        "google-research/diffstride writes the clipped stride into its parameter on every forward; here the forward "
        "writes nothing. It has one bin more along the width than along the height, and can share one stride.",
    )

    def build(self) -> None:
        """Make the strides."""
        self.strides = nn.Parameter(torch.empty(self.dims))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the strides to the geometry's."""
        with torch.no_grad():
            self.strides.copy_(torch.tensor(self.stride, dtype=self.strides.dtype))

    @staticmethod
    def formula(windows: Windows, strides: Tensor, smoothness: float = 4.0) -> Tensor:
        """Transform, weight, crop to what the stride leaves, transform back."""
        kept = torch.stack([_kept(windows, stride, axis) for axis, stride in enumerate(strides.unbind())])
        sizes = windows.output_size if kept.is_meta else _rounded(kept)
        weights = []
        for length, out, size in zip(windows.sizes, sizes, kept.unbind(), strict=True):
            places, bins = frequencies(length, out, windows.input.device)
            weights.append(bins * mask(places, size.to(places.dtype), smoothness))
        return low_pass(windows.input, sizes, weights)


def _rounded(kept: Tensor) -> tuple[int, ...]:
    """Return whole sizes; for an exporter numbers that its graph computes from the stride."""
    if not torch.compiler.is_exporting():
        return tuple(round(size.item()) for size in kept.unbind())
    sizes: tuple[Any, ...] = tuple(size.item() for size in kept.round().long().unbind())
    for size in sizes:
        torch._check(size >= 1)
    return sizes


def mask(places: Tensor, kept: Tensor, smoothness: float) -> Tensor:
    """Return clip((R + L - p) / R, 0, 1) for the frequencies p = 0, 1, ... where R + L = (kept + 1) / 2."""
    end = (kept + 1) / 2
    # |a| has the slope 0 at 0, so that clip and minimum written with it have, where they bend, the mean of the slopes
    # of both sides: at the start many frequencies lie just there.
    ramp = (end + smoothness - (end - smoothness).abs()) / 2
    level = (end - places) / ramp
    return torch.where(places == 0, 1.0, (level.abs() - (level - 1).abs() + 1) / 2)


def _kept(windows: Windows, stride: Tensor, axis: int) -> Tensor:
    """Return the number of elements, not yet a whole one, that a stride leaves of an axis."""
    start, out, length = windows.geometry.stride[axis], windows.output_size[axis], windows.sizes[axis]
    if torch.compiler.is_exporting():  # the sizes may be open
        whole, before, after = (as_tensor(size, stride) for size in (out * start, length, out))
        bounds = (whole / torch.maximum(before, after)).clamp(min=1.0), whole / after.clamp(max=2)
        return after * (start / _bounded(stride.to(compute_dtype(stride.dtype)), *bounds))
    at_one = out * start  # what a stride of 1 would leave
    least, most = max(1.0, at_one / max(length, out)), at_one / min(2, out)
    return out * (start / _bounded(stride.to(compute_dtype(stride.dtype)), least, most))


def _bounded(stride: Tensor, least: Any, most: Any) -> Tensor:
    """Keep the stride between its bounds; on a bound and beyond it, half of the gradient passes."""
    within = stride.detach()
    slope = ((within > least).to(stride.dtype) + (within < most).to(stride.dtype)) / 2
    return within.clamp(least, most) + (stride - within) * slope
