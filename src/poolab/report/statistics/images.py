"""New images: an interval that holds over seeds and over test examples, from the per-example outcomes."""

from dataclasses import dataclass

import numpy as np

from poolab.report.statistics.paired import Estimate, Floats


@dataclass(frozen=True)
class Components:
    """Mean squares of a crossed layout of seeds x examples, as variances of the overall mean.

    `seeds` = MS_seeds / nN, `examples` = MS_examples / nN, `rest` = MS_interaction / nN.
    """

    mean: float
    seeds: float
    examples: float
    rest: float
    count_seeds: int
    count_examples: int


def components(outcomes: Floats) -> Components:
    """Return the variance components of differences in a (seeds, examples) array.

    >>> components(np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, -1.0, 1.0]])).mean
    0.25
    """
    seeds, examples = outcomes.shape
    mean = outcomes.mean()
    by_seed, by_example = outcomes.mean(axis=1), outcomes.mean(axis=0)
    rest = outcomes - by_seed[:, None] - by_example[None] + mean
    interaction = (rest**2).sum() / max((seeds - 1) * (examples - 1), 1)
    return Components(
        mean=float(mean),
        seeds=float(by_seed.var(ddof=1)) / seeds if seeds > 1 else 0.0,
        examples=float(by_example.var(ddof=1)) / examples,
        rest=float(interaction) / (seeds * examples),
        count_seeds=seeds,
        count_examples=examples,
    )


def new_images_estimate(difference: float, found: Components) -> Estimate | None:
    """Return the difference with a standard error over new seeds and new examples.

    SE^2 = s^2/n + v/N - w/(nN), where s^2 is the variance of the seeds' differences, v that of the examples' mean
    differences and w that of what is left; the last term is contained in both others and would count twice. The part of
    the examples, v/N - w/(nN), is not taken below 0. Degrees of freedom by Satterthwaite (1946), doi:10.2307/3002019.
    The crossed layout: Searle, Casella and McCulloch (1992), Variance Components, doi:10.1002/9780470316856; that a
    crossed bootstrap counts the interaction three times: Owen (2007), doi:10.1214/07-AOAS122.

    Returns:
        None where neither seeds nor examples vary.

    >>> layout = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, -1.0, 1.0]])
    >>> round(new_images_estimate(0.25, components(layout)).error, 3)
    0.382
    """
    examples = max(found.examples - found.rest, 0.0)
    variance = found.seeds + examples
    if variance <= 0:
        return None
    freedom = variance**2 / _spread(found, examples)
    return Estimate(difference, float(np.sqrt(variance)), float(freedom))


def _spread(found: Components, examples: float) -> float:
    """Return the sum of (variance part)^2 / its degrees of freedom."""
    of_seeds = found.seeds**2 / max(found.count_seeds - 1, 1)
    return of_seeds + examples**2 / max(found.count_examples - 1, 1)


def examples_estimate(difference: float, found: Components) -> Estimate | None:
    """Return the estimate that replaces the paired t where the seeds hardly vary: over examples, never narrower.

    SE^2 = s^2/n + v/N without taking anything off: where the seeds say nothing, neither does their interaction.

    Returns:
        None where the examples do not vary either: no example was ever told apart.

    >>> same = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    >>> examples_estimate(0.25, components(same))
    Estimate(difference=0.25, error=0.25, freedom=3.0)
    """
    if found.examples <= 0:
        return None
    variance = found.seeds + found.examples
    freedom = variance**2 / _spread(found, found.examples)
    return Estimate(difference, float(np.sqrt(variance)), float(freedom))
