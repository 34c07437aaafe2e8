"""What the fuzzy methods should give: float64 numpy, one window at a time, nothing from poolab."""

import numpy as np

from tests.pooling.oracles import Shape, Taps, each_window
from tests.pooling.oracles_learned import numbers, per_channel


def fuzzy(taps: Taps, m: object) -> float:
    r = m.largest
    corners = (
        ((r / 6, r / 2), (1, 0)),
        ((r / 4, r / 2, 3 * r / 4), (0, 1, 0)),
        ((r / 2, 3 * r / 4), (0, 1)),
    )
    members = [np.interp(taps, *corner) for corner in corners]
    chosen = members[int(np.argmax([of.sum() for of in members]))]
    return float(chosen[chosen > 0] @ taps[chosen > 0] / chosen.sum())


def integral(taps: Taps, name: str, power: float) -> float:
    """By the definitions over the values in rising order, where the measure is that of all values not below one."""
    rising = np.sort(taps)
    measures = (np.arange(taps.size, 0, -1) / taps.size) ** power
    if name == "sugeno":
        return float(np.minimum(rising, measures).max())
    if name == "dv_sugeno":
        return float(rising @ measures)
    return float(rising[0] + np.diff(rising) @ measures[1:])


def comb(x: np.ndarray, shape: Shape, m: object) -> np.ndarray:
    found = {"avg": np.mean, "max": np.max}
    for name in ("sugeno", "dv_sugeno", "choquet"):
        found[name] = lambda taps, name=name: integral(taps, name, 2.0)
    weights = [per_channel(row**2, x) for row in numbers(m.weight)]
    names = m.functions.split("+")
    return sum(w * each_window(x, shape, found[name]).astype(float) for w, name in zip(weights, names, strict=True))


ORACLES = {"fuzzy": fuzzy, "fuzzy_integral": lambda taps, m: integral(taps, m.integral, m.power)}
POSITIONAL = {"comb": comb}
