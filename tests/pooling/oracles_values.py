"""What the poolings by value and by rank should give: float64 numpy, one window at a time, nothing from poolab."""

import math
from collections.abc import Callable

import numpy as np

Taps = np.ndarray  # 1-d float64, the real taps in raster order


def median(taps: Taps, m: object) -> float:
    return float(np.median(taps))


def gem(taps: Taps, m: object) -> float:
    """By logarithms: log y = (log sum exp(p log x) - log n) / p."""
    if math.isinf(m.p):
        return max(float(taps.max()), m.eps)
    logs = m.p * np.log(np.maximum(taps, m.eps))
    return float(np.exp((np.logaddexp.reduce(logs) - np.log(taps.size)) / m.p))


def lse(taps: Taps, m: object) -> float:
    """Nearly equal taps by the first two cumulants, where the logarithm of the sum has no digits left."""
    if m.r * np.ptp(taps) < 1e-6:
        return float(taps.mean() + m.r * taps.var() / 2)
    return float((np.logaddexp.reduce(m.r * (taps - taps.max())) - np.log(taps.size)) / m.r + taps.max())


def lehmer(taps: Taps, m: object) -> float:
    """Each positive tap counts x^a times; with a = 0 the others count, too, as zeros."""
    if m.a == 0:
        return float(np.maximum(taps, 0).mean())
    logs = [math.log(tap) for tap in taps if tap > 0]
    if not logs:
        return 0.0
    weights = [math.exp(m.a * (log - max(logs))) for log in logs]
    return (
        sum(w * math.exp(log - max(logs)) for w, log in zip(weights, logs, strict=True))
        / sum(weights)
        * math.exp(max(logs))
    )


def mam(taps: Taps, m: object) -> float:
    low, high = min(taps), max(taps)
    return float(high - low if high - low > taps.mean() else 0.5 * (high + taps.mean()))


def softmax_mean(taps: Taps, scores: Taps) -> float:
    weights = np.exp(scores - scores.max())
    return float(weights @ taps / weights.sum())


def dice(a: float, b: float) -> float:
    """2|ab| / (a^2 + b^2) as 1 / cosh(log|a/b|)."""
    if a == 0 or b == 0:
        return 1.0 if a == b else 0.0
    gap = abs(math.log(abs(a)) - math.log(abs(b)))
    return 1 / math.cosh(gap) if gap < 300 else 0.0


def adapool(taps: Taps, m: object) -> float:
    likeness = np.array([dice(tap, taps.mean()) for tap in taps])
    return m.beta * softmax_mean(taps, likeness) + (1 - m.beta) * softmax_mean(taps, taps)


def weighted(taps: Taps, m: object) -> float:
    """The entropy of one tap's share; -log p of the largest share by its complement, which is small beside it."""
    shown = [float(tap) for tap in taps if tap != 0]
    if len(shown) < 2:
        return sum(shown)
    total = math.fsum(map(abs, shown))
    weights = []
    for i, tap in enumerate(shown):
        rest = math.fsum(abs(other) for j, other in enumerate(shown) if j != i)
        weights.append(abs(tap) / total * math.log1p(rest / abs(tap)))
    return math.fsum(w * tap for w, tap in zip(weights, shown, strict=True)) / math.fsum(weights)


def t_max_avg(taps: Taps, m: object) -> float:
    largest = sorted(taps, reverse=True)[: m.k]
    mean = sum(largest) / len(largest)
    seen = {"all": largest[-1], "max": largest[0], "mean": mean}[m.rule]
    return float(largest[0] if seen >= m.threshold else mean)


def ordinal_weights(m: object, n: int, channel: int) -> Taps:
    logits = m.logits.detach().double().numpy()
    kept = (logits[channel] if logits.ndim == 2 else logits)[:n]
    weights = np.exp(kept - kept.max())
    return weights / weights.sum()


def mixed_random(taps: Taps, m: object) -> float:
    share = m.p if m.eval_mode == "expectation" else (1.0 if m.p >= 0.5 else 0.0)
    return float(share * taps.max() + (1 - share) * taps.mean())


def max_dropout(taps: Taps, m: object) -> float:
    """The r-th largest comes out if it is kept and the r - 1 larger ones are not."""
    expected, dropped = 0.0, 1.0
    for tap in sorted(taps, reverse=True):
        expected += dropped * m.retain * tap
        dropped *= 1 - m.retain
    return float(expected)


ORACLES: dict[str, Callable[[Taps, object], float]] = {
    "median": median,
    "gem": gem,
    "lse": lse,
    "lehmer": lehmer,
    "mam": mam,
    "adapool": adapool,
    "weighted": weighted,
    "t_max_avg": t_max_avg,
    "mixed_random": mixed_random,
    "max_dropout": max_dropout,
}

# Ordinal pooling has weights for each channel, so that its oracle must know which channel a window is of.


def ordinal(x: np.ndarray, shape: object, m: object) -> np.ndarray:
    """Each window's taps from the largest, times the weights of its channel."""
    axes = range(x.ndim - 2)
    places = [shape.places(axis, x.shape[2 + axis]) for axis in axes]
    out = np.empty((*x.shape[:2], *map(len, places)))
    for n, c, *window in np.ndindex(*out.shape):
        inside = [[p for p in places[axis][window[axis]] if 0 <= p < x.shape[2 + axis]] for axis in axes]
        taps = np.sort(x[n, c][np.ix_(*inside)].ravel())[::-1]
        out[n, c, *window] = taps @ ordinal_weights(m, taps.size, c)
    return out


POSITIONAL: dict[str, Callable[[np.ndarray, object, object], np.ndarray]] = {"ordinal": ordinal}
HEADS: dict[str, Callable[[np.ndarray, object], np.ndarray]] = {}

# -- gradients where taps tie


def ranked(taps: Taps, by_rank: Taps) -> Taps:
    """The entry of each tap's rank; among equal taps the earlier one ranks higher."""
    gradient = np.empty(taps.size)
    gradient[np.argsort(-taps, kind="stable")] = by_rank
    return gradient


def first(n: int, place: int) -> Taps:
    return np.eye(n)[place]


def median_slopes(taps: Taps, m: object) -> Taps:
    n = taps.size
    return ranked(taps, (np.eye(n)[(n - 1) // 2] + np.eye(n)[n // 2]) / 2)


def mam_slopes(taps: Taps, m: object) -> Taps:
    n = taps.size
    if taps.max() - taps.min() > taps.mean():
        return first(n, taps.argmax()) - first(n, taps.argmin())
    return 0.5 * first(n, taps.argmax()) + 0.5 / n


def t_max_avg_slopes(taps: Taps, m: object) -> Taps:
    k = min(m.k, taps.size)
    largest = np.sort(taps)[::-1][:k]
    if {"all": largest[-1], "max": largest[0], "mean": largest.mean()}[m.rule] >= m.threshold:
        return first(taps.size, taps.argmax())
    return ranked(taps, (np.arange(taps.size) < k) / k)


TIES: dict[str, Callable[[Taps, object], Taps]] = {
    "median": median_slopes,
    "mam": mam_slopes,
    "t_max_avg": t_max_avg_slopes,
    "mixed_random": lambda taps, m: first(taps.size, taps.argmax()),
    "max_dropout": lambda taps, m: ranked(taps, m.retain * (1 - m.retain) ** np.arange(taps.size)),
}
