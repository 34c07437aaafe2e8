"""What the second-order and VLAD heads should give: float64 numpy from the formulas, by loops, FFT and eigenvectors."""

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray


def own(tensor: object) -> Array:
    """A module's tensor as float64."""
    return tensor.detach().double().cpu().numpy()


def vectors_of(x: Array) -> Array:
    """The vectors of one map (C, H, W) as rows (H * W, C)."""
    return x.reshape(x.shape[0], -1).T


def normalised(z: Array) -> Array:
    """The signed root of the shares of the sum of magnitudes, bent at 1e-4 of the mean share."""
    whole = max(sum(abs(v) for v in z), 1e-8)
    bend = 1e-4 / len(z)
    return np.array([math.copysign(abs(v / whole) / math.sqrt(abs(v / whole) + bend), v) for v in z])


def to_unit(v: Array) -> Array:
    return v / math.sqrt(float((v**2).sum()) + 1e-8)


# -- bilinear


def moment(x: Array) -> Array:
    """The mean of the outer products, one vector after another."""
    vectors = vectors_of(x)
    whole = np.zeros((x.shape[0], x.shape[0]))
    for vector in vectors:
        whole += np.outer(vector, vector) / len(vectors)
    return whole


def bilinear(x: Array, m: object) -> Array:
    rows = [moment(one).ravel() for one in x]
    return np.array([normalised(row) if m.normalize else row for row in rows])


def tensor_sketch(x: Array, bins: Array, signs: Array, length: int) -> Array:
    """The mean over the vectors of the circular convolution of their two count sketches, by FFT."""
    total = np.zeros(length)
    for vector in vectors_of(x):
        spectrum = np.ones(length, dtype=complex)
        for bin_of, sign_of in zip(bins, signs, strict=True):
            sketch = np.zeros(length)
            for channel, value in enumerate(vector):
                sketch[bin_of[channel]] += sign_of[channel] * value
            spectrum *= np.fft.fft(sketch)
        total += np.fft.ifft(spectrum).real / (x.shape[1] * x.shape[2])
    return total


def compact_bilinear(x: Array, m: object) -> Array:
    bins, signs = m.bins.cpu().numpy(), own(m.signs)
    rows = [tensor_sketch(one, bins, signs, m.output_dim) for one in x]
    return np.array([normalised(row) if m.normalize else row for row in rows])


# -- covariance


def reduced(x: Array, m: object) -> Array:
    """The reduction in evaluation: 1x1 convolution, running statistics, ReLU."""
    if m.dim is None:
        return x
    conv, norm, _ = m.reduction
    y = np.einsum("oc,nchw->nohw", own(conv.weight)[:, :, 0, 0], x)
    mean, scale = own(norm.running_mean), own(norm.weight) / np.sqrt(own(norm.running_var) + norm.eps)
    return np.maximum((y - mean[:, None, None]) * scale[:, None, None] + own(norm.bias)[:, None, None], 0.0)


def root_of_eigenvalue(value: float, iterations: int) -> float:
    """Newton-Schulz for a number, from (value, 1)."""
    y, z = value, 1.0
    for _ in range(iterations):
        y, z = 0.5 * y * (3 - z * y), 0.5 * (3 - z * y) * z
    return y


def isqrt_cov(x: Array, m: object) -> Array:
    """The iteration acts on each eigenvalue for itself."""
    out = []
    for one in reduced(x, m):
        vectors = vectors_of(one)
        covariance = np.atleast_2d(np.cov((vectors - vectors[0]).T, bias=True))  # exactly zero for a constant map
        trace = max(float(np.trace(covariance)), 1e-20)
        values, vectors = np.linalg.eigh(covariance / trace)
        roots = np.array([root_of_eigenvalue(value, m.iterations) for value in values])
        root = math.sqrt(trace) * (vectors * roots) @ vectors.T
        out.append([root[i, j] for i in range(len(root)) for j in range(i, len(root))])
    return np.array(out)


# -- VLAD


def vlad(vectors: Array, weight: Array, bias: Array, centroids: Array) -> Array:
    """One vector and one cluster after another."""
    residuals = np.zeros_like(centroids)
    for vector in vectors:
        scores = weight @ vector + bias
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        for cluster, share in enumerate(shares):
            residuals[cluster] += share * (vector - centroids[cluster])
    return to_unit(np.concatenate([to_unit(residual) for residual in residuals]))


def netvlad_of(vectors: Array, m: object) -> Array:
    if m.normalize_input:
        vectors = np.array([to_unit(vector) for vector in vectors])
    return vlad(vectors, own(m.weight), own(m.bias), own(m.centroids))


def netvlad(x: Array, m: object) -> Array:
    return np.array([netvlad_of(vectors_of(one), m) for one in x])


def region_means(x: Array, scale: int) -> Array:
    """The mean of every window of a scale-th of the sides of (C, H, W), as rows."""
    high, wide = math.ceil(x.shape[1] / scale), math.ceil(x.shape[2] / scale)
    places = [(r, q) for r in range(x.shape[1] - high + 1) for q in range(x.shape[2] - wide + 1)]
    return np.array([x[:, r : r + high, q : q + wide].mean((1, 2)) for r, q in places])


def mop(x: Array, m: object) -> Array:
    scales = list(zip(m.scales, m.vlads, strict=True))
    return np.array(
        [
            np.concatenate([to_unit(one.mean((1, 2))), *(netvlad_of(region_means(one, s), v) for s, v in scales)])
            for one in x
        ]
    )


HEADS: dict[str, Callable[[Array, object], Array]] = {
    "bilinear": bilinear,
    "compact_bilinear": compact_bilinear,
    "isqrt_cov": isqrt_cov,
    "netvlad": netvlad,
    "mop": mop,
}
