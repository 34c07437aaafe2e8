"""What the heads and the methods across channels or at one size should give: float64 numpy, one position at a time."""

import math
from collections.abc import Callable

import numpy as np

Map = np.ndarray  # (N, C, H, W), float64


def each_map(x: Map, value: Callable[[np.ndarray], float]) -> Map:
    """`value` of the elements of each channel, as (N, C, 1, 1)."""
    out = np.empty((*x.shape[:2], 1, 1))
    for n, c in np.ndindex(*x.shape[:2]):
        out[n, c] = value(x[n, c].ravel())
    return out


def power_mean(values: np.ndarray, p: float, norm: str = "mean") -> float:
    top = float(values.max())
    if top == 0 or math.isinf(p):
        return top
    total = sum((float(value) / top) ** p for value in values)
    return top * (total / len(values) if norm == "mean" else total) ** (1 / p)


def log_mean_exp(values: np.ndarray, r: float) -> float:
    """Around 0 where the values are close to it, so that what is smaller than float64's 1 + eps is not lost."""
    if np.abs(r * values).max() < 0.1:
        return math.log1p(math.fsum(math.expm1(r * value) for value in values) / len(values)) / r
    top = float(values.max())
    return top + math.log(math.fsum(math.exp(r * (value - top)) for value in values) / len(values)) / r


def mean_of_largest(values: np.ndarray, m: object) -> float:
    count = m.k if m.share is None else max(1, math.floor(m.share * len(values) + 0.5))
    return math.fsum(sorted(values.tolist())[::-1][:count]) / min(count, len(values))


def avgmax(x: Map, m: object) -> Map:
    mean, top = each_map(x, np.mean), each_map(x, np.max)
    return np.concatenate([mean, top], 1) if m.mode == "cat" else (mean + top) / 2


