"""What the poolings with masks and networks should give: float64 numpy, one window at a time, nothing from poolab."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from tests.pooling.oracles import Shape, each_window, filled

Place = tuple[int, ...]


def numbers(parameter: object) -> np.ndarray:
    """A parameter's values."""
    return parameter.detach().double().numpy()


def sigma(value: np.ndarray | float) -> np.ndarray | float:
    """1 / (1 + exp(-value)), by the half-angle form, which does not overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(value)))


def windows_of(x: np.ndarray, shape: Shape) -> Iterator[tuple[Place, list[Place]]]:
    """Each output index with the places of all its positions in raster order, also those outside the map."""
    windows = shape.all_places(x)
    for index in np.ndindex(*x.shape[:2], *map(len, windows)):
        yield index, list(product(*(along[i] for along, i in zip(windows, index[2:], strict=True))))


def by_window(x: np.ndarray, shape: Shape, value: Callable[[np.ndarray, np.ndarray, int], float]) -> np.ndarray:
    """value(taps with zeros where one is missing, which are real, the channel) of each window."""
    out = np.empty((*x.shape[:2], *map(len, shape.all_places(x))))
    for index, places in windows_of(x, shape):
        n, c = index[:2]
        taps = np.array([filled(x, n, c, *place) for place in places])
        real = np.array([is_real(x, place) for place in places])
        out[index] = value(taps, real, c)
    return out


def is_real(x: np.ndarray, place: Place) -> bool:
    """Whether the place lies on the map."""
    return all(0 <= i < length for i, length in zip(place, x.shape[2:], strict=True))


def per_channel(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One number for each channel, to go with (N, C, *sizes)."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def gated(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    masks = numbers(m.weight).reshape(-1, *shape.kernel_size)

    def value(taps: np.ndarray, real: np.ndarray, c: int) -> float:
        mask = masks[c % len(masks)].ravel()
        gate = sigma(mask @ taps)
        return taps[real].mean() + gate * (taps[real].max() - taps[real].mean())

    return by_window(x, shape, value)


def tree(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    leaves = numbers(m.leaves).reshape(len(m.leaves), -1)
    gates = numbers(m.gates).reshape(len(m.gates), -1)

    def node(taps: np.ndarray, place: int) -> float:
        """In the order of a heap: the children of node i are 2i + 1 and 2i + 2, the leaves come after the gates."""
        if place >= len(gates):
            return leaves[place - len(gates)] @ taps
        gate = sigma(gates[place] @ taps)
        return gate * node(taps, 2 * place + 1) + (1 - gate) * node(taps, 2 * place + 2)

    return by_window(x, shape, lambda taps, real, c: node(taps, 0))


def convolved(x: np.ndarray, conv: object) -> np.ndarray:
    """A convolution that keeps the size, as a sum over shifted maps."""
    weight = numbers(conv.weight)
    reach = weight.shape[2] // 2
    wide = np.pad(x, [(0, 0)] * 2 + [(reach, reach)] * (x.ndim - 2))
    out = np.zeros((len(x), len(weight), *x.shape[2:]))
    for tap in np.ndindex(*weight.shape[2:]):
        shifted = wide[(..., *(slice(start, start + length) for start, length in zip(tap, x.shape[2:], strict=True)))]
        out += np.einsum("oc,nc...->no...", weight[(..., *tap)], shifted)
    return out


def normalised(x: np.ndarray, norm: object) -> np.ndarray:
    places = tuple(range(2, x.ndim))
    mean, std = x.mean(places, keepdims=True), np.sqrt(x.var(places, keepdims=True) + 1e-5)
    return (x - mean) / std * per_channel(numbers(norm.weight), x) + per_channel(numbers(norm.bias), x)


def lip(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    net, features = m.logits, x
    if m.logit == "bottleneck":
        features = np.maximum(normalised(convolved(features, net.conv1), net.norm1), 0)
        features = np.maximum(normalised(convolved(features, net.conv2), net.norm2), 0)
    last = net.conv3 if m.logit == "bottleneck" else net.conv
    weights = np.exp(12 * sigma(normalised(convolved(features, last), net.norm)))
    # Two maps in one: the pairs (weight, weight * value) of each window.
    sums = each_window(weights, shape, np.sum).astype(float)
    return each_window(weights * x, shape, np.sum).astype(float) / sums


def dpp(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    lambdas, alphas = (np.exp(np.minimum(numbers(p).ravel(), 10)) for p in (m.log_lambda, m.log_alpha))

    def value(taps: np.ndarray, real: np.ndarray, c: int) -> float:
        mean = taps[real].mean()
        smoothed = mean
        if m.variant == "full":
            smoothed = numbers(m.mask)[c].ravel() @ np.where(real, taps, mean)
        apart = taps[real] - smoothed
        if not m.symmetric:
            apart = np.maximum(apart, 0)
        detail = apart**2 + 1e-3
        weights = alphas[c] + (detail / detail.mean()) ** (lambdas[c] / 2)
        return weights @ taps[real] / weights.sum()

    return by_window(x, shape, value)


def universal(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    matrices, biases = numbers(m.weight), numbers(m.bias)

    def value(taps: np.ndarray, real: np.ndarray, c: int) -> float:
        logits = (matrices[c].reshape(taps.size, taps.size) @ taps + biases[c])[real]
        weights = np.exp(logits - logits.max())
        return weights @ taps[real] / weights.sum()

    return by_window(x, shape, value)


def space_to_depth(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    n = int(np.prod(shape.kernel_size))
    deep = np.empty((len(x), x.shape[1] * n, *map(len, shape.all_places(x))))
    for (b, c, *window), places in windows_of(x, shape):
        deep[(b, slice(c * n, (c + 1) * n), *window)] = [filled(x, b, c, *place) for place in places]
    if not m.project:
        return deep
    weight, bias = numbers(m.projection.weight), numbers(m.projection.bias)
    return np.einsum("od,nd...->no...", weight.reshape(weight.shape[:2]), deep) + per_channel(bias, x)


POSITIONAL = {
    "gated": gated,
    "tree": tree,
    "lip": lip,
    "dpp": dpp,
    "universal": universal,
    "space_to_depth": space_to_depth,
}
