"""What the anti-aliased and the drawn methods should give: float64 numpy, one output at a time, nothing of poolab."""

import itertools
from fractions import Fraction
from math import comb, floor

import numpy as np

# -- blur: the filter cell by cell, from the index of each padded cell


def seen(place: int, length: int, pad: int, mode: str) -> int | None:
    """Which cell is seen at a place that may lie outside the map; None is a zero."""
    if 0 <= place < length:
        return place
    if mode == "zeros":
        return None
    if mode == "circular":
        return place % length
    if mode == "reflect" and pad < length:
        return -place if place < 0 else 2 * length - 2 - place
    return 0 if place < 0 else length - 1


def blur_at(x: np.ndarray, centres: list[list[int]], size: int, mode: str) -> np.ndarray:
    """The binomial filter of `size` at each combination of row and column in `centres`, for (N, C, H, W)."""
    weights = [comb(size - 1, j) / 2 ** (size - 1) for j in range(size)]
    out = np.zeros((*x.shape[:2], *map(len, centres)))
    for i, j in itertools.product(*(range(len(c)) for c in centres)):
        for a, b in itertools.product(range(size), repeat=2):
            place = [
                seen(axis[at] + k - (size - 1) // 2, length, size // 2, mode)
                for axis, at, k, length in zip(centres, (i, j), (a, b), x.shape[2:], strict=True)
            ]
            if None not in place:
                out[:, :, i, j] += weights[a] * weights[b] * x[:, :, place[0], place[1]]
    return out


def blur(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    centres = [
        [min(i * s, n - 1) for i in range(len(shape.places(axis, n)))]
        for axis, (s, n) in enumerate(zip(shape.stride, x.shape[2:], strict=True))
    ]
    return blur_at(x, centres, m.filter_size, m.padding_mode)


# -- maxima at stride 1


def maxima(x: np.ndarray, shape: object) -> np.ndarray:
    """The largest real cell of every window that starts at -padding, -padding + 1, ...

    Up to the last complete one (with padding on both sides), or to the last of the geometry where that is later.
    """
    starts = []
    for axis, (k, s, p, d) in enumerate(
        zip(shape.kernel_size, shape.stride, shape.padding, shape.dilation, strict=True)
    ):
        n = x.shape[axis + 2]
        complete = n + p - d * (k - 1) - 1
        starts.append(range(-p, max(complete, (len(shape.places(axis, n)) - 1) * s - p) + 1))
    out = np.empty((*x.shape[:2], *map(len, starts)))
    for (i, top), (j, left) in itertools.product(*(enumerate(s) for s in starts)):
        rows, columns = (
            [first + d * a for a in range(k) if 0 <= first + d * a < n]
            for first, k, d, n in zip((top, left), shape.kernel_size, shape.dilation, x.shape[2:], strict=True)
        )
        out[:, :, i, j] = x[:, :, rows][:, :, :, columns].max((2, 3))
    return out


def max_blur(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    centres = [[i * s for i in range(len(shape.places(a, x.shape[a + 2])))] for a, s in enumerate(shape.stride)]
    return blur_at(maxima(x, shape), centres, m.filter_size, m.padding_mode)


def s3(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    """The mean over the stride; the grid makes no difference in evaluation."""
    top, (h, w) = maxima(x, shape), shape.stride
    sizes = [len(shape.places(axis, x.shape[axis + 2])) for axis in (0, 1)]
    out = np.empty((*x.shape[:2], *sizes))
    for i, j in np.ndindex(*sizes):
        out[:, :, i, j] = top[:, :, i * h : (i + 1) * h, j * w : (j + 1) * w].mean((2, 3))
    return out


# -- regions


def regions(length: int, kernel: int, count: int, u: Fraction) -> list[range]:
    """Graham's pseudo-random regions as torch takes them, in exact arithmetic."""
    kernel = min(kernel, length)
    if count == 1:
        return [range(length - kernel, length)]
    alpha = Fraction(length - kernel, count - 1)
    starts = [floor(alpha * (i + u)) - floor(alpha * u) for i in range(count)]
    return [range(start, start + kernel) for start in starts]


def fractional_max(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    lengths = x.shape[2:]
    sizes = [len(shape.places(axis, length)) for axis, length in enumerate(lengths)]
    if m.output_ratio is not None:
        sizes = [int(length * m.output_ratio) for length in lengths]
    if m.output_size is not None:
        sizes = [m.output_size] * 2 if isinstance(m.output_size, int) else list(m.output_size)
    rows, columns = (
        regions(*arguments, Fraction(1, 2)) for arguments in zip(lengths, shape.kernel_size, sizes, strict=True)
    )
    out = np.empty((*x.shape[:2], *sizes))
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        out[:, :, i, j] = x[:, :, r.start : r.stop, c.start : c.stop].max((2, 3))
    return out


# -- polyphase components

NORMS = {
    "l2": lambda y: (y**2).sum(),
    "l1": lambda y: np.abs(y).sum(),
    "linf": lambda y: np.abs(y).max(),
    "l2_min": lambda y: -(y**2).sum(),
    "l1_min": lambda y: -np.abs(y).sum(),
}


def aps(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    lengths = x.shape[2:]
    if m.filter_size is not None:
        x = blur_at(x, [list(range(n)) for n in lengths], m.filter_size, "circular")
    sizes = [len(shape.places(axis, n)) for axis, n in enumerate(lengths)]
    out = np.empty((*x.shape[:2], *sizes))
    for n, sample in enumerate(x):
        best = -np.inf
        for a, b in itertools.product(*(range(s) for s in shape.stride)):
            rows, columns = (
                [(i * s + offset) % length for i in range(count)]
                for s, offset, length, count in zip(shape.stride, (a, b), lengths, sizes, strict=True)
            )
            component = sample[:, rows][:, :, columns]
            norm = NORMS[m.norm](component)
            if norm > best:
                best, out[n] = norm, component
    return out


POSITIONAL = {"blur": blur, "max_blur": max_blur, "s3": s3, "fractional_max": fractional_max, "aps": aps}
