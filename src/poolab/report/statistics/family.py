"""The arms of a setting as one family: simultaneous intervals, adjusted p values, equivalence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from poolab.report.statistics.moderated import moderated_estimates
from poolab.report.statistics.paired import Estimate, holm
from poolab.report.statistics.pairs import Pairs, difference_matrix
from poolab.report.statistics.permutation import sign_flip_step_down
from poolab.report.statistics.power import Rule, fixed_rule
from poolab.report.statistics.results import Interval, Moderated
from poolab.report.statistics.sequential import confidence_sequence, e_value, sequence_critical
from poolab.report.statistics.simultaneous import DRAWS, comparison_alpha

Method = Literal["max_t", "look", "e_process"]

# The moderated t is shown up to so many pairs, and with two pairs only where so many arms are compared: with fewer its
# family error was 7 to 9 %.
MODERATED_PAIRS = 5
ARMS_OF_TWO_PAIRS = 4


@dataclass(frozen=True)
class Inference:
    """Holds what the verdict needs of one arm within its family. `alpha` is the error of the arm's own interval."""

    alpha: float
    interval: Interval | None
    p_adjusted: float
    p_equivalence: float
    p_equivalence_adjusted: float
    within_margin: bool
    rule: Rule


def infer(pairs: Sequence[Pairs], margin: float, alpha: float, method: Method, draws: int = DRAWS) -> list[Inference]:
    """Return the inference of each arm, in their order; every arm has an estimate.

    Planned numbers of seeds: simultaneous intervals by the max-t level, equivalence by TOST with Holm's correction, so
    that a wrong "equivalent" too has at most the family's error. An arm that is judged by its examples gets alpha / m.
    Without declared looks ("e_process"): confidence sequences at alpha / m, for the interval and for equivalence.

    Args:
        pairs: each arm with the baseline.
        margin: of equivalence, above 0.
        alpha: the family's error.
        method: how the error is kept.
        draws: for the max-t level.

    >>> from poolab.report.statistics.scores import ArmScores
    >>> base = ArmScores("max", {0: 0.91, 1: 0.92, 2: 0.90, 3: 0.93})
    >>> arm = ArmScores("avg", {0: 0.89, 1: 0.895, 2: 0.88, 3: 0.90})
    >>> [one] = infer([Pairs(arm, base)], margin=0.005, alpha=0.05, method="max_t")
    >>> [round(end, 4) for end in one.interval], one.within_margin
    ([-0.0314, -0.0161], False)
    """
    estimates = [pair.estimate for pair in pairs if pair.estimate is not None]
    p_adjusted = holm([one.p for one in estimates])
    p_equivalence, p_equivalence_adjusted = equivalence(estimates, margin)
    share = alpha / len(pairs) if pairs else alpha
    found = []
    for index, (pair, own) in enumerate(zip(pairs, arm_alphas(pairs, alpha, method, draws), strict=True)):
        if method == "e_process":
            interval = confidence_sequence(pair.differences, own) if pair.basis == "seeds" else None
            within = interval is not None and -margin < interval[0] and interval[1] < margin
            rule = sequence_rule(margin, own)
        else:
            interval = estimates[index].interval(own)
            within = p_equivalence_adjusted[index] <= alpha
            rule = fixed_rule(margin, own, share)
        tests = p_adjusted[index], p_equivalence[index], p_equivalence_adjusted[index]
        found.append(Inference(own, interval, *tests, within, rule))
    return found


def equivalence(estimates: Sequence[Estimate], margin: float) -> tuple[list[float], list[float]]:
    """Return the arms' p values of equivalence within +-margin (TOST), and Holm's over the arms.

    >>> p, adjusted = equivalence([Estimate(0.0, 0.001, 9), Estimate(0.004, 0.001, 9)], 0.005)
    >>> [round(one, 4) for one in p], [round(one, 4) for one in adjusted]
    ([0.0004, 0.1717], [0.0007, 0.1717])
    """
    p_values = [one.p_equivalence(margin) for one in estimates]
    return p_values, holm(p_values)


def arm_alphas(pairs: Sequence[Pairs], alpha: float, method: Method, draws: int = DRAWS) -> list[float]:
    """Return the error that each arm's own interval may have: the max-t level, or alpha / m where that does not apply.

    >>> arm_alphas([], 0.05, "max_t")
    []
    """
    share = alpha / len(pairs) if pairs else alpha
    seeds = [pair for pair in pairs if pair.basis == "seeds"]
    if method == "e_process" or not seeds:
        return [share] * len(pairs)
    # The arms judged by examples keep their share; the others divide what is left by their correlation.
    joint = comparison_alpha(difference_matrix(seeds), share * len(seeds), draws)
    return [joint if pair.basis == "seeds" else share for pair in pairs]


def sequence_rule(margin: float, alpha: float) -> Rule:
    """Return the rule of confidence sequences at 1 - alpha.

    >>> round(sequence_rule(0.005, 0.05).critical(6), 2)
    5.45
    """

    def critical(pairs: int) -> float:
        return sequence_critical(pairs, alpha)

    return Rule(margin, critical, critical)


def permutation_p(pairs: Sequence[Pairs]) -> list[float | None]:
    """Return the joint step-down sign-flip p value of each arm; None where it is judged by examples."""
    seeds = [pair for pair in pairs if pair.basis == "seeds"]
    values = iter(sign_flip_step_down(difference_matrix(seeds)) if seeds else [])
    return [next(values) if pair.basis == "seeds" else None for pair in pairs]


def moderated_lines(pairs: Sequence[Pairs], alpha: float) -> list[Moderated | None]:
    """Return the moderated t of each arm with 2 to 5 pairs; None for the others, or where an arm stands alone.

    The variances of all arms are shrunk together, and Holm's correction is over the same arms. Arms with 2 pairs take
    part only where at least `ARMS_OF_TWO_PAIRS` arms are compared. With more than 5 pairs the paired t needs no help.

    Args:
        pairs: the arms that have an estimate.
        alpha: the error of each single interval.
    """
    known = [pair for pair in pairs if pair.by_seeds is not None]
    fewest = 2 if len(known) >= ARMS_OF_TWO_PAIRS else 3
    chosen = [pair for pair in known if len(pair.seeds) >= fewest]
    estimates = [pair.by_seeds for pair in chosen if pair.by_seeds is not None]
    found = moderated_estimates(estimates, [len(pair.seeds) for pair in chosen])
    if found is None:
        return [None] * len(pairs)
    adjusted = holm([one.p for one, _ in found])
    lines = {
        pair.arm.name: Moderated(one.error, one.freedom, prior, one.interval(alpha), one.p, p)
        for pair, (one, prior), p in zip(chosen, found, adjusted, strict=True)
        if len(pair.seeds) <= MODERATED_PAIRS
    }
    return [lines.get(pair.arm.name) for pair in pairs]


def evidence(pair: Pairs) -> float | None:
    """Return the e-value of an arm; None where it is judged by examples, as they have no order in time."""
    return e_value(pair.differences) if pair.basis == "seeds" else None
