"""Subsampling whose grid follows the input, so that a shifted input gives a shifted output."""

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.open_sizes import as_tensor, is_open
from poolab.pooling.core.options import Choice, Integer
from poolab.pooling.core.windows import Windows
from poolab.pooling.registry import register
from poolab.pooling.window._binomial import blurred, extended
from poolab.pooling.window_pool import WindowPool2d


@register("aps")
class PolyphasePool2d(WindowPool2d):
    """Apply adaptive polyphase sampling (APS): y_i = x_(i s + a) with the offsets a for which the norm of y is
    largest.

    The s^2 polyphase components (for stride s and two axes; offsets 0 to s - 1 along each) are compared for each
    sample over all channels jointly, on the blurred map where there is a blur; on a tie the first in raster order
    wins. The choice has no gradient. Elements beyond the map are those of its other end, so that an odd size with
    stride 2 gets one circular row. Kernel, padding and dilation set the output size alone; where it is the size over
    the stride exactly, a circular shift of the input shifts the output circularly, and a global average sees no shift
    at all.

    Args:
        norm: the component of the largest "l2", "l1" or "linf" norm, or of the smallest, "l2_min" or "l1_min".
        filter_size: first blur with a binomial filter of this size, circularly; None does not.

    Example:
        >>> import torch
        >>> PolyphasePool2d(2)(torch.tensor([[[0.0, 1.0, 0.0, 2.0]] * 2])).tolist()
        [[[1.0, 2.0]]]
    """

    reference = Reference("Chaman, Dokmanic", 2021, "arXiv:2011.14214")
    positional = True
    options = {
        "norm": Choice("l2", ("l2", "l1", "linf", "l2_min", "l1_min")),
        "filter_size": Integer(None, most=64),
    }
    exempt = {
        "nan": "most taps of a window are thrown away, and all channels choose together",
        "ties": "the tap of the chosen component takes the gradient wherever it lies in the window",
    }
    disagreements = (
        "achaman2/truly_shift_invariant_cnns compares the components of the unblurred map in one state of its code and "
        "of the blurred map, as here, in another; where there is no blur they agree.",
        "achaman2/truly_shift_invariant_cnns numbers the components column by column, so that ties of the second and "
        "third go the other way; it refuses strides above 2 and has two dimensions only.",
        "achaman2/truly_shift_invariant_cnns gives ceil(size / 2) for odd sizes, as this class does for kernel 3, "
        "stride 2, padding 1; for kernel 2 the size is floored as that of nn.MaxPool2d(2).",
    )

    @staticmethod
    def formula(windows: Windows, norm: str = "l2", filter_size: int | None = None) -> Tensor:
        """Compute x_(i s + a) with the a of the largest norm over i and all channels."""
        maps, stride, dims = windows.input, windows.geometry.stride, windows.dims
        if filter_size is not None:
            maps = blurred(maps, filter_size, "circular", (1,) * dims, windows.sizes)
        for axis, (step, out) in enumerate(zip(stride, windows.output_size, strict=True)):
            maps = _wrapped(maps, axis + 2, out * step)
        components = Windows(maps, Geometry(stride, stride, (0,) * dims, (1,) * dims, False)).taps(0.0)
        chosen = _chosen(components, norm)
        output = components[0].clone()  # never a view of the input
        for place, component in enumerate(components[1:], start=1):
            output = torch.where(chosen == place, component, output)
        return output


def _wrapped(input: Tensor, dim: int, length: int) -> Tensor:
    """Return the first elements along a dimension; after the last one comes the first again."""
    if is_open(input.shape[dim], length):
        return input.index_select(dim, torch.arange(length, device=input.device) % as_tensor(input.shape[dim], input))
    more = max(0, length - input.shape[dim])
    return extended(input, dim, 0, more, "circular").narrow(dim, 0, length)


@torch.no_grad()
def _chosen(components: list[Tensor], norm: str) -> Tensor:
    """Return which component has the largest (or smallest) norm, for each sample: (N, 1, 1, 1)."""
    dims = tuple(range(1, components[0].dim()))
    tops = torch.stack([component.abs().amax(dims, keepdim=True) for component in components])
    if norm == "linf":
        return tops.argmax(0)
    # Squares of large or tiny values leave the range; a power of two takes them back and keeps ties exact.
    top = tops.amax(0)
    power = torch.where(top.isfinite() & (top > 0), _power_of_two(top), 1.0)
    term = torch.square if norm.startswith("l2") else torch.abs
    sizes = torch.stack([term(component / power).sum(dims, keepdim=True) for component in components])
    return sizes.argmin(0) if norm.endswith("_min") else sizes.argmax(0)


def _power_of_two(top: Tensor) -> Tensor:
    """Return the largest power of two that is not above a positive number."""
    if not torch.compiler.is_exporting():
        return top / (2 * top.frexp().mantissa)
    # ONNX takes no number apart, and a logarithm rounds: a table is right in every runtime.
    least, most = (-1074, 1023) if top.dtype == torch.float64 else (-149, 127)
    table = torch.tensor([2.0**n for n in range(least, most + 1)], dtype=top.dtype, device=top.device)
    place = (top.unsqueeze(-1) >= table).sum(-1) - 1
    return table[place.clamp(min=0)]
