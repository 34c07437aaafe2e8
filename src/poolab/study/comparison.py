"""A study's arms beside a baseline: paired differences over seeds with their intervals, from the records."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from poolab.errors import ConfigError, nearest
from poolab.records import HEADLINES, signature
from poolab.records.contents import content_of
from poolab.records.identity import flatten
from poolab.study.arms import label_arms
from poolab.study.cells import Cell, assignments, grid_cells
from poolab.study.composition import Composer
from poolab.study.draws import drawn_cells
from poolab.study.found import Found
from poolab.study.known import Known
from poolab.study.sweep_file import Study

CONFIDENCE = 0.95


@dataclass
class Arm:
    """One arm in one place (data set and backbone): what its runs gave, and how it differs from the baseline.

    `difference` is the mean over the seeds that both have, `interval` its 95 % interval (t; None below two pairs).
    """

    place: str
    arm: str
    score: str
    scores: dict[int, float] = field(default_factory=dict)
    metrics: list[Mapping[str, float]] = field(default_factory=list)
    missing: int = 0
    failed: int = 0
    stopped: int = 0
    baseline: str | None = None
    pairs: int = 0
    difference: float | None = None
    interval: tuple[float, float] | None = None
    setting: dict[str, Any] = field(default_factory=dict, repr=False)
    sources: dict[int, str | None] = field(default_factory=dict, repr=False)  # what each seed's run went on from

    @property
    def mean(self) -> float | None:
        """The mean score over its seeds."""
        return statistics.mean(self.scores.values()) if self.scores else None

    def median(self, name: str) -> float | None:
        """The median of a metric over its runs."""
        values = [metrics[name] for metrics in self.metrics if metrics.get(name) is not None]
        return statistics.median(values) if values else None

    @property
    def step_seconds(self) -> float | None:
        """The median time of a training step, of a whole batch, over its runs."""
        speed = self.median("speed/train_images_per_s")
        return float(self.setting["data"]["batch_size"] / speed) if speed else None


def compare(
    study: Study,
    records: Sequence[Mapping[str, Any]],
    extra: Sequence[str] = (),
    baseline: str | None = None,
    search: Known | None = None,
) -> list[Arm]:
    """The arms of a study, each with its paired difference to the baseline of its place.

    A cell's record is the one whose configuration is the cell's: neither the data nor torch is needed. Where records
    were made from data or weights of different content, each content is a place of its own.

    Args:
        baseline: an arm's name, or a pooling: then each arm is compared with the one of that pooling that is like it in
            all else. None takes max where there is one.
        search: what a search knows of its runs; without it, every record that it may have drawn is one of them.

    Raises:
        ConfigError: a cell that cannot be composed, no such baseline, or records of a cell that nothing tells apart.
    """
    arms = _arms(study, records, extra, search)
    for arm in arms:
        fellows = [other for other in arms if other.place == arm.place]
        against = _baseline(arm, fellows, baseline or "max", wanted=baseline is not None)
        if against is not None and against is not arm:
            _compare(arm, against)
    return arms


def _arms(study: Study, records: Sequence[Mapping[str, Any]], extra: Sequence[str], search: Known | None) -> list[Arm]:
    if not study.trains:
        raise ConfigError(f"{study.path}: {study.program} leaves no records of poolab's, only train.py does")
    composer = Composer()
    configs = [composer(cell) for cell in _cells(study, records, extra, search)]
    labels = label_arms(study, configs, extra)
    found = Found(records, weights_vary=_varies_weights(study, extra))
    arms: dict[tuple[str, str], Arm] = {}
    seen = set()
    for config, label in zip(configs, labels, strict=True):
        for place, record in found.of(config, configs):
            if (place, label, config["seed"]) in seen:  # the same cell on data in another folder
                continue
            seen.add((place, label, config["seed"]))
            score = f"test/{HEADLINES[config['task']]}"
            arm = arms.setdefault((place, label), Arm(place, label, score, setting=config))
            if study.method != "grid" and record is not None and record["status"] == "interrupted":
                # Of a file of records nobody knows why; a search stops its runs early.
                if search is None or record["signature"] in search.stopped:
                    arm.stopped += 1
                    continue
                record = None  # it goes on
            _take(arm, int(config["seed"]), record)
    return list(arms.values())


def _varies_weights(study: Study, extra: Sequence[str]) -> bool:
    """Return whether the study's arms differ in their weights, so that these do not keep runs from being compared."""
    replaced = {key for key, _ in assignments(extra)}
    swept = {p.name for p in study.parameters if p.name not in replaced and len(p.values) != 1}
    return bool(swept & {"backbone.weights", "backbone.pretrained"})


