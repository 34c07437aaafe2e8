"""The windows of a map as the formulas see them: extremes, means, taps and ranks, without a k*k copy."""

from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.geometry import Geometry, Pair


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Half precision is summed and exponentiated in float32: exp(12) and nine times 1e4 overflow float16."""
    return torch.float32 if dtype.itemsize < 4 else dtype


class Windows:
    """All windows of a map (N, C, H, W) under one geometry.

    A window is its real cells: padded cells, and cells that only `ceil_mode` adds, are not in it.
    Every quantity has the shape (N, C, oH, oW) of the pooled map. `taps` are strided views of the input, one for each
    position in the window, so that no path holds the unfolded copy (k*k times the map).
    """

    def __init__(self, input: Tensor, geometry: Geometry):
        self.input = input
        self.geometry = geometry
        self.output_size: Pair = geometry.output_size(input.shape[-2], input.shape[-1])

    # -- whole windows, by torch's own kernels where torch has one

    def maximum(self) -> Tensor:
        """The largest cell; on a tie the gradient goes to the first, NaN wins."""
        g = self.geometry
        return F.max_pool2d(self.input, g.kernel_size, g.stride, g.padding, g.dilation, g.ceil_mode)

    def minimum(self) -> Tensor:
        """The smallest cell; on a tie the gradient goes to the first, NaN wins."""
        g = self.geometry
        return -F.max_pool2d(-self.input, g.kernel_size, g.stride, g.padding, g.dilation, g.ceil_mode)

    def mean(self, count_include_pad: bool = False) -> Tensor:
        """The mean cell; with `count_include_pad` padded zeros are cells too (never those that ceil mode adds)."""
        g = self.geometry
        if g.dilation == (1, 1):
            wide = self.input.to(compute_dtype(self.input.dtype))
            return F.avg_pool2d(wide, g.kernel_size, g.stride, g.padding, g.ceil_mode, count_include_pad)
        return reduce(torch.add, self.taps(0.0)) / self.counts(count_include_pad)

    # -- cells

    @property
    def complete(self) -> bool:
        """Whether every window has all its cells, so that nothing has to be filled or counted."""
        return self.geometry.padding == (0, 0) and all(
            self._extent(axis) <= self.input.shape[axis - 2] for axis in (0, 1)
        )

    def padded(self, fill: float) -> Tensor:
        """The map, cropped or filled up to the rows and columns that the windows reach."""
        top, left = self.geometry.padding
        return self._fitted(self._extent(0), self._extent(1), top, left, fill)

    def taps(self, fill: float) -> list[Tensor]:
        """One view (N, C, oH, oW) for each position in the window, in raster order; missing cells hold `fill`.

        In float32 for narrower dtypes. With a stride s > 1 the map is split into its s*s phases and a tap is a slice of
        one phase: the backward of that split is one stack, where a strided slice would fill the whole map with zeros
        once a tap (sum of the taps of 64x64x32x32, forward and backward, 2 cores: 14 against 22 ms for 2x2/2, 36
        against 65 for 3x3/2).
        """
        (kh, kw), (sh, sw), (dh, dw) = self.geometry.kernel_size, self.geometry.stride, self.geometry.dilation
        oh, ow = self.output_size
        rows, columns = -(-self._extent(0) // sh) * sh, -(-self._extent(1) // sw) * sw
        whole = self._fitted(rows, columns, *self.geometry.padding, fill).to(compute_dtype(self.input.dtype))
        phases = [
            row.unbind(-1) if sw > 1 else (row.squeeze(-1),)
            for row in whole.unflatten(-2, (rows // sh, sh)).unflatten(-1, (columns // sw, sw)).unbind(-3)
        ]
        return [
            phases[i * dh % sh][j * dw % sw].narrow(-2, i * dh // sh, oh).narrow(-1, j * dw // sw, ow)
            for i in range(kh)
            for j in range(kw)
        ]

    def counts(self, count_include_pad: bool = False) -> Tensor | int:
        """The number of cells of each window: an int where all are complete, else (oH, oW)."""
        if self.complete:
            return self.geometry.cells
        rows, columns = (self._inside(axis, count_include_pad).sum(1) for axis in (0, 1))
        return (rows[:, None] * columns).to(compute_dtype(self.input.dtype))

    def ranks(self) -> list[Tensor]:
        """Each tap's rank in its window, 0 for the largest cell, as numbers without a gradient.

        Equal cells rank in raster order, so that the first takes the gradient as in `nn.MaxPool2d`, which neither
        `torch.topk` nor `torch.maximum` promises. Counting who is ahead and weighting the cells by it keeps the
        comparisons out of autograd: forward and backward of rank_weighted on 64x64x32x32 took half the time of sorting
        by exchanges for 2x2/2 (203 against 415 ms, one thread of a busy machine), a third for 3x3/2 (606 against 1783).
        Missing cells rank last, behind a real -inf. Where a window holds NaN its ranks mean nothing.
        """
        with torch.no_grad():
            cells, real = self.taps(-torch.inf), self._real()
            ranks = [torch.full_like(cell, place) for place, cell in enumerate(cells)]
            for later in range(1, len(cells)):
                for earlier in range(later):
                    ahead = cells[later] > cells[earlier]
                    if real is not None:
                        ahead = ahead | (real[later] & ~real[earlier])
                    ahead = ahead.to(ranks[later].dtype)
                    ranks[earlier] += ahead
                    ranks[later] -= ahead
        return ranks

    def sum_by_rank(self, term: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The sum of term(rank, cell) over each window, where missing cells are 0; NaN where it holds NaN."""
        summed = total([term(rank, cell) for rank, cell in zip(self.ranks(), self.taps(0.0), strict=True)])
        with torch.no_grad():
            top = self.maximum().to(summed.dtype)
        return torch.where(top.isnan(), top, summed)

    # -- random numbers

    def uniform(self, generator: torch.Generator | None) -> Tensor:
        """One number from [0, 1) for each window, from `generator` or from torch's global one."""
        shape = (*self.input.shape[:-2], *self.output_size)
        dtype = compute_dtype(self.input.dtype)
        # rand and not empty_like: the numbers of a window do not depend on the memory format.
        return torch.rand(shape, generator=generator, device=self.input.device, dtype=dtype)

    # -- geometry

    def _extent(self, axis: int) -> int:
        """Rows or columns from the first window's first tap to the last window's last one."""
        return (self.output_size[axis] - 1) * self.geometry.stride[axis] + self.geometry.span(axis)

    def _fitted(self, rows: int, columns: int, top: int, left: int, fill: float) -> Tensor:
        height, width = self.input.shape[-2:]
        bottom, right = rows - top - height, columns - left - width
        fitted = self.input
        if bottom < 0 or right < 0:  # a crop is a view
            fitted = fitted.narrow(-2, 0, height + min(bottom, 0)).narrow(-1, 0, width + min(right, 0))
        if top or left or bottom > 0 or right > 0:
            fitted = F.pad(fitted, (left, max(right, 0), top, max(bottom, 0)), value=fill)
        return fitted

    def _real(self) -> list[Tensor] | None:
        """For each tap, in which windows (oH, oW) it is a real cell; None where all are."""
        if self.complete:
            return None
        rows, columns = (self._inside(axis).unbind(1) for axis in (0, 1))
        return [row[:, None] & column for row in rows for column in columns]

    def _inside(self, axis: int, count_include_pad: bool = False) -> Tensor:
        """Whether the k-th place of the i-th window along an axis lies on the map, (o, k)."""
        g, device = self.geometry, self.input.device
        first = torch.arange(self.output_size[axis], device=device) * g.stride[axis] - g.padding[axis]
        places = first[:, None] + torch.arange(g.kernel_size[axis], device=device) * g.dilation[axis]
        margin = g.padding[axis] if count_include_pad else 0
        return (places >= -margin) & (places < self.input.shape[axis - 2] + margin)


def peak(cells: list[Tensor]) -> Tensor:
    """The largest of the cells without its gradient: the shift or scale of a formula that does not depend on it."""
    return reduce(torch.maximum, [cell.detach() for cell in cells])


def rescue_infinite(cell: Tensor, top: Tensor, ordinary: Tensor, at_top: float, below: float) -> Tensor:
    """`ordinary`, but `at_top` or `below` where the cell is infinite: inf - inf and inf / inf would be NaN there."""
    infinite, highest = cell.isinf(), cell == top
    return ordinary.masked_fill(infinite & highest, at_top).masked_fill(infinite & ~highest, below)


def total(terms: list[Tensor], term: Callable[[Tensor], Tensor] = lambda cell: cell) -> Tensor:
    """The sum of term(cell), one cell at a time."""
    return reduce(torch.add, (term(cell) for cell in terms))
