"""Reads what the statistics need of a setting: scores by seed, and the outcome of each test image."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING

from poolab.records import Record, content_of
from poolab.report.details import correct_of
from poolab.report.evidence import Setting
from poolab.report.metric import Metric
from poolab.report.statistics import ArmScores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Pair = Callable[[Record], int]
ROUNDING = 5e-5  # a share of correct images and the accuracy in a record differ by less


def scores_of(setting: Setting, metric: Metric, pair: Pair) -> list[ArmScores]:
    """Return what the statistics read: every arm's scores, with the outcome of each test image where all runs fit."""
    outcomes = _outcomes(setting) if metric.name == "test/accuracy" else {}
    sizes = {run.value("test/samples") for run in setting.runs if run.completed}
    examples = sizes.pop() if len(sizes) == 1 and metric.name == "test/accuracy" else None
    return [
        ArmScores(
            name=arm.label,
            scores={pair(run): run.value(metric.name) for run in arm.runs},
            diverged=tuple(pair(run) for run in arm.diverged),
            failed=len(arm.failed),
            missing=len(arm.missing) + len(arm.stopped),
            correct={pair(run): outcomes[run.signature] for run in arm.runs if run.signature in outcomes} or None,
            examples=None if examples is None else int(examples),
        )
        for arm in setting.arms
    ]


def pairs_of(setting: Setting) -> Pair:
    """Return what gives the number of a run's pair: its seed, told apart by the run that it goes on from.

    Fine-tuned runs of one seed are a pair only if they go on from the same run.
    """
    runs = [run for arm in setting.arms for run in (*arm.runs, *arm.diverged)]
    sources: dict[int, list[str]] = {}
    for source, run in sorted(((_source(run), run) for run in runs), key=itemgetter(0)):
        known = sources.setdefault(run.seed, [])
        if source not in known:
            known.append(source)
    beyond = max((abs(seed) for seed in sources), default=0) + 1

    def pair(run: Record) -> int:
        return run.seed + 2 * beyond * sources[run.seed].index(_source(run))

    return pair


def _source(run: Record) -> str:
    """Return what stands for the run that a run goes on from; empty where it goes on from none."""
    return content_of(run).source or ""


def _outcomes(setting: Setting) -> dict[str, NDArray[np.bool_]]:
    """Return which test images each run classified correctly, by signature.

    A run whose outcomes are not those that its record tells of has none here. Where the runs have test sets of several
    sizes there are none at all.
    """
    found = {}
    for run in setting.runs:
        correct, accuracy = correct_of(run), run.value("test/accuracy")
        size = run.value("test/samples")
        if correct is None or accuracy is None or len(correct) == 0 or size not in (None, len(correct)):
            continue
        if abs(float(correct.mean()) - accuracy) < ROUNDING:
            found[run.signature] = correct
    return found if len({len(one) for one in found.values()}) == 1 else {}
