"""The windows of a map as the formulas see them: extremes, means, taps and ranks, without a k*k copy."""

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.pooling.core.geometry import Geometry, Sizes
from poolab.pooling.core.noise import Noise, draw_seed
from poolab.pooling.core.open_sizes import is_open

MAX_POOL: dict[int, Any] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return float32 for half precision, else the dtype itself: exp(12) and nine times 1e4 overflow float16."""
    return torch.float32 if dtype.itemsize < 4 else dtype


class Windows:
    """Give a formula all windows of a map (N, C, H, W) under one geometry; of (N, C, L) and (N, C, D, H, W) likewise.

    A window consists of its real taps: padded ones, and those that only `ceil_mode` adds, are not in it.
    Every quantity has the shape (N, C, oH, oW) of the pooled map. `taps` are strided views of the input, one for each
    tap of the window, so that no path holds the unfolded copy (k*k times the map).

    Attributes:
        input: the map, always batched.
        geometry: kernel size, stride, padding, dilation and ceil mode, each a tuple of `dims` numbers.
        sizes: the map's spatial sizes.
        output_size: those of the pooled map.
        noise: the random numbers of this call; None until the first is asked for.
    """

    def __init__(self, input: Tensor, geometry: Geometry, noise: Noise | None = None):
        self.input = input
        self.noise = noise
        self.geometry = geometry
        self.dims = geometry.dims
        self.sizes: Sizes = tuple(input.shape[2:])
        self.output_size: Sizes = geometry.output_size(*self.sizes)

    @property
    def dtype(self) -> torch.dtype:
        """Return the dtype of the taps."""
        return compute_dtype(self.input.dtype)

    @property
    def device(self) -> torch.device:
        """Return the device of the map."""
        return self.input.device

    @property
    def is_open(self) -> bool:
        """Return True if an exporter leaves the map's size open, so that no branch may ask for it."""
        return is_open(*self.sizes)

    def mapped(self, function: Callable[[Tensor], Tensor]) -> "Windows":
        """Return the same windows over function(tap), element by element."""
        return Windows(function(self.input), self.geometry, self.noise)

    # -- whole windows, by torch's own kernels where torch has one

    def maximum(self) -> Tensor:
        """Return the largest tap; on a tie the gradient goes to the first, NaN wins."""
        return self._largest(self.input)

    def minimum(self) -> Tensor:
        """Return the smallest tap; on a tie the gradient goes to the first, NaN wins."""
        return -self._largest(-self.input)

    def mean(self, count_include_pad: bool = False) -> Tensor:
        """Return the mean of the taps; `count_include_pad` counts padded zeros too, never those that ceil mode adds.

        In float32 for narrower dtypes.
        """
        g = self.geometry
        # torch's avg_pool3d refuses a map smaller than the kernel, whatever its padding
        fits = not g.is_dilated and (
            not (g.ceil_mode or self.dims == 3)
            if self.is_open
            else self.dims < 3 or all(k <= size for k, size in zip(g.kernel_size, self.sizes, strict=True))
        )
        if fits:
            wide = self.input.to(compute_dtype(self.input.dtype))
            return AVG_POOL[self.dims](wide, g.kernel_size, g.stride, g.padding, g.ceil_mode, count_include_pad)
        return total(self.taps(0.0)) / self.counts(count_include_pad)

    def _largest(self, input: Tensor) -> Tensor:
        g, ceil_mode = self.geometry, self.geometry.ceil_mode
        if ceil_mode and self.is_open:  # torch would ask where the last window begins
            behind = [g.reach(axis) - g.padding[axis] for axis in range(self.dims)]
            input, ceil_mode = F.pad(input, _pairs([(0, more) for more in behind]), value=-torch.inf), False
        if self.dims == 1 and self.is_open:  # torch's kernel for one dimension freezes the size
            sizes: list[Any] = [(1, *g.kernel_size), (1, *g.stride), (0, *g.padding), (1, *g.dilation)]
            return MAX_POOL[2](input.unsqueeze(2), *sizes, ceil_mode).squeeze(2)
        return MAX_POOL[self.dims](input, g.kernel_size, g.stride, g.padding, g.dilation, ceil_mode)

    # -- taps

    @property
    def complete(self) -> bool:
        """Return True if every window has all its taps, so that nothing has to be filled or counted."""
        if self.geometry.is_padded or self.is_open:
            return not (self.geometry.is_padded or self.geometry.ceil_mode)
        return all(self._extent(axis) <= length for axis, length in enumerate(self.sizes))

    def padded(self, fill: float) -> Tensor:
        """Return the map, cropped or filled up to the elements that the windows reach along each axis.

        Where its size is open it is not cropped.
        """
        if self.is_open:
            around = [(self.geometry.padding[axis], self.geometry.reach(axis)) for axis in range(self.dims)]
            return F.pad(self.input, _pairs(around), value=fill) if any(map(any, around)) else self.input
        return self._fitted([self._extent(axis) for axis in range(self.dims)], fill)

    def taps(self, fill: float) -> list[Tensor]:
        """Return one view (N, C, oH, oW) for each tap of the window, in raster order; missing taps hold `fill`.

        In float32 for narrower dtypes. With a stride s > 1 the map is split into its s*s phases and a tap is a slice of
        one phase: the backward of that split is one stack, where a strided slice would fill the whole map with zeros
        once a tap (sum of the taps of 64x64x32x32, forward and backward, 2 cores: 14 against 22 ms for 2x2/2, 36
        against 65 for 3x3/2).
        """
        g = self.geometry
        if self.is_open:
            return self._open_taps(fill)
        lengths = [-(-self._extent(axis) // step) * step for axis, step in enumerate(g.stride)]
        phases: dict[Sizes, Tensor] = {(): self._fitted(lengths, fill).to(compute_dtype(self.input.dtype))}
        for axis, step in enumerate(g.stride):
            phases = {
                (*place, offset): phase
                for place, whole in phases.items()
                for offset, phase in enumerate(_split(whole, axis + 2, step))
            }
        taps = []
        for place in product(*map(range, g.kernel_size)):
            first = [k * step for k, step in zip(place, g.dilation, strict=True)]
            tap = phases[tuple(start % step for start, step in zip(first, g.stride, strict=True))]
            for axis, (start, step, out) in enumerate(zip(first, g.stride, self.output_size, strict=True)):
                tap = tap.narrow(axis + 2, start // step, out)
            taps.append(tap)
        return taps

    def _open_taps(self, fill: float) -> list[Tensor]:
        """Return the taps of a map whose size is open, as strided slices: how many phases it has is not known."""
        g, whole = self.geometry, self.padded(fill).to(compute_dtype(self.input.dtype))
        taps = []
        for place in product(*map(range, g.kernel_size)):
            tap = whole
            for axis, (k, step) in enumerate(zip(place, g.stride, strict=True)):
                start = k * g.dilation[axis]
                behind = g.span(axis) - 1 - start
                tap = tap[(slice(None),) * (axis + 2) + (slice(start, -behind or None, step),)]
            taps.append(tap)
        return taps

    def counts(self, count_include_pad: bool = False) -> Tensor | int:
        """Return the number of taps of each window: an int where all are complete, else a map (oH, oW)."""
        if self.complete:
            return self.geometry.taps
        along = [self._inside(axis, count_include_pad).sum(1) for axis in range(self.dims)]
        return _outer(along, operator.mul).to(compute_dtype(self.input.dtype))

    def real(self) -> list[Tensor] | None:
        """Return for each tap in which windows (oH, oW) it is a real tap; None where all are."""
        if self.complete:
            return None
        along = [self._inside(axis).unbind(1) for axis in range(self.dims)]
        return [_outer(list(place), torch.logical_and) for place in product(*along)]

    def ranks(self) -> list[Tensor]:
        """Return each tap's rank in its window, 0 for the largest tap, as numbers without a gradient.

        Equal taps rank in raster order, so that the first takes the gradient as in `nn.MaxPool2d`, which neither
        `torch.topk` nor `torch.maximum` promises. Counting who is ahead and weighting the taps by it keeps the
        comparisons out of autograd: forward and backward of rank_weighted on 64x64x32x32 took half the time of sorting
        by exchanges for 2x2/2 (203 against 415 ms, one thread of a busy machine), a third for 3x3/2 (606 against 1783).
        Missing taps rank last. Where a window holds NaN its ranks mean nothing.
        """
        with torch.no_grad():
            taps = self._ranked()
            ranks = [torch.full_like(tap, place) for place, tap in enumerate(taps)]
            for later in range(1, len(taps)):
                for earlier in range(later):
                    ahead = (taps[later] > taps[earlier]).to(taps[0].dtype)
                    ranks[earlier] = ranks[earlier] + ahead
                    ranks[later] = ranks[later] - ahead
        return ranks

    def _ranked(self) -> list[Tensor]:
        """Return the taps as they are compared: a missing one is -inf, a real -inf the lowest number."""
        if self.complete:
            return self.taps(0.0)
        return self.mapped(lambda tap: tap.clamp(min=torch.finfo(tap.dtype).min)).taps(-torch.inf)

    def sum_by_rank(self, term: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return the sum of term(rank, tap) over each window, where missing taps are 0; NaN where it holds NaN."""
        summed = total([term(rank, tap) for rank, tap in zip(self.ranks(), self.taps(0.0), strict=True)])
        with torch.no_grad():
            has_nan = self.has_nan()
        return summed.masked_fill(has_nan, torch.nan)

    def has_nan(self) -> Tensor:
        """Return which windows hold NaN."""
        return self.maximum().isnan()

    def by_rank(self, rank: Tensor, values: Sequence[Tensor | float]) -> Tensor:
        """Return values[rank] for a map of ranks; each value is a number, or one for each channel, (C, 1, 1)."""
        if isinstance(values[0], Tensor) and values[0].dim():
            table = torch.stack([torch.as_tensor(value) for value in values], -1).flatten(0, -2)  # (C, ranks)
            each = torch.arange(len(table), device=rank.device).view(-1, *(1,) * self.dims)
            return table[each, rank.long()]
        # Filled on the device: a number that is copied there makes the host wait.
        numbers = [v.to(rank.dtype) if isinstance(v, Tensor) else rank.new_full((), v) for v in values]
        return torch.stack(numbers)[rank.long()]

    # -- random numbers

    def uniform(self, generator: torch.Generator | None = None, shared: str = "window") -> Tensor:
        """Draw a number from [0, 1) for each "window", "channel" (N, C, 1, 1) or "sample" (N, 1, 1, 1).

        The first call draws a seed from `generator` or from torch's global one. The numbers of a window do not depend
        on the memory format.
        """
        samples, channels = self.input.shape[:2]
        ones = (1,) * self.dims
        noise = self._noise(generator)
        first, shape = {
            "window": (noise.map * prod(self.output_size), (samples, channels, *self.output_size)),
            "channel": (noise.map, (samples, channels, *ones)),
            "sample": (noise.sample, (samples, 1, *ones)),
        }[shared]
        return noise.uniform(first, shape, self.dtype)

    def uniform_of_positions(self, generator: torch.Generator | None = None) -> list[Tensor]:
        """Draw for each tap the number from [0, 1) of its position on the map, the same in all windows over it."""
        noise = self._noise(generator)
        numbers = noise.uniform(noise.map * prod(self.sizes), tuple(self.input.shape), self.dtype)
        return Windows(numbers, self.geometry).taps(0.0)

    def uniform_of_cells(self, generator: torch.Generator | None = None) -> list[Tensor]:
        """Return `uniform_of_positions`, for formulas of users that know it by its first name."""
        return self.uniform_of_positions(generator)

    def _noise(self, generator: torch.Generator | None) -> Noise:
        if self.noise is None:
            self.noise = Noise(draw_seed(generator, self.device))
        return self.noise

    # -- geometry

    def _extent(self, axis: int) -> int:
        """Return how many elements of an axis lie from the first window's first tap to the last window's last one."""
        return (self.output_size[axis] - 1) * self.geometry.stride[axis] + self.geometry.span(axis)

    def _fitted(self, lengths: Sequence[int], fill: float) -> Tensor:
        """Return the map cropped or filled up to `lengths`, beginning `padding` elements before it."""
        fitted, before_and_after = self.input, []
        for axis, (length, have, before) in enumerate(zip(lengths, self.sizes, self.geometry.padding, strict=True)):
            after = length - before - have
            if after < 0:  # a crop is a view
                fitted = fitted.narrow(axis + 2, 0, have + after)
            before_and_after.append((before, max(after, 0)))
        if any(before or after for before, after in before_and_after):
            fitted = F.pad(fitted, _pairs(before_and_after), value=fill)
        return fitted

    def _inside(self, axis: int, count_include_pad: bool = False) -> Tensor:
        """Return True if the k-th place of the i-th window along an axis lies on the map, (o, k)."""
        g, device = self.geometry, self.input.device
        first = torch.arange(self.output_size[axis], device=device) * g.stride[axis] - g.padding[axis]
        places = first[:, None] + torch.arange(g.kernel_size[axis], device=device) * g.dilation[axis]
        margin = g.padding[axis] if count_include_pad else 0
        return (places >= -margin) & (places < self.sizes[axis] + margin)


def _pairs(around: Sequence[tuple[int, int]]) -> list[int]:
    """Return what `F.pad` takes, from the numbers of elements before and after the map on each axis."""
    return [size for pair in reversed(around) for size in pair]


def _split(whole: Tensor, dim: int, step: int) -> Sequence[Tensor]:
    """Return every step-th slice along a dimension, for each of the `step` offsets."""
    return whole.unflatten(dim, (whole.shape[dim] // step, step)).unbind(dim + 1) if step > 1 else (whole,)


def _outer(vectors: list[Tensor], combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return combine(... combine(a_i, b_j) ..., c_k) for all i, j, k."""
    return reduce(lambda table, vector: combine(table.unsqueeze(-1), vector), vectors)


def peak(taps: list[Tensor]) -> Tensor:
    """Return the largest of the taps without its gradient: a shift or scale that the formula does not depend on."""
    return reduce(torch.maximum, [tap.detach() for tap in taps])


def rescue_infinite(tap: Tensor, top: Tensor, ordinary: Tensor, at_top: float, below: float) -> Tensor:
    """Return `ordinary`, but `at_top` or `below` where the tap is infinite: inf - inf or inf / inf would be NaN."""
    infinite, highest = tap.isinf(), tap == top
    return ordinary.masked_fill(infinite & highest, at_top).masked_fill(infinite & ~highest, below)


def total(terms: list[Tensor], term: Callable[[Tensor], Tensor] = lambda tap: tap) -> Tensor:
    """Return the sum of term(tap), one tap at a time.

    By `+`: in an exported graph `torch.add` and the `+` of a network have the same names, such as "add_7", and torch's
    own quantisers then take both for one operation, and fail. So it is with `tensor.relu()` beside nn.ReLU.
    """
    return reduce(operator.add, (term(tap) for tap in terms))
