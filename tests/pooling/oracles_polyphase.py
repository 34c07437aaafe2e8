"""What the learned polyphase methods and filters should give in evaluation: float64 numpy, nothing from poolab."""

from itertools import product

import numpy as np
import torch

from tests.pooling.oracles import Shape
from tests.pooling.oracles_learned import numbers, per_channel
from tests.pooling.oracles_sampling import blur_at, outputs, pick, seen


def components(x: np.ndarray, shape: Shape, filter_size: int | None) -> list[np.ndarray]:
    """x[i s + a] for every offset a in raster order, around the map's end."""
    lengths, counts = x.shape[2:], outputs(x, shape)
    if filter_size is not None:
        x = blur_at(x, [range(length) for length in lengths], filter_size, "circular")
    found = []
    for offsets in product(*map(range, shape.stride)):
        sized = zip(counts, shape.stride, offsets, lengths, strict=True)
        found.append(pick(x, [[(i * s + a) % length for i in range(count)] for count, s, a, length in sized]))
    return found


def circular(x: np.ndarray, conv: object) -> np.ndarray:
    """A circular 3x3 convolution with a bias, as a sum over shifted maps."""
    weight = numbers(conv.weight)
    out = np.zeros((len(x), len(weight), *x.shape[2:]))
    for tap in np.ndindex(*weight.shape[2:]):
        shifted = np.roll(x, [1 - place for place in tap], tuple(range(2, x.ndim)))
        out += np.einsum("oc,nc...->no...", weight[(..., *tap)], shifted)
    return out + per_channel(numbers(conv.bias), x)


def lps(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    parts = components(x, shape, m.filter_size)
    means = [circular(np.maximum(circular(y, m.conv1), 0), m.conv2).reshape(len(y), -1).mean(1) for y in parts]
    out = np.empty_like(parts[0])
    for n, logits in enumerate(np.array(means).T):
        near = np.isclose(logits, logits.max(), rtol=1e-9, atol=1e-12)
        alike = [part[n] for part, here in zip(parts, near, strict=True) if here]
        out[n] = alike[0]
        if any(not np.array_equal(part, out[n]) for part in alike):
            # Around the map's end components may hold the same values shifted: which one is rounding's choice.
            found = m.eval()(torch.from_numpy(x[n : n + 1]))[0].detach().double().numpy()
            out[n] = min(alike, key=lambda part: np.abs(part - found).max())
    return out


def depthwise(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A depthwise convolution (C, 1, *odd kernel) that keeps the size, with zeros around the map."""
    reach = [k // 2 for k in weight.shape[2:]]
    wide = np.pad(x, [(0, 0)] * 2 + [(r, r) for r in reach])
    out = np.zeros_like(x)
    for tap in np.ndindex(*weight.shape[2:]):
        shifted = wide[(..., *(slice(a, a + length) for a, length in zip(tap, x.shape[2:], strict=True)))]
        out += per_channel(weight[(slice(None), 0, *tap)], x) * shifted
    return out


def tips(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    features = np.maximum(depthwise(x, numbers(m.conv.weight)), 0)
    logits = []
    for part in product(*map(range, shape.stride)):
        sized = zip(part, shape.stride, x.shape[2:], strict=True)
        region = tuple(slice(a * length // s, -((a + 1) * length // -s)) for a, s, length in sized)
        logits.append(features[(..., *region)].mean(tuple(range(2, x.ndim))) * numbers(m.scale.weight).ravel())
    shares = np.exp(np.array(logits) - np.max(logits, 0))
    shares /= shares.sum(0)
    parts = np.array(components(x, shape, None))
    return (shares.reshape(*shares.shape, *[1] * (x.ndim - 2)) * parts).sum(0)


def batch_normalised(x: np.ndarray, norm: object) -> np.ndarray:
    """A batch normalisation with its running statistics."""
    mean, var = numbers(norm.running_mean), numbers(norm.running_var)
    weight = numbers(norm.weight) / np.sqrt(var + norm.eps)
    return (x - per_channel(mean, x)) * per_channel(weight, x) + per_channel(numbers(norm.bias), x)


def pasa(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    size, lengths, weight = m.filter_size, x.shape[2:], numbers(m.conv.weight)
    counts = outputs(x, shape)
    values = np.empty((*x.shape[:2], size ** len(lengths), *counts))
    logits = np.zeros((len(x), len(weight), *counts))
    for place in np.ndindex(*counts):
        centre = [min(i * s, length - 1) for i, s, length in zip(place, shape.stride, lengths, strict=True)]
        for k, tap in enumerate(np.ndindex(*[size] * len(lengths))):
            reached = zip(centre, tap, lengths, strict=True)
            at = [seen(c + o - (size - 1) // 2, length, size // 2, "reflect") for c, o, length in reached]
            values[(slice(None), slice(None), k, *place)] = x[(slice(None), slice(None), *at)]
            logits[(..., *place)] += x[(slice(None), slice(None), *at)] @ weight[(..., *tap)].T
    logits = batch_normalised(logits, m.norm)
    logits = logits.reshape(len(x), m.groups, values.shape[2], *counts)
    shares = np.exp(logits - logits.max(2, keepdims=True))
    shares = (shares / shares.sum(2, keepdims=True)).repeat(x.shape[1] // m.groups, 1)
    return (shares * values).sum(2)


POSITIONAL = {"lps": lps, "tips": tips, "pasa": pasa}
