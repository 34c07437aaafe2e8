"""What every pooling should give: float64 numpy, one window at a time, nothing taken from poolab.

A method whose window is its real taps has a function (taps, module) -> value in ORACLES; `taps` is the 1-d array of
the real taps in raster order. A method that needs positions or padded taps has a function (x, geometry, module) -> y
of its own in POSITIONAL, a head one in HEADS. A random method is given by the expectation that it evaluates to.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

Taps = np.ndarray  # 1-d float64
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """Torch's arguments, each a number for each dimension."""

    kernel_size: Sizes
    stride: Sizes
    padding: Sizes = ()
    dilation: Sizes = ()
    ceil_mode: bool = False

    def __post_init__(self):
        object.__setattr__(self, "padding", self.padding or (0,) * len(self.kernel_size))
        object.__setattr__(self, "dilation", self.dilation or (1,) * len(self.kernel_size))

    @property
    def arguments(self) -> dict:
        """The keyword arguments of a torch pooling."""
        return dict(vars(self))

    def places(self, axis: int, length: int) -> list[list[int]]:
        """The rows (or columns, ...) of each window, as indices that may lie outside 0..length-1.

        The size is the formula in torch's documentation of MaxPool2d: [length + 2 padding - dilation (kernel - 1) - 1]
        / stride + 1, rounded down or up; windows that would start in the right padded region are left out.
        """
        k, s, p, d = (sizes[axis] for sizes in (self.kernel_size, self.stride, self.padding, self.dilation))
        rounded = math.ceil if self.ceil_mode else math.floor
        starts = [i * s - p for i in range(rounded((length + 2 * p - d * (k - 1) - 1) / s) + 1)]
        return [[start + d * j for j in range(k)] for start in starts if not self.ceil_mode or start < length]

    def all_places(self, x: np.ndarray) -> list[list[list[int]]]:
        """`places` along each axis of (N, C, *sizes)."""
        return [self.places(axis, length) for axis, length in enumerate(x.shape[2:])]


def each_window(x: np.ndarray, shape: Shape, value: Callable[[Taps], object]) -> np.ndarray:
    """`value` of the real taps of each window of (N, C, *sizes); an array value adds no axis (dtype object)."""
    real = [
        [[place for place in window if 0 <= place < length] for window in windows]
        for windows, length in zip(shape.all_places(x), x.shape[2:], strict=True)
    ]
    out = np.empty((*x.shape[:2], *map(len, real)), dtype=object)
    for n, c, *window in np.ndindex(*out.shape):
        places = product(*(along[i] for along, i in zip(real, window, strict=True)))
        out[(n, c, *window)] = value(np.array([x[(n, c, *place)] for place in places]))
    return out


# -- methods of the real taps


def by_rank(taps: Taps, weights: Taps) -> float:
    return float(np.sort(taps)[::-1] @ weights)


def top_weights(n: int, k: int) -> Taps:
    return np.array([1 / min(k, n) if rank < k else 0.0 for rank in range(n)])


def geometric_weights(n: int, alpha: float, normalize: bool = True) -> Taps:
    weights = np.array([alpha * (1 - alpha) ** rank for rank in range(n)])
    return weights / weights.sum() if normalize else weights


def lp(taps: Taps, m: object) -> float:
    top = np.abs(taps).max()
    if top == 0 or math.isinf(m.p):
        return float(top)
    powers = (np.abs(taps) / top) ** m.p
    return float(top * (powers.mean() if m.norm == "mean" else powers.sum()) ** (1 / m.p))


def softpool(taps: Taps, m: object) -> float:
    weights = np.exp((taps - taps.max()) / m.temperature)
    return float((weights * taps).sum() / weights.sum())


def stochastic(taps: Taps, m: object) -> float:
    positive = taps[taps > 0]
    return float((positive / positive.sum()) @ positive) if positive.size else 0.0


ORACLES: dict[str, Callable[[Taps, object], float]] = {
    "max": lambda taps, m: taps.max(),
    "min": lambda taps, m: taps.min(),
    "mixed": lambda taps, m: m.alpha * taps.max() + (1 - m.alpha) * taps.mean(),
    "lp": lp,
    "softpool": softpool,
    "stochastic": stochastic,
    "avg_topk": lambda taps, m: by_rank(taps, top_weights(taps.size, m.k)),
    "rank_avg": lambda taps, m: by_rank(taps, top_weights(taps.size, m.t)),
    "rank_weighted": lambda taps, m: by_rank(taps, geometric_weights(taps.size, m.alpha, m.normalize)),
    "rank_stochastic": lambda taps, m: by_rank(taps, geometric_weights(taps.size, m.alpha)),
}

