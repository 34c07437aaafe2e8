"""Several settings: random effects by REML with Hartung and Knapp's interval, and a prediction interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from poolab.report.statistics.paired import Estimate, Floats, t_quantile
from poolab.report.statistics.results import Interval


@dataclass(frozen=True)
class RandomEffects:
    """The mean effect over settings, the deviation tau between them, and I^2."""

    estimate: Estimate
    tau: float
    i2: float
    settings: int

    def prediction(self, alpha: float) -> Interval:
        """Return where the effect in a new setting lies with confidence 1 - alpha.

        mean +- t(k - 2) sqrt(tau^2 + SE^2) (Higgins, Thompson and Spiegelhalter 2009,
        doi:10.1111/j.1467-985X.2008.00552.x).

        >>> found = random_effects([0.01, 0.02, 0.0, 0.03], [0.004, 0.005, 0.004, 0.006])
        >>> [round(end, 3) for end in found.prediction(0.05)]
        [-0.043, 0.072]
        """
        reach = t_quantile(1 - alpha / 2, self.settings - 2)
        reach *= math.sqrt(self.tau**2 + self.estimate.error**2)
        return self.estimate.difference - reach, self.estimate.difference + reach


def random_effects(effects: Sequence[float], errors: Sequence[float]) -> RandomEffects:
    """Return the random-effects mean over settings.

    tau^2 by restricted maximum likelihood; the standard error by Hartung and Knapp (2001, doi:10.1002/sim.791) with
    k - 1 degrees of freedom, never below the one without their factor (Roever, Knapp and Friede 2015,
    doi:10.1186/s12874-015-0091-1).

    Args:
        effects: one a setting, at least 3.
        errors: their standard errors, above 0.

    >>> found = random_effects([0.01, 0.02, 0.0, 0.03], [0.004, 0.005, 0.004, 0.006])
    >>> round(found.estimate.difference, 4), round(found.estimate.error, 4), round(found.tau, 4)
    (0.0145, 0.0064, 0.0118)
    """
    values, variances = np.asarray(effects, dtype=float), np.asarray(errors, dtype=float) ** 2
    tau2 = reml(values, variances)
    weights = 1 / (variances + tau2)
    mean = float((weights * values).sum() / weights.sum())
    factor = float((weights * (values - mean) ** 2).sum()) / (len(values) - 1)
    error = math.sqrt(max(factor, 1.0) / weights.sum())
    fixed = 1 / variances
    typical = (len(values) - 1) * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())
    return RandomEffects(
        Estimate(mean, error, len(values) - 1), math.sqrt(tau2), float(tau2 / (tau2 + typical)), len(values)
    )


def reml(values: Floats, variances: Floats) -> float:
    """Return tau^2, the variance between settings, that maximises the restricted likelihood; at least 0.

    -2 log L = sum log(v + tau^2) + log sum w + sum w (y - mean)^2 (Viechtbauer 2005, doi:10.3102/10769986030003261).

    >>> round(reml(np.array([0.0, 1.0, 2.0, 3.0]), np.full(4, 0.25)), 4)
    1.4167
    """
    # In units of the data's own spread, so that the search's tolerance fits any metric.
    scale = float(values.var() + variances.mean())

    def criterion(tau2: float) -> float:
        total = variances + tau2 * scale
        weights = 1 / total
        mean = (weights * values).sum() / weights.sum()
        return float(np.log(total).sum() + np.log(weights.sum()) + (weights * (values - mean) ** 2).sum())

    # A coarse grid first: the likelihood may have a second, lower hill at 0.
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 1e2, 81)])
    best = int(np.argmin([criterion(one) for one in grid]))
    if best == 0:
        return 0.0
    bounds = grid[best - 1], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(criterion, bounds=bounds, method="bounded", options={"xatol": 1e-12})
    return float(found.x * scale)
