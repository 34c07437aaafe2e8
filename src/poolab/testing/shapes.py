"""Geometries and the taps of their windows, from torch's documentation and not from poolab's own geometry."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import torch
from torch import Tensor

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """Torch's geometry arguments, a number for each dimension."""

    kernel_size: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    ceil_mode: bool = False

    @classmethod
    def of(
        cls,
        kernel_size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int] = (),
        dilation: Sequence[int] = (),
        ceil_mode: bool = False,
    ) -> "Shape":
        """Return the geometry, without padding and dilation where none are given."""
        dims = len(kernel_size)
        given = tuple(kernel_size), tuple(stride), tuple(padding) or (0,) * dims, tuple(dilation) or (1,) * dims
        return cls(*given, ceil_mode)

    @classmethod
    def even(cls, dims: int, kernel_size: int, stride: int, padding: int = 0, dilation: int = 1) -> "Shape":
        """Return the geometry with the same numbers in every dimension."""
        return cls((kernel_size,) * dims, (stride,) * dims, (padding,) * dims, (dilation,) * dims)

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of a torch pooling."""
        return dict(vars(self))

    @property
    def taps(self) -> int:
        """The taps of a complete window."""
        return math.prod(self.kernel_size)

    def places(self, axis: int, length: int) -> list[list[int]]:
        """Return the positions of each window along an axis, which may lie outside 0..length-1.

        The number of windows is the formula in torch's documentation of MaxPool2d; in ceil mode a window that would
        start in the right padding is left out.
        """
        k, s, p, d = (sizes[axis] for sizes in (self.kernel_size, self.stride, self.padding, self.dilation))
        rounded = math.ceil if self.ceil_mode else math.floor
        count = rounded((length + 2 * p - d * (k - 1) - 1) / s) + 1
        starts = [i * s - p for i in range(count) if not self.ceil_mode or i * s - p < length]
        return [[start + d * j for j in range(k)] for start in starts]

    def fits(self, sizes: Sequence[int]) -> bool:
        """Return True if there is a window along each axis, and a real tap in each window."""
        along = [self.places(axis, length) for axis, length in enumerate(sizes)]
        return all(
            windows and all(any(0 <= place < length for place in window) for window in windows)
            for windows, length in zip(along, sizes, strict=True)
        )


@lru_cache(maxsize=256)
def windows(shape: Shape, sizes: Sizes) -> tuple[Sizes, list[tuple[Sizes, Tensor]]]:
    """Return the pooled sizes, and for each window in raster order the box of its real taps and their flat places."""
    along = [
        [[place for place in window if 0 <= place < length] for window in shape.places(axis, length)]
        for axis, length in enumerate(sizes)
    ]
    index = torch.arange(math.prod(sizes)).view(sizes)
    boxes = []
    for places in product(*along):
        box = index
        for axis, kept in enumerate(places):
            box = box.index_select(axis, torch.tensor(kept, dtype=torch.int64))
        boxes.append((tuple(box.shape), box.flatten()))
    return tuple(map(len, along)), boxes


def each_window(x: Tensor, shape: Shape, value: Callable[[Tensor], Any]) -> Tensor:
    """Apply `value` to the real taps (1-d, raster order) of each window and channel of (N, C, *sizes), in float64."""
    pooled, boxes = windows(shape, tuple(x.shape[2:]))
    flat = x.flatten(2)
    found = [float(value(flat[n, c, places])) for n in range(len(x)) for c in range(x.shape[1]) for _, places in boxes]
    return torch.tensor(found, dtype=torch.float64).view(*x.shape[:2], *pooled)


# Overlapping windows, cut at every border. Fewer elements in three dimensions, where everything costs more.
USUAL = {
    1: Shape.of((3,), (2,), (1,)),
    2: Shape.of((3, 3), (2, 2), (1, 1)),
    3: Shape.of((3, 2, 2), (2, 2, 2), (1, 1, 1)),
}
# Complete windows side by side; the usual; ceil mode; dilation.
KINDS = {
    1: [Shape.of((2,), (2,)), USUAL[1], Shape.of((3,), (3,), (1,), ceil_mode=True), Shape.of((3,), (2,), (1,), (2,))],
    2: [
        Shape.of((2, 2), (2, 2)),
        USUAL[2],
        Shape.of((3, 2), (1, 3), (1, 0), ceil_mode=True),
        Shape.of((3, 3), (2, 1), (1, 1), (2, 1)),
    ],
    3: [
        Shape.of((2, 2, 2), (2, 2, 2)),
        USUAL[3],
        Shape.of((2, 1, 2), (1, 2, 3), (1, 0, 0), ceil_mode=True),
        Shape.of((2, 2, 1), (1, 2, 1), (1, 1, 0), (2, 1, 1)),
    ],
}


def random_cases(dims: int, count: int, seed: int = 0) -> Iterator[tuple[Shape, Sizes]]:
    """Yield geometries that torch's constructors take, each with the sizes of a map, which it may not fit."""
    draw = random.Random(seed)
    most = {1: 4, 2: 4, 3: 3}[dims]
    for _ in range(count):
        kernel = tuple(draw.randint(1, most) for _ in range(dims))
        yield (
            Shape(
                kernel,
                tuple(draw.randint(1, 4) for _ in kernel),
                tuple(draw.randint(0, k // 2) for k in kernel),
                tuple(draw.choice((1, 1, 2, 3)) for _ in kernel),
                draw.random() < 0.5,
            ),
            tuple(draw.randint(1, {1: 12, 2: 10, 3: 6}[dims]) for _ in kernel),
        )


def fitting_cases(dims: int, count: int, seed: int = 0) -> list[tuple[Shape, Sizes]]:
    """Yield the given number of random geometries, each with the sizes of a map that it fits."""
    cases = (case for case in random_cases(dims, 100 * count, seed) if case[0].fits(case[1]))
    return [case for case, _ in zip(cases, range(count), strict=False)]
