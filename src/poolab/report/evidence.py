"""Sorts runs into settings (data set, network, training) and arms (what is compared); what is left out is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from poolab.records import NOT_IDENTITY, Record, arm_labels, below, content_of, flatten, value_words
from poolab.report.doubles import Doubled, without_doubles
from poolab.report.labels import CONTENT, setting_labels
from poolab.report.looks import Look

# Arms differ by these; whatever else differs makes another setting, in which arms are compared among themselves.
ARM = ("pooling", "head", "backbone.match", "backbone.match_to")
# The seed pairs the arms, and what is measured beside the test changes no result.
NEITHER = (*NOT_IDENTITY, "seed", "measure", "backbone.weights")
# Data set and network stand for a setting's name; where arms differ by nothing else these are still no arms.
PLACE = ("data.name", "backbone.name", "task", "data_fingerprint")

CHECKPOINT, SOURCE = "recipe.checkpoint", "source_sha256"

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LeftOut:
    """A run that takes no part in the comparison, and why."""

    run: Record
    arm: str
    setting: str
    reason: str


@dataclass(frozen=True)
class Arm:
    """The runs of one arm in one setting, one for each seed, sorted by seed.

    `runs` are completed, `stopped` were interrupted or stopped by a search, `missing` are seeds without a run.
    """

    label: str
    runs: tuple[Record, ...] = ()
    diverged: tuple[Record, ...] = ()
    failed: tuple[Record, ...] = ()
    stopped: tuple[Record, ...] = ()
    missing: tuple[int, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def scores(self, metric: str) -> dict[int, float]:
        """Return a metric of the completed runs by seed; runs in which it is no number are absent."""
        values = {run.seed: run.value(metric) for run in self.runs}
        return {seed: value for seed, value in values.items() if value is not None}

    def values(self, metric: str) -> list[float]:
        """Return a metric of the completed runs, in the order of the seeds."""
        return list(self.scores(metric).values())


@dataclass(frozen=True)
class Setting:
    """One data set, network and way of training, with the arms that were run in it."""

    label: str
    facts: Mapping[str, Any]
    arms: tuple[Arm, ...]

    @property
    def runs(self) -> list[Record]:
        """All completed and diverged runs."""
        return [run for arm in self.arms for run in (*arm.runs, *arm.diverged)]


@dataclass(frozen=True)
class Evidence:
    """Everything that a report knows: settings with their arms, and what was left out.

    Args:
        planned: how many seeds the study file names; None without one, or for a search.
        looked: the earlier looks at these arms, by the study's journal; None where there is no journal.
    """

    settings: tuple[Setting, ...]
    left_out: tuple[LeftOut, ...] = ()
    doubled: tuple[Doubled, ...] = ()
    faults: tuple[str, ...] = ()
    searched: bool = False
    planned: int | None = None
    looked: tuple[Look, ...] | None = None

    @property
    def runs(self) -> list[Record]:
        """All completed and diverged runs."""
        return [run for setting in self.settings for run in setting.runs]

    @property
    def arms(self) -> list[str]:
        """The labels of all arms, each once, in the order of the settings."""
        return list(dict.fromkeys(arm.label for setting in self.settings for arm in setting.arms))


def gather(
    runs: Iterable[Record],
    *,
    expected: Sequence[Mapping[str, Any]] = (),
    faults: Sequence[str] = (),
    searched: bool = False,
) -> Evidence:
    """Sort runs into settings and arms.

    Args:
        runs: from any number of folders and files.
        expected: the configurations of a study's cells; those without a record are missing. Without them a seed is
            missing in an arm if another arm of its setting has it.
        faults: sentences on records that could not be read.
        searched: the runs were drawn by a search. Each has settings of its own, so that whatever differs makes an arm.
    """
    kept, doubled = without_doubles(runs)
    planned = [flatten(config) for config in expected]
    known = [{**run.settings, **_content(run)} for run in kept]
    keys = _arm_keys([*known, *planned], searched)
    tables = _tables(kept, known, keys)
    wanted = _wanted(planned, keys, tables)
    arms = sorted(
        {arm for found in tables.values() for arm in found} | {arm for found in wanted.values() for arm in found}
    )
    arm_of = dict(zip(arms, arm_labels([dict(arm) for arm in arms]), strict=True))
    places = sorted({*tables, *wanted}, key=lambda place: (_first_started(tables.get(place, {})), place))
    setting_of = dict(zip(places, setting_labels([dict(place) for place in places]), strict=True))
    settings, left_out = [], []
    for place in places:
        setting, out = _setting(setting_of[place], place, tables.get(place, {}), wanted.get(place), arm_of)
        settings.append(setting)
        left_out += out
    seeds = len({config["seed"] for config in planned}) or None
    return Evidence(tuple(settings), tuple(left_out), tuple(doubled), tuple(faults), searched, seeds)


def _content(run: Record) -> dict[str, str]:
    """Return what stands for the content of the files that a run read, and for the run that it goes on from."""
    data, weights, source = content_of(run)
    facts = {name: value for name, value in zip(CONTENT, (data, weights), strict=True) if value}
    return {**facts, SOURCE: source or ""}


@dataclass(frozen=True)
class Keys:
    """What makes an arm: settings with these names or below them, but for the factors, which make settings."""

    arm: tuple[str, ...]
    factors: tuple[str, ...] = ()


def _arm_keys(everyone: Sequence[Mapping[str, Any]], searched: bool) -> Keys:
    """Return the keys that arms differ by: those of poolings and heads, or all that vary where no two differ there."""
    arms = (_split(one, Keys(ARM))[1] for one in everyone)
    first = next(arms, None)
    if not searched and any(arm != first for arm in arms):
        return Keys((*ARM, *_checkpoint(everyone, ARM)), _factors(everyone))
    names = {key for one in everyone for key in one}
    varying = {key for key in names if len({value_words(one[key]) if key in one else None for one in everyone}) > 1}
    own = tuple(sorted(key for key in varying if not below(key, (*NEITHER, *PLACE, SOURCE))))
    keys = (*ARM, *own)
    return Keys((*keys, *_checkpoint(everyone, keys)))


def _factors(everyone: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the options that every pooling has with the same several values, e.g. slots: each is a setting.

    So each pooling is compared with the baseline at the same value.
    """
    values: dict[str, dict[str, set[str]]] = {}
    poolings = {str(one.get("pooling.name")) for one in everyone}
    for one in everyone:
        for key, value in one.items():
            if key.startswith("pooling.") and key != "pooling.name":
                values.setdefault(key, {}).setdefault(str(one.get("pooling.name")), set()).add(value_words(value))
    return tuple(
        sorted(
            key
            for key, found in values.items()
            if len(poolings) > 1
            and found.keys() == poolings
            and len({frozenset(some) for some in found.values()}) == 1
            and len(next(iter(found.values()))) > 1
        )
    )


