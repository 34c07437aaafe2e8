"""More seeds later: declared looks that share the error, and a t e-process where none were declared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poolab.errors import ConfigError
from poolab.report.statistics.paired import Floats, paired_estimate
from poolab.report.statistics.results import Interval

# The prior variance of the standardised difference in the e-process: a difference of one deviation is not unusual.
EFFECT_VARIANCE = 1.0


@dataclass(frozen=True)
class Looks:
    """When the results may be looked at.

    Args:
        declared: the numbers of seeds at which the study is analysed, ascending; empty: seeds are added without a plan.
        spending: the error that each look may spend; None shares 1 - confidence equally (five looks: 1 % each).
        seeds: the number of seeds at hand; None counts those that the records show.

    Raises:
        ConfigError: numbers that do not ascend from 2, or a spending that does not fit.

    >>> Looks((3, 5, 8, 12, 20)).spent_at(8, 0.05), Looks((3, 5)).spent_at(4, 0.05)
    (0.01, None)
    """

    declared: Sequence[int] = ()
    spending: Sequence[float] | None = None
    seeds: int | None = None

    def __post_init__(self) -> None:
        numbers = list(self.declared)
        if numbers != sorted(set(numbers)) or (numbers and numbers[0] < 2):
            raise ConfigError(f"looks: {numbers}; looks are numbers of seeds, each at least 2, in ascending order")
        if self.spending is not None and (len(self.spending) != len(numbers) or min(self.spending, default=1) <= 0):
            raise ConfigError(
                f"looks: {len(numbers)} looks and spending {list(self.spending)}; give each look a part above 0 of the "
                "error, or leave it out to share the error equally"
            )

    def spent_at(self, seeds: int, alpha: float) -> float | None:
        """Return the error that the look with so many seeds may spend; None where it was not declared.

        Raises:
            ConfigError: the declared spending is more than alpha.
        """
        if self.spending is not None and sum(self.spending) > alpha * (1 + 1e-9):
            raise ConfigError(f"looks: the spending {list(self.spending)} adds up to more than {alpha:g}")
        if seeds not in self.declared:
            return None
        return alpha / len(self.declared) if self.spending is None else self.spending[list(self.declared).index(seeds)]


def e_value(differences: Sequence[float] | Floats, effect_variance: float = EFFECT_VARIANCE) -> float:
    """Return the evidence against a mean difference of 0 by the t e-process.

    E_n = (1 + n g)^(-1/2) [(1 + t^2/v) / (1 + t^2/(v (1 + n g)))]^(n/2) with v = n - 1 and the paired t: the Bayes
    factor with a right-Haar prior on the deviation and N(0, g) on difference / deviation. Under "no difference" and
    normal differences it is a nonnegative martingale of expectation 1 in the scale-invariant filtration, so E_n reaches
    1/alpha at any time with probability alpha at most (Lai 1976, doi:10.1214/aos/1176343406; Wang and Ramdas 2024,
    arXiv:2310.03722). Adding seeds as long as one likes is allowed.

    Args:
        differences: at least 2, not all equal.
        effect_variance: g.

    >>> round(e_value([0.011, 0.012, 0.009, 0.010, 0.013, 0.012]), 1)
    101.3
    """
    values = np.asarray(differences, dtype=float)
    pairs = len(values)
    ratio = pairs * values.mean() ** 2 / ((values - values.mean()) ** 2).sum()
    grown = 1 + pairs * effect_variance
    log = 0.5 * pairs * (math.log1p(ratio) - math.log1p(ratio / grown)) - 0.5 * math.log(grown)
    return float(math.exp(min(log, 700.0)))


def sequence_critical(pairs: int, alpha: float, effect_variance: float = EFFECT_VARIANCE) -> float:
    """Return the |t| from which the e-value is at least 1/alpha; infinite with so few pairs that it never is.

    >>> round(sequence_critical(6, 0.05), 2), sequence_critical(2, 0.05)
    (5.45, inf)
    """
    grown = 1 + pairs * effect_variance
    bound = (math.sqrt(grown) / alpha) ** (2 / pairs)
    if bound >= grown:
        return math.inf
    return math.sqrt((pairs - 1) * (bound - 1) / (1 - bound / grown))


def confidence_sequence(differences: Sequence[float] | Floats, alpha: float) -> Interval | None:
    """Return the interval that holds at all numbers of seeds together: the means whose e-value is below 1/alpha.

    Returns:
        None with so few pairs that nothing can be excluded.

    >>> [round(end, 4) for end in confidence_sequence([0.011, 0.012, 0.009, 0.010, 0.013, 0.012], 0.05)]
    [0.0079, 0.0144]
    >>> confidence_sequence([0.011, 0.012], 0.05) is None
    True
    """
    found = paired_estimate(differences)
    critical = sequence_critical(len(differences), alpha)
    if math.isinf(critical):
        return None
    return found.difference - critical * found.error, found.difference + critical * found.error
