"""Per-example outcomes: new test images, and metrics that move in steps because the test set is small."""

import numpy as np

from poolab.report.statistics.family import infer
from poolab.report.statistics.images import components, new_images_estimate
from poolab.report.statistics.paired import Estimate
from poolab.report.statistics.pairs import Pairs
from poolab.report.statistics.results import Verdict
from poolab.report.statistics.scores import ArmScores
from poolab.report.statistics.verdicts import decide
from report_simulation.cells import ALPHA, MARGIN
from report_simulation.rows import Row

DIGITS = 364
IMAGES = 500
BOOTSTRAPS = 300


def steps(studies: int, seed: int = 0) -> list[Row]:
    """Return the false verdicts on 364 test examples of which nearly all are always right."""
    found = []
    for seeds in (2, 3, 5, 8):
        rng = np.random.default_rng([seed, seeds, DIGITS])
        claims = np.zeros(4)
        for _ in range(studies):
            # A dozen hard examples; the others are right in every run.
            chance = np.where(np.arange(DIGITS) < 12, rng.uniform(0.2, 1.0, DIGITS), 1.0)
            outcomes = (rng.random((2, seeds, DIGITS)) < chance).astype(np.uint8)
            differences = outcomes[0].mean(axis=1) - outcomes[1].mean(axis=1)
            claims += [_naive(differences), *(_claims(outcomes, how) for how in ("scores", "examples", "correct"))]
        names = (
            ("paired t alone (wrong, for comparison)", None),
            ("scores only", 0.055),
            ("the number of examples known", 0.055),
            ("per-example outcomes", 0.055),
        )
        found += [
            Row(f"{seeds} seeds: {name}", share, studies, high=bound)
            for (name, bound), share in zip(names, claims / studies, strict=True)
        ]
    return found


def _naive(differences: np.ndarray) -> bool:
    if np.ptp(differences) < 1e-12:
        return bool(abs(differences[0]) > 1e-12)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return Estimate(float(differences.mean()), float(error), len(differences) - 1).p <= ALPHA


def _claims(outcomes: np.ndarray, how: str) -> bool:
    arms = [
        ArmScores(
            str(arm),
            {seed: float(row.mean()) for seed, row in enumerate(rows)},
            correct=dict(enumerate(rows)) if how == "correct" else None,
            examples=DIGITS if how == "examples" else None,
        )
        for arm, rows in enumerate(outcomes)
    ]
    pair = Pairs(arms[1], arms[0])
    if pair.estimate is None:
        return False
    [line] = infer([pair], MARGIN, ALPHA, "max_t")
    return decide(pair, line)[0] in (Verdict.BETTER, Verdict.WORSE)


def new_images(studies: int, seed: int = 0) -> list[Row]:
    """Return how often the interval for new images holds the true difference, 0, beside two other ways."""
    found = []
    for seeds in (3, 5, 8, 20):
        rng = np.random.default_rng([seed, seeds, IMAGES])
        held = np.zeros(3)
        for _ in range(studies):
            differences = _crossed(seeds, rng)
            parts = components(differences)
            mean = parts.mean
            ours = new_images_estimate(mean, parts)
            added = Estimate(mean, float(np.sqrt(parts.seeds + parts.examples)), seeds - 1)
            low, high = _bootstrap(differences, rng) if seeds >= 8 else (0.0, 0.0)
            held += [_holds(ours.interval(ALPHA)) if ours else 0, _holds(added.interval(ALPHA)), low <= 0 <= high]
        shares = held / studies
        found.append(Row(f"{seeds} seeds, {IMAGES} images: the report's", shares[0], studies, low=0.93, high=0.985))
        found.append(Row(f"{seeds} seeds: t with s^2/n + v/N, n - 1 degrees (for comparison)", shares[1], studies))
        if seeds >= 8:
            found.append(Row(f"{seeds} seeds: crossed bootstrap, percentiles (for comparison)", shares[2], studies))
    return found


def _holds(interval: tuple[float, float]) -> bool:
    return interval[0] <= 0 <= interval[1]


def _crossed(seeds: int, rng: np.random.Generator) -> np.ndarray:
    """Differences of correctness: images differ in difficulty, arms differ by image and by seed."""
    difficulty = rng.normal(1.0, 2.0, IMAGES)
    right = []
    for _ in range(2):
        logit = difficulty + rng.normal(0, 1.0, IMAGES) + rng.normal(0, 0.15, (seeds, 1))
        right.append(rng.random((seeds, IMAGES)) < 1 / (1 + np.exp(-logit)))
    return right[1].astype(float) - right[0]


def _bootstrap(differences: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    seeds, images = differences.shape
    rows = rng.multinomial(seeds, np.full(seeds, 1 / seeds), BOOTSTRAPS) / seeds
    columns = rng.multinomial(images, np.full(images, 1 / images), BOOTSTRAPS) / images
    means = np.einsum("bs,si,bi->b", rows, differences, columns, optimize=True)
    low, high = np.quantile(means, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)
