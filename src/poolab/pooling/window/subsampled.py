"""Maxima over regions that are drawn anew at every step: which rows, which boundaries."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from poolab.pooling.core.base import Reference
from poolab.pooling.core.geometry import Geometry, Sizes
from poolab.pooling.core.open_sizes import as_tensor, is_open
from poolab.pooling.core.options import Integer, Real, Size
from poolab.pooling.core.windows import Windows, total
from poolab.pooling.registry import register
from poolab.pooling.window._binomial import dense_lengths, dense_maximum
from poolab.pooling.window_pool import WindowPool2d


@register("s3")
class S3Pool2d(WindowPool2d):
    """Apply S3 pooling, a stochastic stride after maxima; in training window maxima in drawn rows and columns, in
    evaluation their means.

    Training: the maximum of the window at every place (stride 1, real taps only); its rows are cut into strips of
    `grid_size`, and each strip keeps, sorted and without replacement, as many random rows as outputs start in it; so
    along every axis, the same for the whole batch and all channels. The last strip absorbs the remainder. Evaluation:
    output i is the mean of the maxima at the places i * stride to (i + 1) * stride - 1, those there are. For the
    default grid that is exactly the expectation of training; for a larger one it is the paper's approximation of it.

    Output i comes from the window i of the geometry or one of the next stride - 1 places, and there are no windows
    beyond the last one of the geometry: on a map of 8, kernel 2 and stride 2 the last output is always window 3.

    Args:
        grid_size: the strips' height and width, at least the stride along every axis (in a smaller one there would be
            nothing to draw); None means the stride, one row out of every stride. The larger, the more distortion; the
            paper has 16 for the first and 8 for the second pooling of a 32x32 image.

    Example:
        >>> import torch
        >>> S3Pool2d(2).eval()(torch.tensor([[[1.0, 2.0, 3.0, 9.0]] * 4])).tolist()
        [[[2.5, 9.0], [2.5, 9.0]]]
    """

    reference = Reference("Zhai et al.", 2017, "arXiv:1611.05138")
    random = True
    positional = True
    grid_size: int | None
    options = {"grid_size": Integer(None, most=8192)}
    evaluates = "the mean of the stride-1 maxima from which training draws with the default grid"
    exempt = {
        "nan": "the drawn or averaged places at stride 1 hold taps of the neighbouring window",
        "ties": "the maxima of overlapping windows at stride 1 are averaged, each with the first of its own taps",
    }
    disagreements = (
        "Shuangfei/s3pool averages in evaluation over bins shifted by half the stride (padding stride // 2), where the "
        "strips of training are not shifted; its evaluation is not the expectation of its training.",
        "Shuangfei/s3pool keeps floor(width / grid) * floor(grid / kernel) rows in training and another number in "
        "evaluation where the grid does not divide the width; here both have the size of nn.MaxPool2d.",
    )

    def conflicts(self) -> Iterator[str]:
        """Check that a strip is no smaller than the stride, which would leave no choice of its row."""
        geometry = getattr(self, "geometry", None)  # none where it is wrong, which is told beside this
        if self.grid_size is not None and geometry is not None and self.grid_size < max(geometry.stride):
            yield f"grid_size={self.grid_size} must be at least the stride along every axis, {geometry.stride}"

    @staticmethod
    def formula(
        windows: Windows,
        grid_size: int | None = None,
        training: bool = True,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute stride-1 maxima in drawn rows and columns in training, the means over the stride otherwise."""
        maxima, stride, none = dense_maximum(windows), windows.geometry.stride, (0,) * windows.dims
        if not training:
            bins = Windows(maxima, Geometry(stride, stride, none, (1,) * windows.dims, True))
            return _open_means(bins, dense_lengths(windows)) if windows.is_open else bins.mean()
        for axis, (step, count) in enumerate(zip(stride, windows.output_size, strict=True)):
            keys = torch.rand(maxima.shape[axis + 2], generator=generator, device=maxima.device)
            maxima = maxima.index_select(axis + 2, _drawn_rows(keys, grid_size or step, step, count))
        return maxima


