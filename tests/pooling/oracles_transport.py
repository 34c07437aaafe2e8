"""What ROTP should give: the whole Bregman ADMM in float64 numpy, with the multipliers of both marginals."""

import numpy as np

from tests.pooling.oracles_heads import array


def log_sum(values: np.ndarray) -> float:
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))


def softplus(free: object) -> np.ndarray:
    return np.logaddexp(0.0, array(free))


def plan(x: np.ndarray, rho: np.ndarray, a1: np.ndarray, by_channel: bool, a2: float = 0.7, a3: float = 0.3):
    """The plan P (positions, channels) between the marginals mu of the channels and eta of the positions.

    P and S share their entries between the two constraints: P has the channels' sums and S the positions', or the other
    way round. mu and eta are kept near their priors by divergences of the weights a2 and a3.
    """
    if not by_channel:
        return plan(x.T, rho, a1, True, a3, a2).T
    n, d = x.shape
    log_mu, log_eta = np.full(d, -np.log(d)), np.full(n, -np.log(n))
    log_p0, log_q0 = log_mu.copy(), log_eta.copy()
    log_s = log_eta[:, None] + log_mu[None]
    z, z1, z2, log_t = np.zeros((n, d)), np.zeros(d), np.zeros(n), None
    for r, a in zip(rho, a1, strict=True):
        y = (x - z) / r + log_s
        log_t = np.stack([log_mu[c] - log_sum(y[:, c]) + y[:, c] for c in range(d)], 1)
        y = (z + r * log_t) / (a + r)
        log_s = np.stack([log_eta[i] - log_sum(y[i]) + y[i] for i in range(n)])
        z = z + r * (np.exp(log_t) - np.exp(log_s))
        y = (r * log_mu + a2 * log_p0 - z1) / (r + a2)
        log_mu = y - log_sum(y)
        y = (r * log_eta + a3 * log_q0 - z2) / (r + a3)
        log_eta = y - log_sum(y)
        z1 = z1 + r * (np.exp(log_mu) - np.exp(log_t).sum(0))
        z2 = z2 + r * (np.exp(log_eta) - np.exp(log_s).sum(1))
    return np.exp(log_t)


def rotp(x: np.ndarray, m: object) -> np.ndarray:
    rho = np.maximum(softplus(m.rho), 1e-6)
    a1 = np.array([*(np.maximum(softplus(m.alpha), 1e-6) if m.alpha is not None else []), 1.0])
    out = np.empty((*x.shape[:2], 1, 1))
    for n, sample in enumerate(x):
        vectors = sample.reshape(len(sample), -1).T
        moved = plan(vectors, rho, a1, m.marginal == "channels")
        out[n, :, 0, 0] = len(sample) * (moved * vectors).sum(0)
    return out


HEADS = {"rotp": rotp}