def _cells(
    study: Study, records: Sequence[Mapping[str, Any]], extra: Sequence[str], search: Known | None
) -> Sequence[Cell]:
    if study.method == "grid":
        return grid_cells(study, extra)
    return drawn_cells(study, extra, records) if search is None else search.cells


def _take(arm: Arm, seed: int, record: Mapping[str, Any] | None) -> None:
    if record is None:
        arm.missing += 1
    elif record["status"] != "completed" or record["metrics"].get(arm.score) is None:  # null: it was no finite number
        arm.failed += 1
    else:
        arm.scores[seed] = record["metrics"][arm.score]
        arm.sources[seed] = content_of(record).source
        arm.metrics.append(record["metrics"])


def _baseline(arm: Arm, fellows: Sequence[Arm], name: str, wanted: bool) -> Arm | None:
    """The arm of that name, or of those with that pooling the one that shares most settings with this arm."""
    named = [one for one in fellows if one.arm == name]
    if named:
        return named[0]
    of_pooling = [one for one in fellows if one.setting["pooling"]["name"] == name]
    if not of_pooling:
        if wanted:
            known = list(dict.fromkeys(one.arm for one in fellows))
            what = f"{nearest(name, known)}its arms are {'; '.join(known)}"
            raise ConfigError(f"--baseline {name}: {arm.place} has no such arm; {what}")
        return None
    alike = [(_shared(arm, one), one) for one in of_pooling]
    best = max(count for count, _ in alike)
    nearest_arms = [one for count, one in alike if count == best]
    if len(nearest_arms) > 1:
        if not wanted:
            return None
        names = "; ".join(one.arm for one in nearest_arms)
        raise ConfigError(f"--baseline {name}: {arm.place} has several arms of it: name one of {names}")
    return nearest_arms[0]


def _shared(one: Arm, other: Arm) -> int:
    """How many settings two arms share, of their poolings those that both have."""
    first, second = flatten(one.setting), flatten(other.setting)
    return sum(first[key] == second[key] for key in first.keys() & second.keys())


def _compare(arm: Arm, against: Arm) -> None:
    both = sorted(arm.scores.keys() & against.scores.keys())
    shared = [seed for seed in both if arm.sources[seed] == against.sources[seed]]
    differences = [arm.scores[seed] - against.scores[seed] for seed in shared]
    arm.baseline, arm.pairs = against.arm, len(differences)
    if differences:
        arm.difference = statistics.mean(differences)
    if len(differences) > 1:
        arm.interval = paired_interval(differences)


def paired_interval(differences: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of paired differences, by Student's t.

    >>> [round(end, 4) for end in paired_interval([0.01, 0.02, 0.03])]
    [-0.0048, 0.0448]
    """
    from scipy.stats import t

    mean = statistics.mean(differences)
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)) * error
    return mean - reach, mean + reach


def records_of(
    study: Study, records: Sequence[Mapping[str, Any]], extra: Sequence[str] = (), search: Known | None = None
) -> list[Mapping[str, Any]]:
    """The records of a study's cells."""
    composer = Composer()
    wanted = {signature(composer(cell), "") for cell in _cells(study, records, extra, search)}
    return [record for record in records if signature(record["config"], "") in wanted]
