"""What the frequency methods should give: the whole spectrum by numpy, bin by bin; wavelets by explicit sums."""

import math
from itertools import product

import numpy as np
from numpy.polynomial import polynomial

# -- Fourier


def kept(length: int, out: int) -> list[tuple[int, int, float]]:
    """(input bin, output bin, share) along one axis: all input frequencies up to the output's highest.

    The two Nyquist frequencies of an even output fall into one bin; the input's own one is split into both signs.
    """
    bins = []
    for p in range(-(length // 2), length // 2 + 1):
        own = 2 * abs(p) == length
        if 2 * abs(p) <= out:
            bins.append((p % length, p, 0.5 if own else 1.0))
    return bins


def by_spectrum(x: np.ndarray, sizes: tuple[int, ...], gain) -> np.ndarray:
    """The block of low frequencies of fftn, bin by bin; gain(axis, p) weights the frequency p."""
    lengths, axes = x.shape[2:], tuple(range(2, x.ndim))
    spectrum = np.fft.fftn(x, axes=axes)
    block = np.zeros((*x.shape[:2], *sizes), dtype=complex)
    for bins in product(*map(kept, lengths, sizes)):
        weight = math.prod(share * gain(axis, p) for axis, (_, p, share) in enumerate(bins))
        place = tuple(p % out for (_, p, _), out in zip(bins, sizes, strict=True))
        block[(..., *place)] += weight * spectrum[(..., *(r for r, _, _ in bins))]
    y = np.fft.ifftn(block, axes=axes) * math.prod(sizes) / math.prod(lengths)
    assert np.abs(y.imag).max() <= 1e-9 * max(np.abs(x).max(), 1e-300), "a real map has a real low-pass"
    return y.real


def size(x: np.ndarray, shape) -> tuple[int, ...]:
    return tuple(map(len, shape.all_places(x)))


def spectral(x: np.ndarray, shape, m: object) -> np.ndarray:
    return by_spectrum(x, size(x, shape), lambda axis, p: 1.0)


def flc(x: np.ndarray, shape, m: object) -> np.ndarray:
    out = size(x, shape)

    def gain(axis: int, p: int) -> float:
        n = x.shape[axis + 2]
        # Of +-out/2 only one goes into the block; the real part of what it gives is half of both.
        half = 0.5 if p and 2 * abs(p) == out[axis] and out[axis] < n else 1.0
        if m.window is None:
            return half
        window = np.hamming(n + 1 - n % 2)  # an odd number of values: the middle one is frequency 0
        return half * math.sqrt(window[n // 2 + p])

    return by_spectrum(x, out, gain)


def diffstride(x: np.ndarray, shape, m: object) -> np.ndarray:
    out, smoothness = size(x, shape), m.smoothness
    left = []
    for axis, stride in enumerate(m.strides.detach().double().tolist()):
        o, s0, n = out[axis], shape.stride[axis], x.shape[axis + 2]
        left.append(o * s0 / min(max(stride, 1, o * s0 / max(n, o)), o * s0 / min(2, o)))

    def gain(axis: int, p: int) -> float:
        end = (left[axis] + 1) / 2
        ramp = min(smoothness, end)
        return min(max((end - abs(p)) / ramp, 0.0), 1.0) if p else 1.0

    return by_spectrum(x, tuple(map(round, left)), gain)


# -- wavelets


def roots_of_low_pass(moments: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """(1 + z)^moments, and for each root of sum_k C(moments - 1 + k, k) y^k the two z with y = (2 - z - 1/z) / 4."""
    powers = [math.comb(moments - 1 + k, k) for k in range(moments)]
    pairs = [np.roots([1, 4 * y - 2, 1]) for y in polynomial.polyroots(powers)]
    return polynomial.polypow([1.0, 1.0], moments), pairs


def daubechies(moments: int) -> np.ndarray:
    """The shortest orthonormal filter with so many vanishing moments, of extremal phase; its sum is 1."""
    taps, pairs = roots_of_low_pass(moments)
    for pair in pairs:
        inside = pair[np.abs(pair).argmin()]
        taps = polynomial.polymul(taps, [1, -inside])
    return np.real(taps / taps.sum())


LOW_PASS = {
    "haar": np.array([0.5, 0.5]),
    "db2": daubechies(2),
    "db3": daubechies(3),
    "db4": daubechies(4),
    "bior2.2": np.array([-1, 2, 6, 2, -1]) / 8,
}
NUMPY_MODES = {"symmetric": "symmetric", "reflect": "reflect", "periodic": "wrap"}


def along(x: np.ndarray, axis: int, shape, m: object) -> np.ndarray:
    """Each window's filtered value along an axis of (N, C, *sizes)."""
    taps, windows, margin = LOW_PASS[m.wavelet], shape.places(axis - 2, x.shape[axis]), 40
    padded = np.pad(x, [(margin, margin) if a == axis else (0, 0) for a in range(x.ndim)], mode=NUMPY_MODES[m.mode])
    values = []
    for window in windows:
        middle = (window[0] + window[-1]) / 2
        first = middle - (len(taps) - 1) / 2
        # Half an element off: an even filter lies after the middle, an odd one before it.
        first = math.ceil(first) if len(taps) % 2 == 0 else math.floor(first)
        values.append(sum(h * padded.take(margin + first + k, axis) for k, h in enumerate(taps)))
    return np.stack(values, axis)


def wavelet(x: np.ndarray, shape, m: object) -> np.ndarray:
    for axis in range(2, x.ndim):
        x = along(x, axis, shape, m)
    return x


ORACLES: dict = {}
POSITIONAL = {"spectral": spectral, "flc": flc, "diffstride": diffstride, "wavelet": wavelet}
HEADS: dict = {}
TIES: dict = {}
