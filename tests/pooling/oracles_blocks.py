"""What the methods made of convolutions and statistics should give in evaluation: float64 numpy, without poolab."""

from itertools import product

import numpy as np

from tests.pooling.oracles import Shape
from tests.pooling.oracles_learned import by_window, numbers, per_channel, sigma
from tests.pooling.oracles_polyphase import batch_normalised, depthwise
from tests.pooling.oracles_sampling import outputs


def mixed(x: np.ndarray, conv: object) -> np.ndarray:
    """A 1x1 convolution."""
    weight = numbers(conv.weight)
    bias = 0 if conv.bias is None else per_channel(numbers(conv.bias), x)
    return np.einsum("oc,nc...->no...", weight.reshape(weight.shape[:2]), x) + bias


def pairs(x: np.ndarray, shape: Shape, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The two values in the middle of each window along an axis; beyond the map it is mirrored at its border."""
    k, s, p, d = (sizes[axis] for sizes in (shape.kernel_size, shape.stride, shape.padding, shape.dilation))
    length, first = x.shape[axis + 2], -p - (2 - (d * (k - 1) + 1)) // 2
    period = [*range(length), *reversed(range(length))]
    places = [[period[(first + i * s + o) % len(period)] for i in range(outputs(x, shape)[axis])] for o in (0, 1)]
    return x.take(places[0], axis + 2), x.take(places[1], axis + 2)


def along(x: np.ndarray, shape: Shape, axis: int, done: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """`pairs` of a band that may be smaller along the axes that are done."""
    k, s, p, d = (list(sizes) for sizes in (shape.kernel_size, shape.stride, shape.padding, shape.dilation))
    for other in done:
        k[other], s[other], p[other], d[other] = 1, 1, 0, 1
    return pairs(x, Shape(tuple(k), tuple(s), tuple(p), tuple(d), shape.ceil_mode), axis)


def hwd(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    bands = []
    for signs in product((1, -1), repeat=x.ndim - 2):
        band = x
        for axis, sign in enumerate(signs):
            first, second = along(band, shape, axis, list(range(axis)))
            band = (first + sign * second) / np.sqrt(2)
        bands.append(band)
    return np.maximum(batch_normalised(mixed(np.concatenate(bands, 1), m.projection), m.norm), 0)


def lift_down(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    def step(band: np.ndarray, layers: object) -> np.ndarray:
        filtered = depthwise(band, numbers(layers[0].weight)) + per_channel(numbers(layers[0].bias), band)
        return np.tanh(mixed(np.maximum(filtered, 0), layers[2]))

    bands, done = [x], []
    for axis in reversed(range(x.ndim - 2)):
        lifted = []
        for band in bands:
            even, odd = along(band, shape, axis, done)
            detail = odd - step(even, m.predict[axis])
            lifted += [even + step(detail, m.update[axis]), detail]
        bands, done = lifted, [*done, axis]
    return sum(bands)


def adown(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    means = x
    for axis in range(2, x.ndim):
        if means.shape[axis] > 1:
            length = means.shape[axis]
            means = (means.take(range(length - 1), axis) + means.take(range(1, length), axis)) / 2
    counts, second = outputs(x, shape), m.projection.weight.shape[1]
    first = x.shape[1] - second
    weight = numbers(m.conv.weight)
    filtered, largest = np.zeros((len(x), first, *counts)), np.full((len(x), second, *counts), -np.inf)
    for place in np.ndindex(*counts):
        for tap in np.ndindex(*weight.shape[2:]):
            at = []
            for axis, (i, o, length) in enumerate(zip(place, tap, means.shape[2:], strict=True)):
                k, s, p, d = (sizes[axis] for sizes in (shape.kernel_size, shape.stride, shape.padding, shape.dilation))
                start = -p - (4 - (d * (k - 1) + 1)) // 2
                middles = start + 1, start + 1 + (counts[axis] - 1) * s
                there = start + i * s + o
                inside = min(0, middles[0]) <= there <= max(length - 1, middles[1])
                at.append(min(max(there, 0), length - 1) if inside else None)
            if None not in at:
                value = means[(slice(None), slice(None), *at)]
                filtered[(..., *place)] += value[:, :first] @ weight[(..., *tap)].T
                largest[(..., *place)] = np.maximum(largest[(..., *place)], value[:, first:])
    halves = (filtered, m.norm), (mixed(largest, m.projection), m.projection_norm)
    normalised = [batch_normalised(half, norm) for half, norm in halves]
    return np.concatenate([half * sigma(half) for half in normalised], 1)


def gaussian(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    def linear(values: np.ndarray, layer: object) -> np.ndarray:
        return values @ numbers(layer.weight).T + numbers(layer.bias)

    guide = np.maximum(batch_normalised(linear(x.mean(tuple(range(2, x.ndim))), m.features[0]), m.features[1]), 0)
    weights = np.logaddexp(0, batch_normalised(linear(guide, m.location[0]), m.location[1]))

    def moments(taps: np.ndarray, real: np.ndarray, c: int) -> complex:
        return complex(taps[real].mean(), np.sqrt(max(taps[real].var(), 1e-6)))

    found = by_window(x, shape, lambda taps, real, c: moments(taps, real, c).real)
    deviation = by_window(x, shape, lambda taps, real, c: moments(taps, real, c).imag)
    return found + weights.reshape(*weights.shape, *[1] * (x.ndim - 2)) * deviation


POSITIONAL = {"hwd": hwd, "adown": adown, "lift_down": lift_down, "gaussian": gaussian}
