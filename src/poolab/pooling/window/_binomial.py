"""Steps of the methods that compute at stride 1 and then subsample: a maximum at every position, a binomial blur."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.core.geometry import Geometry, Sizes
from poolab.pooling.core.open_sizes import as_tensor, is_open
from poolab.pooling.core.windows import Windows, compute_dtype


def dense_maximum(windows: Windows) -> Tensor:
    """Return the largest real tap of the window at every place, stride 1; place i * stride is window i of the
    geometry.

    There are so many places as `nn.MaxPool2d` gives at stride 1, and in ceil mode those up to the last window.
    """
    g, ones = windows.geometry, (1,) * windows.dims
    if windows.is_open:  # there may be more places; `dense_length` says how many count
        missing = [g.reach(axis) - g.padding[axis] for axis in range(windows.dims)]
    else:
        missing = [
            max(0, (out - 1) * step + g.span(axis) - 2 * g.padding[axis] - windows.sizes[axis])
            for axis, (out, step) in enumerate(zip(windows.output_size, g.stride, strict=True))
        ]
    input = windows.input
    if any(missing):
        input = F.pad(input, [size for more in reversed(missing) for size in (0, more)], value=-torch.inf)
    return Windows(input, Geometry(g.kernel_size, ones, g.padding, g.dilation, False)).maximum()


def dense_lengths(windows: Windows) -> list[Tensor]:
    """Return how many places the dense maximum has along each axis, where an exporter leaves the sizes open."""
    g, lengths = windows.geometry, []
    for axis, (out, step, size) in enumerate(zip(windows.output_size, g.stride, windows.sizes, strict=True)):
        whole = as_tensor(size + 2 * g.padding[axis] - g.span(axis) + 1, windows.input)
        lengths.append(torch.maximum(whole, as_tensor((out - 1) * step + 1, windows.input)))
    return lengths


def blurred(
    input: Tensor, filter_size: int, mode: str, stride: Sizes, count: Sizes, lengths: list[Tensor] | None = None
) -> Tensor:
    """Filter the map by binomial weights along each axis and subsample: output i is centred on element i * stride.

    Or on the last element where i * stride lies outside. A filter of even size reaches one element further behind its
    centre than before it. In float32 for narrower dtypes. Where the sizes are open, `lengths` may say how many elements
    count.
    """
    output, sizes = input.to(compute_dtype(input.dtype)), input.shape[2:]
    open = is_open(*sizes, *count)
    for axis, (step, out) in enumerate(zip(stride, count, strict=True)):
        if open:
            length = as_tensor(sizes[axis], input) if lengths is None else lengths[axis]
            output = _open_blurred_along(output, axis + 2, filter_size, mode, step, out, length)
        else:
            output = _blurred_along(output, axis, filter_size, mode, step, out)
    return output


def extended(input: Tensor, dim: int, before: int, after: int, mode: str) -> Tensor:
    """Extend the map by elements before and after it along one dimension.

    "reflect" leaves out the border element; a map that is not longer than the margin falls back to "replicate", with
    "zeros" too. "circular" wraps as often as it must.
    """
    length = input.shape[dim]
    if mode != "circular" and max(before, after) >= length:
        mode = "replicate"

    def margin(first: int, count: int) -> Tensor:
        if mode == "zeros":
            return input.new_zeros(()).expand(*input.shape[:dim], count, *input.shape[dim + 1 :])
        places = torch.arange(first, first + count, device=input.device)
        if mode == "circular":
            places = places % length
        elif mode == "reflect":
            places = (length - 1) - ((length - 1) - places.abs()).abs()
        else:
            places = places.clamp(0, length - 1)
        return input.index_select(dim, places)

    # Not F.pad: the backward of its reflection has no deterministic CUDA kernel, and it refuses short maps.
    margins = [margin(-before, before)] if before else [], [margin(length, after)] if after else []
    return torch.cat([*margins[0], input, *margins[1]], dim) if before or after else input


def _blurred_along(input: Tensor, axis: int, filter_size: int, mode: str, step: int, count: int) -> Tensor:
    dim, length, dims = axis + 2, input.shape[axis + 2], input.dim() - 2
    beyond = (count - 1) * step >= length  # the last outputs are centred on the last element
    pace, kept = (1, length) if beyond else (step, count)
    reached = extended(input, dim, (filter_size - 1) // 2, filter_size // 2, mode)
    reached = reached.narrow(dim, 0, (kept - 1) * pace + filter_size)
    one, here = (1,) * dims, [place == axis for place in range(dims)]
    geometry = Geometry(
        tuple(filter_size if at else 1 for at in here), tuple(pace if at else 1 for at in here), (0,) * dims, one, False
    )
    output = _binomial(Windows(reached, geometry).taps(0.0))
    if beyond:
        output = output.index_select(dim, (torch.arange(count, device=input.device) * step).clamp(max=length - 1))
    return output


def _open_blurred_along(
    input: Tensor, dim: int, filter_size: int, mode: str, step: int, count: int, length: Tensor
) -> Tensor:
    """Compute `_blurred_along` for a length that an exporter leaves open: each tap is picked by its places."""
    before, after = (filter_size - 1) // 2, filter_size // 2
    centre = torch.minimum(torch.arange(count, device=input.device) * step, length - 1)
    fits = length > max(before, after)  # else replicate
    taps = []
    for offset in range(-before, after + 1):
        place = centre + offset
        nearest = torch.minimum(place.clamp(min=0), length - 1)
        inner = nearest
        if mode == "circular":
            inner = place % length
        elif mode == "reflect":
            inner = torch.where(fits, (length - 1) - ((length - 1) - place.abs()).abs(), nearest)
        tap = input.index_select(dim, inner)
        if mode == "zeros":
            outside = fits & (place != nearest)
            tap = tap.masked_fill(outside.view(-1, *(1,) * (input.dim() - dim - 1)), 0.0)
        taps.append(tap)
    return _binomial(taps)


def _binomial(taps: list[Tensor]) -> Tensor:
    """Return the sum of the taps, weighted by binomial numbers that sum to 1."""
    rows = len(taps) - 1
    # Pascal's triangle of sums: with a power of two at the end a constant stays what it is, to the last bit.
    while len(taps) > 1:
        taps = [tap + following for tap, following in pairwise(taps)]
    return taps[0] * 0.5**rows
