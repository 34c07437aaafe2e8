"""What the anti-aliased and the drawn methods should give: float64 numpy, one output at a time, nothing of poolab.

For a map with any number of spatial axes, (N, C, ...).
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import comb, floor

import numpy as np


def outputs(x: np.ndarray, shape: object) -> list[int]:
    """How many windows there are along each axis."""
    return [len(shape.places(axis, length)) for axis, length in enumerate(x.shape[2:])]


def pick(x: np.ndarray, places: Sequence[Sequence[int]]) -> np.ndarray:
    """The elements at the product of these places, all samples and channels."""
    return x[np.ix_(range(x.shape[0]), range(x.shape[1]), *places)]


# -- blur: the filter element by element, from the index of each padded element


def seen(place: int, length: int, pad: int, mode: str) -> int | None:
    """Which element is seen at a place that may lie outside the map; None is a zero."""
    if 0 <= place < length:
        return place
    if mode == "circular":
        return place % length
    if mode == "replicate" or pad >= length:
        return 0 if place < 0 else length - 1
    if mode == "reflect":
        return -place if place < 0 else 2 * length - 2 - place
    return None


def blur_at(x: np.ndarray, centres: Sequence[Sequence[int]], size: int, mode: str) -> np.ndarray:
    """The binomial filter of `size` at each combination of the `centres` along the axes."""
    out, lengths = np.zeros((*x.shape[:2], *map(len, centres))), x.shape[2:]
    for place in np.ndindex(*out.shape[2:]):
        for offsets in product(range(size), repeat=len(lengths)):
            centre = [axis[i] for axis, i in zip(centres, place, strict=True)]
            reached = [c + o - (size - 1) // 2 for c, o in zip(centre, offsets, strict=True)]
            source = [seen(r, length, size // 2, mode) for r, length in zip(reached, lengths, strict=True)]
            if None not in source:
                weight = np.prod([comb(size - 1, o) / 2 ** (size - 1) for o in offsets])
                out[:, :, *place] += weight * x[:, :, *source]
    return out


def blur(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    counts = zip(outputs(x, shape), shape.stride, x.shape[2:], strict=True)
    centres = [[min(i * s, length - 1) for i in range(count)] for count, s, length in counts]
    return blur_at(x, centres, m.filter_size, m.padding_mode)


# -- maxima at stride 1


def maxima(x: np.ndarray, shape: object) -> np.ndarray:
    """The largest real tap of every window that starts at -padding, -padding + 1, ...

    Up to the last complete one (with padding on both sides), or to the last of the geometry where that is later.
    """
    windows = []
    for axis, (length, count) in enumerate(zip(x.shape[2:], outputs(x, shape), strict=True)):
        k, s, p, d = (pair[axis] for pair in (shape.kernel_size, shape.stride, shape.padding, shape.dilation))
        complete = length + p - d * (k - 1) - 1
        starts = range(-p, max(complete, (count - 1) * s - p) + 1)
        windows.append([[start + d * j for j in range(k) if 0 <= start + d * j < length] for start in starts])
    out = np.empty((*x.shape[:2], *map(len, windows)))
    for place in np.ndindex(*out.shape[2:]):
        taps = pick(x, [axis[i] for axis, i in zip(windows, place, strict=True)])
        out[:, :, *place] = taps.reshape(*x.shape[:2], -1).max(-1)
    return out


def max_blur(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    centres = [[i * s for i in range(count)] for count, s in zip(outputs(x, shape), shape.stride, strict=True)]
    return blur_at(maxima(x, shape), centres, m.filter_size, m.padding_mode)


def s3(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    """The mean over the stride; the grid makes no difference in evaluation."""
    tops = maxima(x, shape)
    out = np.empty((*x.shape[:2], *outputs(x, shape)))
    for place in np.ndindex(*out.shape[2:]):
        bin = tuple(slice(i * s, (i + 1) * s) for i, s in zip(place, shape.stride, strict=True))
        out[:, :, *place] = tops[:, :, *bin].reshape(*x.shape[:2], -1).mean(-1)
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
    lengths, sizes = x.shape[2:], outputs(x, shape)
    if m.output_ratio is not None:
        sizes = [int(length * m.output_ratio) for length in lengths]
    if m.output_size is not None:
        sizes = [m.output_size] * len(lengths) if isinstance(m.output_size, int) else list(m.output_size)
    along = [regions(*sized, Fraction(1, 2)) for sized in zip(lengths, shape.kernel_size, sizes, strict=True)]
    out = np.empty((*x.shape[:2], *sizes))
    for place in np.ndindex(*sizes):
        taps = pick(x, [axis[i] for axis, i in zip(along, place, strict=True)])
        out[:, :, *place] = taps.reshape(*x.shape[:2], -1).max(-1)
    return out


# -- polyphase components

NORMS = {
    "l2": lambda y: (y**2).sum(),
    "l1": lambda y: np.abs(y).sum(),
    "linf": lambda y: np.abs(y).max(),
    "l2_min": lambda y: -(y**2).sum(),
    "l1_min": lambda y: -np.abs(y).sum(),
}


class TooCloseError(Exception):
    """Rounding decides."""


def aps(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    lengths, counts = x.shape[2:], outputs(x, shape)
    if m.filter_size is not None:
        x = blur_at(x, [range(length) for length in lengths], m.filter_size, "circular")
    out = np.empty((*x.shape[:2], *counts))
    for n in range(len(x)):
        best = -np.inf
        for offsets in product(*map(range, shape.stride)):
            sized = zip(counts, shape.stride, offsets, lengths, strict=True)
            component = pick(x[n : n + 1], [[(i * s + a) % length for i in range(c)] for c, s, a, length in sized])
            norm = NORMS[m.norm](component)
            if norm != best and np.isclose(norm, best, rtol=1e-9, atol=0):
                raise TooCloseError  # wrapped components may hold the same elements in another order
            if norm > best:
                best, out[n] = norm, component[0]
    return out


POSITIONAL = {"blur": blur, "max_blur": max_blur, "s3": s3, "fractional_max": fractional_max, "aps": aps}
