"""What the poolings by value and by rank should give: float64 numpy, one window at a time, nothing from poolab."""

import math
from collections.abc import Callable

import numpy as np

Cells = np.ndarray  # 1-d float64, the real cells in raster order


def median(cells: Cells, m: object) -> float:
    return float(np.median(cells))


def gem(cells: Cells, m: object) -> float:
    """By logarithms: log y = (log sum exp(p log x) - log n) / p."""
    if math.isinf(m.p):
        return max(float(cells.max()), m.eps)
    logs = m.p * np.log(np.maximum(cells, m.eps))
    return float(np.exp((np.logaddexp.reduce(logs) - np.log(cells.size)) / m.p))


def lse(cells: Cells, m: object) -> float:
    """Nearly equal cells by the first two cumulants, where the logarithm of the sum has no digits left."""
    if m.r * np.ptp(cells) < 1e-6:
        return float(cells.mean() + m.r * cells.var() / 2)
    return float((np.logaddexp.reduce(m.r * (cells - cells.max())) - np.log(cells.size)) / m.r + cells.max())


def lehmer(cells: Cells, m: object) -> float:
    """Each positive cell counts x^a times; with a = 0 the others count, too, as zeros."""
    if m.a == 0:
        return float(np.maximum(cells, 0).mean())
    logs = [math.log(cell) for cell in cells if cell > 0]
    if not logs:
        return 0.0
    weights = [math.exp(m.a * (log - max(logs))) for log in logs]
    return (
        sum(w * math.exp(log - max(logs)) for w, log in zip(weights, logs, strict=True))
        / sum(weights)
        * math.exp(max(logs))
    )


def mam(cells: Cells, m: object) -> float:
    low, high = min(cells), max(cells)
    return float(high - low if high - low > cells.mean() else 0.5 * (high + cells.mean()))


def softmax_mean(cells: Cells, scores: Cells) -> float:
    weights = np.exp(scores - scores.max())
    return float(weights @ cells / weights.sum())


def dice(a: float, b: float) -> float:
    """2|ab| / (a^2 + b^2) as 1 / cosh(log|a/b|)."""
    if a == 0 or b == 0:
        return 1.0 if a == b else 0.0
    gap = abs(math.log(abs(a)) - math.log(abs(b)))
    return 1 / math.cosh(gap) if gap < 300 else 0.0


def adapool(cells: Cells, m: object) -> float:
    likeness = np.array([dice(cell, cells.mean()) for cell in cells])
    return m.beta * softmax_mean(cells, likeness) + (1 - m.beta) * softmax_mean(cells, cells)


def weighted(cells: Cells, m: object) -> float:
    """The entropy of one cell's share; -log p of the largest share by its complement, which is small beside it."""
    shown = [float(cell) for cell in cells if cell != 0]
    if len(shown) < 2:
        return sum(shown)
    total = math.fsum(map(abs, shown))
    weights = []
    for i, cell in enumerate(shown):
        rest = math.fsum(abs(other) for j, other in enumerate(shown) if j != i)
        weights.append(abs(cell) / total * math.log1p(rest / abs(cell)))
    return math.fsum(w * cell for w, cell in zip(weights, shown, strict=True)) / math.fsum(weights)


def t_max_avg(cells: Cells, m: object) -> float:
    largest = sorted(cells, reverse=True)[: m.k]
    mean = sum(largest) / len(largest)
    seen = {"all": largest[-1], "max": largest[0], "mean": mean}[m.rule]
    return float(largest[0] if seen >= m.threshold else mean)


def ordinal_weights(m: object, n: int, channel: int) -> Cells:
    logits = m.logits.detach().double().numpy()
    kept = (logits[channel] if logits.ndim == 2 else logits)[:n]
    weights = np.exp(kept - kept.max())
    return weights / weights.sum()


def mixed_random(cells: Cells, m: object) -> float:
    share = m.p if m.eval_mode == "expectation" else (1.0 if m.p >= 0.5 else 0.0)
    return float(share * cells.max() + (1 - share) * cells.mean())


def max_dropout(cells: Cells, m: object) -> float:
    """The r-th largest comes out if it is kept and the r - 1 larger ones are not."""
    expected, dropped = 0.0, 1.0
    for cell in sorted(cells, reverse=True):
        expected += dropped * m.retain * cell
        dropped *= 1 - m.retain
    return float(expected)


ORACLES: dict[str, Callable[[Cells, object], float]] = {
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
    """Each window's cells from the largest, times the weights of its channel."""
    axes = range(x.ndim - 2)
    places = [shape.places(axis, x.shape[2 + axis]) for axis in axes]
    out = np.empty((*x.shape[:2], *map(len, places)))
    for n, c, *window in np.ndindex(*out.shape):
        inside = [[p for p in places[axis][window[axis]] if 0 <= p < x.shape[2 + axis]] for axis in axes]
        cells = np.sort(x[n, c][np.ix_(*inside)].ravel())[::-1]
        out[n, c, *window] = cells @ ordinal_weights(m, cells.size, c)
    return out


POSITIONAL: dict[str, Callable[[np.ndarray, object, object], np.ndarray]] = {"ordinal": ordinal}
HEADS: dict[str, Callable[[np.ndarray, object], np.ndarray]] = {}

# -- gradients where cells tie


def ranked(cells: Cells, by_rank: Cells) -> Cells:
    """The entry of each cell's rank; among equal cells the earlier one ranks higher."""
    gradient = np.empty(cells.size)
    gradient[np.argsort(-cells, kind="stable")] = by_rank
    return gradient


def first(n: int, place: int) -> Cells:
    return np.eye(n)[place]


def median_slopes(cells: Cells, m: object) -> Cells:
    n = cells.size
    return ranked(cells, (np.eye(n)[(n - 1) // 2] + np.eye(n)[n // 2]) / 2)


def mam_slopes(cells: Cells, m: object) -> Cells:
    n = cells.size
    if cells.max() - cells.min() > cells.mean():
        return first(n, cells.argmax()) - first(n, cells.argmin())
    return 0.5 * first(n, cells.argmax()) + 0.5 / n


def t_max_avg_slopes(cells: Cells, m: object) -> Cells:
    k = min(m.k, cells.size)
    largest = np.sort(cells)[::-1][:k]
    if {"all": largest[-1], "max": largest[0], "mean": largest.mean()}[m.rule] >= m.threshold:
        return first(cells.size, cells.argmax())
    return ranked(cells, (np.arange(cells.size) < k) / k)


TIES: dict[str, Callable[[Cells, object], Cells]] = {
    "median": median_slopes,
    "mam": mam_slopes,
    "t_max_avg": t_max_avg_slopes,
    "mixed_random": lambda cells, m: first(cells.size, cells.argmax()),
    "max_dropout": lambda cells, m: ranked(cells, m.retain * (1 - m.retain) ** np.arange(cells.size)),
}
