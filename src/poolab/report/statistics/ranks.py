"""Ranks with their uncertainty: confidence sets from all pairs of arms."""

import itertools
from collections import Counter
from collections.abc import Sequence

from poolab.report.statistics.paired import holm
from poolab.report.statistics.pairs import Pairs
from poolab.report.statistics.scores import ArmScores
from poolab.report.statistics.sequential import e_value


def rank_sets(
    arms: Sequence[ArmScores], alpha: float, higher_is_better: bool = True, *, sequential: bool = False
) -> dict[str, tuple[int, int]]:
    """Return arm -> (best, worst) rank that the data allow, for all arms together with confidence 1 - alpha.

    Every pair of arms is compared by a paired t, with Holm's correction over all pairs. An arm's best rank is 1 + the
    number of arms shown to be better, its worst the number of arms minus those shown to be worse (Mogstad, Romano,
    Shaikh and Wilhelm 2024, doi:10.1093/restud/rdad006). Arms without two shared seeds or without variance are not told
    apart. It is among the runs that trained.

    Args:
        arms: of one setting.
        alpha: the error of all sets together.
        higher_is_better: False for a loss.
        sequential: use e-values instead of the paired t.

    >>> arms = [ArmScores(name, {s: base + 0.001 * (s * k % 5) for s in range(6)})
    ...         for name, base, k in (("a", 0.90, 1), ("b", 0.90, 2), ("c", 0.85, 3))]
    >>> rank_sets(arms, 0.05)
    {'a': (1, 2), 'b': (1, 2), 'c': (3, 3)}
    """
    tested: list[tuple[str, str, float]] = []
    for first, second in itertools.combinations(arms, 2):
        pair = Pairs(first, second)
        if pair.estimate is None or (sequential and pair.by_seeds is None):
            continue
        p = min(1.0, 1 / e_value(pair.differences)) if sequential else pair.estimate.p
        ahead = (pair.estimate.difference > 0) == higher_is_better
        tested.append((first.name, second.name, p) if ahead else (second.name, first.name, p))
    adjusted = holm([p for *_, p in tested])
    shown = [(first, second) for (first, second, _), p in zip(tested, adjusted, strict=True) if p <= alpha]
    losses, wins = Counter(worse for _, worse in shown), Counter(better for better, _ in shown)
    return {arm.name: (1 + losses[arm.name], len(arms) - wins[arm.name]) for arm in arms}
