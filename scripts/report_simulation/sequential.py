"""Seeds added later: declared looks and the e-process, with nothing to find."""

from collections.abc import Sequence

import numpy as np

from poolab.report.statistics.family import Method, infer
from poolab.report.statistics.sequential import Looks
from report_simulation.cells import ALPHA, DRAWS, MARGIN, Cell, noise, study
from report_simulation.rows import Row

LOOKS = (3, 5, 8, 12, 20)


def rows(studies: int, seed: int = 0, arm_counts: Sequence[int] = (2, 5)) -> list[Row]:
    """Return how many studies claim a difference at some look, by each way to look."""
    found = []
    for arms in arm_counts:
        cell = Cell(arms, LOOKS[-1], 0.5)
        values = 0.8 + noise(cell, studies, np.random.default_rng([seed, arms]))
        declared = Looks(LOOKS)
        plain = [_claims(one, dict.fromkeys(LOOKS, ALPHA), "max_t") for one in values]
        spent = [_claims(one, {look: declared.spent_at(look, ALPHA) or 0 for look in LOOKS}, "look") for one in values]
        always = [_claims(one, dict.fromkeys(range(3, 21), ALPHA), "e_process") for one in values]
        after = [_added(one) for one in values]
        compared = f"{arms - 1} arm{'s' if arms > 2 else ''}"
        found += [
            Row(f"{compared}: looks at {LOOKS}, 5 % each (wrong, for comparison)", float(np.mean(plain)), studies),
            Row(f"{compared}: the same looks declared, 1 % each", float(np.mean(spent)), studies, high=0.055),
            Row(
                f"{compared}: undeclared, a look at each of 3 to 20 seeds",
                float(np.mean(always)),
                studies,
                high=0.055,
            ),
            Row(
                f"{compared}: a study of {LOOKS[0]} seeds was looked at, and seeds were added; the report at "
                f"{LOOKS[-1]} seeds",
                float(np.mean([last for _, last in after])),
                studies,
                high=0.055,
            ),
            Row(
                f"{compared}: that report or the first one (for comparison)",
                float(np.mean([first or last for first, last in after])),
                studies,
            ),
        ]
    return found


def _added(values: np.ndarray) -> tuple[bool, bool]:
    """Return whether a study's first report claims a difference, and whether one after added seeds does.

    The first report takes the number of seeds as fixed; the later one knows of it and takes an e-process.
    """
    return _claims(values, {LOOKS[0]: ALPHA}, "max_t"), _claims(values, {LOOKS[-1]: ALPHA}, "e_process")


def _claims(values: np.ndarray, alphas: dict[int, float], method: Method) -> bool:
    """Return True if some look claims a difference."""
    present = np.ones_like(values, dtype=bool)
    for look, alpha in alphas.items():
        lines = infer(study(values[:look], present[:look]), MARGIN, alpha, method, DRAWS)
        if any(line.interval and not line.interval[0] <= 0 <= line.interval[1] for line in lines):
            return True
    return False