def _open_means(bins: Windows, lengths: list[Tensor]) -> Tensor:
    """Return the mean of each bin over the first `lengths` places, where an exporter leaves the sizes open."""
    kept, count = bins.input, torch.ones((), device=bins.device)
    for axis, (length, step, out) in enumerate(zip(lengths, bins.geometry.stride, bins.output_size, strict=True)):
        behind = (1,) * (bins.dims - 1 - axis)
        outside = torch.arange(bins.sizes[axis], device=bins.device) >= length
        kept = kept.masked_fill(outside.view(-1, *behind), 0.0)
        count = count * (length - torch.arange(out, device=bins.device) * step).clamp(max=step).view(-1, *behind)
    return total(Windows(kept, bins.geometry).taps(0.0)) / count


def _drawn_rows(keys: Tensor, grid: int, step: int, count: int) -> Tensor:
    """Return the kept rows, sorted: of each strip those with the least keys, one for each output that starts in it."""
    last = max(0, count * step // grid - 1)  # the last strip that is complete absorbs what is left

    def strip(place: Tensor) -> Tensor:
        return (place // grid).clamp(max=last)

    shuffled = keys.argsort()
    shuffled = shuffled[strip(shuffled).argsort(stable=True)]  # each strip's rows in its own places, shuffled
    output = torch.arange(count, device=keys.device)
    first_row = strip(output * step) * grid
    nth_in_strip = output - (first_row + step - 1) // step
    return shuffled[first_row + nth_in_strip].sort().values


@register("fractional_max")
class FractionalMaxPool2d(WindowPool2d):
    """Apply fractional max pooling: y_i = max(x_(a_i), ..., x_(a_i + k - 1)), a_i = floor(alpha (i + u)) -
    floor(alpha u).

    Along each axis, with alpha = (size - k) / (output size - 1), which need not be whole; u is drawn from [0, 1) for
    each sample, channel and axis in training and is 1/2 in evaluation. The last region ends with the map. The output
    size is `output_size`, or floor(size * `output_ratio`), or, with neither, that of nn.MaxPool2d for the stride,
    padding, dilation and ceil mode, which count for nothing else: the k elements of a region are adjacent and all real
    (all elements of a map that has fewer than k). Where alpha is whole nothing is drawn, and this is strided max
    pooling: with kernel 2 and output_ratio 0.5 on even sizes it is exactly MaxPool2d(2); take another ratio, or kernel
    3.

    Args:
        output_ratio: the output size over the map's size.
        output_size: the output size, where a pair is (height, width); a larger one than the map repeats elements.

    Example:
        >>> import torch
        >>> FractionalMaxPool2d(2, output_size=3).eval()(torch.arange(5.0).expand(1, 5, 5))[0, 0].tolist()
        [1.0, 3.0, 4.0]
    """

    reference = Reference("Graham", 2014, "arXiv:1412.6071")
    random = True
    output_ratio: float | None
    output_size: int | Sizes | None
    options = {"output_ratio": Real(None, least=0.0, most=1.0, open_least=True), "output_size": Size(None, most=8192)}
    evaluates = "the maxima of the regions of the fixed sample u = 1/2"
    exempt = {
        "nan": "the regions are not the windows of the geometry",
        "ties": "the regions are not the windows of the geometry; in each region the first element takes the gradient",
        "expectation": "evaluation takes the regions of one fixed sample; the mean of many is another function",
    }
    disagreements = (
        "torch.nn.FractionalMaxPool2d draws its regions in evaluation too (pytorch/pytorch#114028), and compiled it "
        "draws others than in eager mode (pytorch/pytorch#141538, #183249).",
        "The paper ties regions to their boundaries (disjoint, or overlapping by one element) and shares them between "
        "channels; torch and this class take k elements from each start, and draw the starts for each channel.",
        "torch computes the starts in the input's precision; here a whole alpha never rounds to another element.",
    )

    def conflicts(self) -> Iterator[str]:
        """Check that the size is given in one way, and as many sizes as there are dimensions."""
        if self.output_ratio is not None and self.output_size is not None:
            yield "takes output_ratio or output_size, not both"
        if isinstance(self.output_size, list | tuple) and self.dims != 2:
            yield f"output_size must be an int in {self.dims} dimensions, found {self.output_size!r}"

    @staticmethod
    def formula(
        windows: Windows,
        output_ratio: float | None = None,
        output_size: int | Sizes | None = None,
        training: bool = True,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute maxima over regions with drawn starts in training, with those of u = 1/2 otherwise."""
        pooled, sizes = windows.input, _output_size(windows, output_ratio, output_size)
        shape, device = (*pooled.shape[:2], windows.dims), pooled.device
        samples = torch.rand(shape, generator=generator, device=device) if training else None
        # The last axis first: of equal elements the first in raster order remains.
        for axis in reversed(range(windows.dims)):
            kernel, length, out = windows.geometry.kernel_size[axis], windows.sizes[axis], sizes[axis]
            sample = None if samples is None else samples[..., axis, None]
            if is_open(length, out):
                starts = _open_starts(length, kernel, out, pooled, sample)
            else:
                kernel = min(kernel, length)
                starts = _starts(length - kernel, torch.arange(out, device=device), out, sample)
            pooled = _maximum_along(pooled, axis + 2, starts, kernel)
        return pooled


def _output_size(windows: Windows, ratio: float | None, size: int | Sizes | None) -> Sizes:
    if ratio is None and size is None:
        return windows.output_size
    if size is None:
        whole = torch.sym_int if windows.is_open else int
        sizes = tuple(whole(length * (ratio or 0.0)) for length in windows.sizes)
    else:
        sizes = (size,) * windows.dims if isinstance(size, int) else tuple(size)
    if (ratio is not None and size is not None) or (not is_open(*sizes) and min(sizes) < 1):
        raise ValueError(
            f"FractionalMaxPool{windows.dims}d(output_ratio={ratio}, output_size={size}): the output for input "
            f"{tuple(windows.input.shape)} would be {'x'.join(map(str, sizes))}; give one of the two, so that it is at "
            "least 1"
        )
    return sizes


def _starts(free: int, index: Tensor, count: int, sample: Tensor | None) -> Tensor:
    """Return floor(alpha (i + u)) - floor(alpha u), alpha = free / (count - 1): where each region starts."""
    if count == 1:  # as torch: the last elements
        return index + free
    return _spread(free, index, count - 1, sample)


def _open_starts(length: int, kernel: int, count: int, input: Tensor, sample: Tensor | None) -> Tensor:
    """Compute `_starts` for a length that an exporter leaves open; on a shorter map than the kernel all are 0."""
    free, index = as_tensor(length - kernel, input).clamp(min=0), torch.arange(count, device=input.device)
    gaps = as_tensor(count - 1, input)
    return torch.where(gaps == 0, index + free, _spread(free, index, gaps.clamp(min=1), sample))


def _spread(free: Any, index: Tensor, gaps: Any, sample: Tensor | None) -> Tensor:
    """Return floor(alpha (i + u)) - floor(alpha u) for alpha = free / gaps."""
    if sample is None:  # u = 1/2, in whole numbers
        return (2 * index + 1) * free // (2 * gaps) - free // (2 * gaps)
    # i alpha = whole + rest / gaps exactly, so that no rounding of alpha (i + u) moves a start.
    whole, rest = index * free // gaps, index * free % gaps
    return whole + (rest + (sample * (free / gaps)).frac() * gaps >= gaps)


def _maximum_along(input: Tensor, dim: int, starts: Tensor, kernel: int) -> Tensor:
    """Return the maximum of `kernel` elements from each start; on a tie the gradient goes to the first, NaN wins."""
    count = starts.shape[-1]
    shape = (*input.shape[:dim], count, *input.shape[dim + 1 :])
    # starts (o,) for all, or (N, C, o): o goes to `dim`, behind N, C and any axis that comes before it
    before, behind = (1,) * (dim - 2), (1,) * (input.dim() - dim - 1)
    starts = starts.view(*starts.shape[:-1], *before, count, *behind).expand(shape)
    with torch.no_grad():
        place, top = starts, input.gather(dim, starts)
        for offset in range(1, kernel):
            following = starts + offset
            if is_open(input.shape[dim]):  # a map that may be shorter than the kernel has its last element again
                following = torch.minimum(following, as_tensor(input.shape[dim] - 1, input))
            tap = input.gather(dim, following)
            ahead = (tap > top) | tap.isnan()
            place, top = torch.where(ahead, following, place), torch.where(ahead, tap, top)
    return input.gather(dim, place)
