"""Tests of many arms beside the intervals: sign flips, the moderated t, ranks; several settings; deviations."""

import numpy as np

from poolab.report.statistics.family import moderated_lines, permutation_p
from poolab.report.statistics.meta import random_effects
from poolab.report.statistics.paired import holm, paired_estimate
from poolab.report.statistics.power import deviation_interval
from poolab.report.statistics.ranks import rank_sets
from poolab.report.statistics.scores import ArmScores
from report_simulation.cells import ALPHA, DEVIATION, Cell, noise, study
from report_simulation.rows import Row


def adjusted_p(studies: int, seed: int = 0) -> list[Row]:
    """Return how many studies of ten equal arms have an adjusted p value of at most 5 %, and the power at 3 seeds."""
    found = []
    for seeds, tails in ((6, "normal"), (8, "normal"), (8, "t3"), (12, "normal")):
        share = _claims(Cell(11, seeds, 0.5, tails), studies, seed, ("flips",))["flips"]
        found.append(Row(f"sign flips, {seeds} seeds, {tails}: a false claim", share, studies, high=0.055))
    for arms, seeds in ((11, 2), (11, 3), (11, 4), (11, 5), (5, 2), (5, 3), (3, 3)):
        shares = _claims(Cell(arms, seeds, 0.0), studies, seed, ("moderated", "holm"))
        what = f"{seeds} seeds{'' if arms == 11 else f', {arms - 1} arms'}: a false claim"
        found.append(Row(f"moderated t, {what}", shares["moderated"], studies, high=0.075))
        found.append(Row(f"paired t with Holm, {what}", shares["holm"], studies, high=0.055))
    shares = _claims(Cell(11, 3, 0.0), studies, seed, ("moderated", "holm"), gain=5 * DEVIATION)
    found.append(Row("moderated t, 3 seeds: finds an arm better by 3.5 deviations", shares["moderated"], studies))
    found.append(Row("paired t with Holm, 3 seeds: finds it", shares["holm"], studies))
    return found


def _claims(cell: Cell, studies: int, seed: int, tests_: tuple[str, ...], gain: float = 0.0) -> dict[str, float]:
    """Return the share of studies with a claim; with a gain of the first arm, of those that find this arm."""
    rng = np.random.default_rng([seed, cell.seeds, cell.arms, cell.tails == "t3"])
    counts = dict.fromkeys(tests_, 0.0)
    values = 0.8 + noise(cell, studies, rng)
    values[:, :, 1] += gain
    for one in values:
        pairs = study(one, np.ones_like(one, dtype=bool))
        for test in tests_:
            p_values = _p_values(test, pairs)
            counts[test] += (p_values[0] if gain else min(p_values, default=1.0)) <= ALPHA  # no line, no claim
    return {test: count / studies for test, count in counts.items()}


def _p_values(test: str, pairs: list) -> list[float]:
    if test == "flips":
        return [p for p in permutation_p(pairs) if p is not None]
    if test == "holm":
        return holm([pair.estimate.p for pair in pairs])
    return [line.p_adjusted for line in moderated_lines(pairs, ALPHA) if line is not None]


def ranks(studies: int, seed: int = 0) -> list[Row]:
    """Return how often every arm's rank set holds its rank: six arms, two of them better, and six equal ones."""
    found = []
    for name, gains in (("two of six arms better", (4, 4, 0, 0, 0, 0)), ("six equal arms", (0,) * 6)):
        held = 0
        for one in noise(Cell(6, 8, 0.5), studies, np.random.default_rng([seed, sum(gains)])):
            scores = 0.8 + one + DEVIATION * np.array(gains)
            arms = [ArmScores(str(arm), dict(enumerate(map(float, scores[:, arm])))) for arm in range(6)]
            sets = rank_sets(arms, ALPHA)
            held += all(_fits(sets[str(arm)], gains, arm) for arm in range(6))
        found.append(Row(f"rank sets, {name}, 8 seeds: all hold", held / studies, studies, low=0.94))
    return found


def _fits(found: tuple[int, int], gains: tuple[int, ...], arm: int) -> bool:
    """Return True if a set holds every rank that the arm and its equals share."""
    best = 1 + sum(gain > gains[arm] for gain in gains)
    worst = len(gains) - sum(gain < gains[arm] for gain in gains)
    return found[0] <= best and worst <= found[1]


def settings(studies: int, seed: int = 0) -> list[Row]:
    """Return how often the random-effects intervals hold; each setting has five seeds and errors of its own size."""
    found = []
    for count in (4, 6, 12):
        for tau in (0.0, 0.5, 2.0):
            rng = np.random.default_rng([seed, count, int(10 * tau)])
            held = np.zeros(2)
            for _ in range(studies):
                true = tau * DEVIATION * rng.standard_normal(count + 1)
                deviations = DEVIATION * np.exp(rng.normal(0, 0.5, count))
                estimates = [
                    paired_estimate(effect + deviation * rng.standard_normal(5))
                    for effect, deviation in zip(true, deviations, strict=False)
                ]
                pooled = random_effects([one.difference for one in estimates], [one.error for one in estimates])
                low, high = pooled.estimate.interval(ALPHA)
                ahead = pooled.prediction(ALPHA)
                held += [low <= 0 <= high, ahead[0] <= true[-1] <= ahead[1]]
            where = f"{count} settings, tau {tau:g} deviations"
            found.append(Row(f"{where}: the mean's interval", held[0] / studies, studies, low=0.93))
            found.append(
                Row(f"{where}: the prediction interval", held[1] / studies, studies, low=0.93 if tau else None)
            )
    return found


def deviations(studies: int, seed: int = 0) -> list[Row]:
    """Return how often the chi-square interval holds the true deviation of the differences."""
    found = []
    for seeds, tails in ((3, "normal"), (8, "normal"), (8, "t3")):
        rng = np.random.default_rng([seed, seeds, tails == "t3"])
        draws = rng.standard_normal((studies, seeds)) if tails == "normal" else rng.standard_t(3, (studies, seeds))
        true = 1.0 if tails == "normal" else np.sqrt(3)
        intervals = [deviation_interval(float(one.std(ddof=1)), seeds) for one in draws]
        share = np.mean([low <= true <= high for low, high in intervals])
        bounds = (0.93, 0.97) if tails == "normal" else (None, None)
        found.append(Row(f"deviation's interval, {seeds} seeds, {tails}", float(share), studies, *bounds))
    return found