def _checkpoint(everyone: Sequence[Mapping[str, Any]], keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the checkpoint that runs go on from, where one arm has several of them with the same seed."""
    sources: dict[tuple[Key, Key, str], set[str]] = defaultdict(set)
    for one in (one for one in everyone if one.get(SOURCE)):
        sources[(*_split(one, Keys(keys)), str(one.get("seed")))].add(str(one[SOURCE]))
    return (CHECKPOINT,) if any(len(found) > 1 for found in sources.values()) else ()


def _split(settings: Mapping[str, Any], keys: Keys) -> tuple[Key, Key]:
    """Return the setting and the arm of a run, as sorted pairs of keys and words."""
    parts: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    for key, value in settings.items():
        side = _side(key, keys)
        if side is not None:
            parts[side].append((key, _words(key, value)))
    return tuple(sorted(parts[0])), tuple(sorted(parts[1]))


def _words(key: str, value: Any) -> str:
    if key == CHECKPOINT:
        return PurePath(str(value)).name
    return str(value) if key in CONTENT else value_words(value)


@lru_cache(maxsize=4096)
def _side(key: str, keys: Keys) -> int | None:
    """Return 0 for a key of the setting, 1 for one of the arm, None for one that changes no result."""
    if key in keys.arm or (below(key, keys.arm) and key not in keys.factors and not below(key, NEITHER)):
        return 1
    return None if below(key, (*NEITHER, SOURCE)) else 0


Tables = dict[Key, dict[Key, list[Record]]]
Wanted = dict[Key, set[int]]


def _tables(runs: Sequence[Record], known: Sequence[Mapping[str, Any]], keys: Keys) -> Tables:
    """Sort the runs into the arms of each setting.

    A run that ended before it noted its data stands in the first setting that is like it in all else.
    """
    tables: Tables = defaultdict(lambda: defaultdict(list))
    early = []
    for run, settings in zip(runs, known, strict=True):
        place, arm = _split(settings, keys)
        if run.finished or any(_content(run).get(name) for name in CONTENT):
            tables[place][arm].append(run)
        else:
            early.append((place, arm, run))
    like = _without_content(tables)
    for place, arm, run in early:
        tables[like.get(place, place)][arm].append(run)
    return tables


def _without_content(tables: Tables) -> dict[Key, Key]:
    """Return the first setting for each one without the content of files."""
    found: dict[Key, Key] = {}
    for place in sorted(tables, key=lambda place: (_first_started(tables[place]), place)):
        found.setdefault(tuple(pair for pair in place if pair[0] not in CONTENT), place)
    return found


def _wanted(planned: Sequence[Mapping[str, Any]], keys: Keys, tables: Tables) -> dict[Key, Wanted]:
    """Return the seeds that a study plans for each arm of each setting.

    A plan does not know the content of files. It stands for the one setting that is like it in all else, or for the
    first of several. Arms that differ in the content of their weights are not expected, since no plan names them.
    """
    if set(keys.arm) & set(CONTENT):
        return {}
    like = _without_content(tables)
    wanted: dict[Key, Wanted] = defaultdict(lambda: defaultdict(set))
    for settings in planned:
        bare, arm = _split(settings, keys)
        wanted[like.get(bare, bare)][arm].add(int(settings["seed"]))
    return wanted


def _first_started(arms: Mapping[Key, Sequence[Record]]) -> str:
    return min((run.started for runs in arms.values() for run in runs), default="~")


def _setting(
    label: str,
    place: Key,
    table: Mapping[Key, Sequence[Record]],
    wanted: Mapping[Key, set[int]] | None,
    labels: Mapping[Key, str],
) -> tuple[Setting, list[LeftOut]]:
    arms, left_out = [], []
    everywhere = {run.seed for runs in table.values() for run in runs if run.finished}
    for key in dict.fromkeys((*table, *(wanted or ()))):
        seeds = everywhere if wanted is None else wanted.get(key, set())
        arm, out = _arm(labels[key], key, table.get(key, ()), seeds)
        arms.append(arm)
        left_out += [replace(one, setting=label) for one in out]
    return Setting(label, dict(place), tuple(arms)), left_out


def _arm(label: str, key: Key, runs: Sequence[Record], seeds: set[int]) -> tuple[Arm, list[LeftOut]]:
    by_seed: dict[int, list[Record]] = defaultdict(list)
    for run in sorted(runs, key=lambda one: (not one.completed, one.started)):
        by_seed[run.seed].append(run)
    chosen = {seed: found[0] for seed, found in sorted(by_seed.items())}
    left_out = [
        LeftOut(run, label, "", f"another run of this arm and seed is taken: {found[0].signature}")
        for found in by_seed.values()
        for run in found[1:]
    ]
    unfinished = [run for run in chosen.values() if not run.finished]
    failed = tuple(run for run in unfinished if run.status == "failed")
    left_out += [
        LeftOut(run, label, "", f"{run.status}: {run.reason}" if run.reason else run.status) for run in unfinished
    ]
    diverged = tuple(run for run in chosen.values() if run.status == "diverged")
    left_out += [LeftOut(run, label, "", f"diverged: {run.reason}") for run in diverged]
    arm = Arm(
        label=label,
        runs=tuple(run for run in chosen.values() if run.completed),
        diverged=diverged,
        failed=failed,
        stopped=tuple(run for run in unfinished if run not in failed),
        missing=tuple(sorted(seeds - chosen.keys())),
        settings=dict(key),
    )
    return arm, left_out