# -- methods of positions


def filled(x: np.ndarray, n: int, c: int, *place: int) -> float:
    """The tap, or 0 outside the map."""
    inside = all(0 <= i < length for i, length in zip(place, x.shape[2:], strict=True))
    return x[(n, c, *place)] if inside else 0.0


def avg(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    """Padded zeros count, taps beyond the padding (that only ceil mode adds) do not."""
    if not m.count_include_pad:
        return each_window(x, shape, np.mean).astype(float)
    kept = [
        [[place for place in window if place < length + padding] for window in windows]
        for windows, length, padding in zip(shape.all_places(x), x.shape[2:], shape.padding, strict=True)
    ]
    out = np.empty((*x.shape[:2], *map(len, kept)))
    for n, c, *window in np.ndindex(*out.shape):
        places = list(product(*(along[i] for along, i in zip(kept, window, strict=True))))
        out[(n, c, *window)] = sum(filled(x, n, c, *place) for place in places) / len(places)
    return out


def strided_conv(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    weight = m.conv.weight.detach().double().numpy()
    bias = m.conv.bias.detach().double().numpy() if m.bias is not None else np.zeros(len(weight))
    windows = shape.all_places(x)
    out = np.empty((len(x), len(weight), *map(len, windows)))
    per_group = x.shape[1] // m.groups
    for n, o, *window in np.ndindex(*out.shape):
        first = o // (len(weight) // m.groups) * per_group
        out[(n, o, *window)] = bias[o]
        for c, *tap in np.ndindex(*weight.shape[1:]):
            place = [along[i][k] for along, i, k in zip(windows, window, tap, strict=True)]
            out[(n, o, *window)] += weight[(o, c, *tap)] * filled(x, n, first + c, *place)
    return out


def subsample(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    for axis, length in enumerate(x.shape[2:]):
        count = len(shape.places(axis, length))
        x = x.take([min(i * shape.stride[axis], length - 1) for i in range(count)], axis + 2)
    return x


POSITIONAL: dict[str, Callable[[np.ndarray, Shape, object], np.ndarray]] = {
    "avg": avg,
    "strided_conv": strided_conv,
    "subsample": subsample,
}

# -- heads


def in_bins(x: np.ndarray, m: object, value: Callable[[Taps], float]) -> np.ndarray:
    """Bin i of h covers the rows floor(i H / h) to ceil((i + 1) H / h) - 1."""
    size = m.output_size if isinstance(m.output_size, tuple | list) else (m.output_size, m.output_size)
    rows, columns = (
        [(i * n // h, -((i + 1) * n // -h)) for i in range(h)] for h, n in zip(size, x.shape[2:], strict=True)
    )
    out = np.empty((*x.shape[:2], *size))
    for n, c, i, j in np.ndindex(*out.shape):
        out[n, c, i, j] = value(x[n, c, slice(*rows[i]), slice(*columns[j])].ravel())
    return out


HEADS: dict[str, Callable[[np.ndarray, object], np.ndarray]] = {
    "global_avg": lambda x, m: x.mean((2, 3), keepdims=True),
    "global_max": lambda x, m: x.max((2, 3), keepdims=True),
    "adaptive_avg": lambda x, m: in_bins(x, m, np.mean),
    "adaptive_max": lambda x, m: in_bins(x, m, np.max),
}

# -- gradients where taps tie: the first tap in raster order comes first


def one_hot(n: int, place: int) -> Taps:
    return np.eye(n)[place]


def scatter_ranks(taps: Taps, weights: Taps) -> Taps:
    """The weight of each tap's rank; among equal taps the earlier one ranks higher."""
    gradient = np.empty(taps.size)
    gradient[np.argsort(-taps, kind="stable")] = weights
    return gradient


TIES: dict[str, Callable[[Taps, object], Taps]] = {
    "max": lambda taps, m: one_hot(taps.size, taps.argmax()),
    "min": lambda taps, m: one_hot(taps.size, taps.argmin()),
    "mixed": lambda taps, m: m.alpha * one_hot(taps.size, taps.argmax()) + (1 - m.alpha) / taps.size,
    "avg_topk": lambda taps, m: scatter_ranks(taps, top_weights(taps.size, m.k)),
    "rank_avg": lambda taps, m: scatter_ranks(taps, top_weights(taps.size, m.t)),
    "rank_weighted": lambda taps, m: scatter_ranks(taps, geometric_weights(taps.size, m.alpha, m.normalize)),
    "rank_stochastic": lambda taps, m: scatter_ranks(taps, geometric_weights(taps.size, m.alpha)),
}