def spp(x: Map, m: object) -> np.ndarray:
    value = np.max if m.mode == "max" else np.mean
    height, width = x.shape[2:]
    features: list[list[float]] = [[] for _ in x]
    for level in m.levels:
        for n, c, i, j in np.ndindex(*x.shape[:2], level, level):
            rows = range(i * height // level, math.ceil((i + 1) * height / level))
            columns = range(j * width // level, math.ceil((j + 1) * width / level))
            features[n].append(value([x[n, c, r, q] for r in rows for q in columns]))
    return np.array(features).reshape(len(x), -1)


def array(parameter: object) -> np.ndarray:
    return parameter.detach().double().numpy()


def linear(layer: object, vector: np.ndarray) -> np.ndarray:
    bias = 0.0 if layer.bias is None else array(layer.bias)
    return array(layer.weight) @ vector + bias


def softmax(logits: list[float]) -> np.ndarray:
    weights = np.exp(np.array(logits) - max(logits))
    return weights / weights.sum()


def vectors_of(sample: np.ndarray) -> list[np.ndarray]:
    """The channel vectors of one sample (C, H, W) in raster order."""
    return [sample[:, r, q] for r in range(sample.shape[1]) for q in range(sample.shape[2])]


def attention(x: Map, m: object) -> Map:
    out = np.empty((*x.shape[:2], 1, 1))
    for n, sample in enumerate(x):
        logits = []
        for vector in vectors_of(sample):
            hidden = np.tanh(linear(m.projection, vector))
            if m.gated:
                hidden = hidden / (1 + np.exp(-linear(m.gate, vector)))
            logits.append(float(hidden @ array(m.score)))
        out[n, :, 0, 0] = sum(w * vector for w, vector in zip(softmax(logits), vectors_of(sample), strict=True))
    return out


def by_heads(query: np.ndarray, keys: list, values: list, heads: int) -> np.ndarray:
    """Attention of one query, one part of the channels after the other."""
    width, parts = len(query) // heads, []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        weights = softmax([float(query[part] @ key[part]) / math.sqrt(width) for key in keys])
        parts.append(sum(w * value[part] for w, value in zip(weights, values, strict=True)))
    return np.concatenate(parts)


def simpool(x: Map, m: object) -> Map:
    out = np.empty((*x.shape[:2], 1, 1))
    for n, sample in enumerate(x):
        vectors = vectors_of(sample)
        spread = [np.sqrt(((vector - vector.mean()) ** 2).mean() + m.norm.eps) for vector in vectors]
        values = [
            (vector - vector.mean()) / s * array(m.norm.weight) + array(m.norm.bias)
            for vector, s in zip(vectors, spread, strict=True)
        ]
        query, keys = linear(m.query, np.mean(vectors, 0)), [linear(m.key, value) for value in values]
        if m.gamma is None:
            out[n, :, 0, 0] = by_heads(query, keys, values, m.heads)
        else:
            lowest = np.min(values, 0)
            powers = [(value - lowest + 1e-6) ** m.gamma for value in values]
            out[n, :, 0, 0] = by_heads(query, keys, powers, m.heads) ** (1 / m.gamma)
    return out


def turned(key: np.ndarray, row: float, column: float, heads: int) -> np.ndarray:
    """A key whose pairs of channels are turned as complex numbers, head by head."""
    width = len(key) // heads
    pairs = key.reshape(heads, width // 2, 2)
    numbers = pairs[..., 0] + 1j * pairs[..., 1]
    bands = width // 4
    speeds = np.array([10_000.0 ** (-i / bands) for i in range(bands)])
    numbers = numbers * np.exp(1j * np.concatenate([row * speeds, column * speeds]))
    return np.stack([numbers.real, numbers.imag], -1).ravel()


def clip_attention(x: Map, m: object) -> np.ndarray:
    """Tokens, the mean first; one query, that of the mean."""
    height, width = x.shape[2:]
    span = m.size if isinstance(m.size, tuple | list) else (m.size, m.size)
    heads, out = m.heads or max(1, x.shape[1] // 64), []
    for sample in x:
        tokens = [np.mean(vectors_of(sample), 0), *vectors_of(sample)]
        if m.position == "learned":
            tokens = [token + place for token, place in zip(tokens, positions(m, x.shape[2:], span), strict=True)]
        keys = [linear(m.key, token) for token in tokens]
        if m.position == "rotary":
            for i in range(height * width):
                row, column = i // width * span[0] / height, i % width * span[1] / width
                keys[i + 1] = turned(keys[i + 1], row, column, heads)
        values = [linear(m.value, token) for token in tokens]
        out.append(linear(m.output, by_heads(linear(m.query, tokens[0]), keys, values, heads)))
    return np.array(out)


def positions(m: object, wanted: tuple, span: tuple) -> np.ndarray:
    """The learned positions; resized by a separable antialiased kernel, each output an average of inputs around it."""
    embedding = array(m.embedding)
    if tuple(wanted) == tuple(span):
        return embedding
    grid = embedding[1:].reshape(*span, -1)
    rows, columns = (resampling(have, want, m.interpolation) for have, want in zip(span, wanted, strict=True))
    grid = np.einsum("ir,jq,rqc->ijc", rows, columns, grid)
    return np.concatenate([embedding[:1], grid.reshape(-1, grid.shape[-1])])


def resampling(have: int, want: int, kind: str) -> np.ndarray:
    """The weights (want, have) of an interpolation whose kernel is as wide as the step where it shrinks."""
    scale, weights = have / want, np.zeros((want, have))
    widen = max(scale, 1.0)
    kernel = triangle if kind == "bilinear" else cubic
    for i in range(want):
        centre = (i + 0.5) * scale
        for j in range(have):
            weights[i, j] = kernel((j + 0.5 - centre) / widen)
        weights[i] /= weights[i].sum()
    return weights


def triangle(t: float) -> float:
    return max(0.0, 1 - abs(t))


def cubic(t: float) -> float:
    t = abs(t)
    if t < 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0.0


def superpixel(x: Map, m: object, labels: np.ndarray | None = None) -> np.ndarray:
    height, width = x.shape[2:]
    if labels is None:
        h, w = m.grid if isinstance(m.grid, tuple | list) else (m.grid, m.grid)
        count, rows, columns = h * w, [i * h // height for i in range(height)], [j * w // width for j in range(width)]
        labels = np.array([[[r * w + q for q in columns] for r in rows]] * len(x)).reshape(len(x), height, width)
    else:
        count = m.regions
    out = np.zeros((*x.shape[:2], count))
    for n, c, k in np.ndindex(*out.shape):
        values = [x[n, c, r, q] for r in range(height) for q in range(width) if labels[n, r, q] == k]
        if values:
            out[n, c, k] = max(values) if m.reduction == "max" else math.fsum(values) / len(values)
    return out


def inter_map(x: Map, m: object) -> Map:
    return np.stack(
        [np.max([x[:, j + i] for i in range(m.groups)], 0) for j in range(0, x.shape[1], m.groups)],
        1,
    )


def pixel_pyramid(x: Map, m: object) -> Map:
    pooled, (height, width) = [], x.shape[2:]
    for window in m.windows:
        half, out = window // 2, np.empty_like(x)
        for r, q in np.ndindex(height, width):
            taps = x[:, :, max(0, r - half) : r + half + 1, max(0, q - half) : q + half + 1]
            out[:, :, r, q] = taps.max((2, 3)) if m.mode == "max" else taps.mean((2, 3))
        pooled.append(out)
    y = np.concatenate(pooled, 1)
    if m.project:
        weight, bias = array(m.projection.weight)[:, :, 0, 0], array(m.projection.bias)
        y = np.einsum("oc,nchw->nohw", weight, y) + bias[:, None, None]
    return y


# Methods that give a whole map for a whole map: the heads, and those of the roles "channel" and "same".
HEADS: dict[str, Callable[[Map, object], np.ndarray]] = {
    "global_lp": lambda x, m: each_map(np.abs(x), lambda values: power_mean(values, m.p, m.norm)),
    "global_gem": lambda x, m: each_map(np.maximum(x, m.eps), lambda values: power_mean(values, m.p)),
    "global_lse": lambda x, m: each_map(x, lambda values: log_mean_exp(values, m.r)),
    "global_topk": lambda x, m: each_map(x, lambda values: mean_of_largest(values, m)),
    "global_avgmax": avgmax,
    "spp": spp,
    "attention": attention,
    "simpool": simpool,
    "clip_attention": clip_attention,
    "superpixel": superpixel,
    "inter_map": inter_map,
    "pixel_pyramid": pixel_pyramid,
}
