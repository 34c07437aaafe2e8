"""Sorts runs into settings (data set, network, training) and arms (what is compared); what is left out is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from poolab.records.identity import NOT_IDENTITY, below, flatten
from poolab.report.labels import arm_labels, setting_labels
from poolab.report.runs import Doubled, Run, without_doubles

# Arms differ by these; whatever else differs makes another setting, in which arms are compared among themselves.
ARM = ("pooling", "head", "backbone.match", "backbone.match_to")
# The seed pairs the arms, and what is measured beside the test changes no result.
NEITHER = (*NOT_IDENTITY, "seed", "measure", "backbone.weights")
# Data set and network stand for a setting's name; where arms differ by nothing else these are still no arms.
PLACE = ("data.name", "backbone.name", "task")

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LeftOut:
    """A run that takes no part in the comparison, and why."""

    run: Run
    arm: str
    setting: str
    reason: str


@dataclass(frozen=True)
class Arm:
    """The runs of one arm in one setting. `runs` are completed, one for each seed, sorted by seed."""

    label: str
    runs: tuple[Run, ...] = ()
    diverged: tuple[Run, ...] = ()
    failed: tuple[Run, ...] = ()
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
    def runs(self) -> list[Run]:
        """All completed and diverged runs."""
        return [run for arm in self.arms for run in (*arm.runs, *arm.diverged)]


@dataclass(frozen=True)
class Evidence:
    """Everything that a report knows: settings with their arms, and what was left out."""

    settings: tuple[Setting, ...]
    left_out: tuple[LeftOut, ...] = ()
    doubled: tuple[Doubled, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def runs(self) -> list[Run]:
        """All completed and diverged runs."""
        return [run for setting in self.settings for run in setting.runs]

    @property
    def arms(self) -> list[str]:
        """The labels of all arms, each once, in the order of the settings."""
        return list(dict.fromkeys(arm.label for setting in self.settings for arm in setting.arms))


def gather(runs: Iterable[Run], *, expected: Sequence[Mapping[str, Any]] = (), faults: Sequence[str] = ()) -> Evidence:
    """Sort runs into settings and arms.

    Args:
        runs: from any number of folders and files.
        expected: the configurations of a study's cells; those without a record are missing. Without them a seed is
            missing in an arm if another arm of its setting has it.
        faults: sentences on records that could not be read.
    """
    kept, doubled = without_doubles(runs)
    planned = [flatten(config) for config in expected]
    keys = _arm_keys([run.settings for run in kept] + planned)
    tables = _tables(kept, keys)
    wanted = _wanted(planned, keys, tables)
    arm_of = dict(zip(*_labels({arm for arms in (*tables.values(), *wanted.values()) for arm in arms}), strict=True))
    places = sorted({*tables, *wanted}, key=lambda place: _first_started(tables.get(place, {})))
    setting_of = dict(zip(places, setting_labels([dict(place) for place in places]), strict=True))
    settings, left_out = [], []
    for place in places:
        setting, out = _setting(setting_of[place], place, tables.get(place, {}), wanted.get(place), arm_of)
        settings.append(setting)
        left_out += out
    return Evidence(tuple(settings), tuple(left_out), tuple(doubled), tuple(faults))


def _arm_keys(everyone: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The keys that arms differ by: those of poolings and heads, or, where no two differ there, all that vary."""
    if len({_part(one, ARM) for one in everyone}) > 1:
        return ARM
    names = {key for one in everyone for key in one}
    varying = {key for key in names if len({str(one.get(key)) for one in everyone}) > 1}
    own = tuple(sorted(key for key in varying if not below(key, (*NEITHER, *PLACE))))
    return (*ARM, *own)


def _part(settings: Mapping[str, Any], keys: Sequence[str]) -> Key:
    return tuple(
        sorted((key, str(value)) for key, value in settings.items() if below(key, keys) and key not in NEITHER)
    )


def _place(settings: Mapping[str, Any], keys: Sequence[str], content: Iterable[tuple[str, str]]) -> Key:
    rest = [(k, str(v)) for k, v in settings.items() if not below(k, (*keys, *NEITHER))]
    return tuple(sorted([*rest, *content]))


Tables = dict[Key, dict[Key, list[Run]]]


def _tables(runs: Iterable[Run], keys: Sequence[str]) -> Tables:
    """The runs of each arm of each setting."""
    tables: Tables = defaultdict(lambda: defaultdict(list))
    for run in runs:
        tables[_place(run.settings, keys, run.content)][_part(run.settings, keys)].append(run)
    return tables


def _wanted(
    planned: Sequence[Mapping[str, Any]], keys: Sequence[str], tables: Tables
) -> dict[Key, dict[Key, set[int]]]:
    """The seeds that a study plans for each arm of each setting.

    A plan does not know the content of files. It stands for the one setting that is like it in all else, or for the
    first of several.
    """
    without: dict[Key, Key] = {}
    for place in sorted(tables, key=lambda place: _first_started(tables[place])):
        without.setdefault(tuple(pair for pair in place if pair[0] not in _CONTENT), place)
    wanted: dict[Key, dict[Key, set[int]]] = defaultdict(lambda: defaultdict(set))
    for settings in planned:
        bare = _place(settings, keys, ())
        wanted[without.get(bare, bare)][_part(settings, keys)].add(int(settings["seed"]))
    return wanted


_CONTENT = ("data_fingerprint", "weights_sha256", "source_sha256")


def _labels(arms: set[Key]) -> tuple[list[Key], list[str]]:
    ordered = sorted(arms)
    return ordered, arm_labels([dict(arm) for arm in ordered])


def _first_started(arms: Mapping[Key, Sequence[Run]]) -> str:
    return min((run.started for runs in arms.values() for run in runs), default="~")


def _setting(
    label: str,
    place: Key,
    table: Mapping[Key, Sequence[Run]],
    wanted: Mapping[Key, set[int]] | None,
    labels: Mapping[Key, str],
) -> tuple[Setting, list[LeftOut]]:
    arms, left_out = [], []
    everywhere = {run.seed for runs in table.values() for run in runs if run.status in ("completed", "diverged")}
    for key in dict.fromkeys((*table, *(wanted or ()))):
        seeds = everywhere if wanted is None else wanted.get(key, set())
        arm, out = _arm(labels[key], key, table.get(key, ()), seeds)
        arms.append(arm)
        left_out += [replace(one, setting=label) for one in out]
    return Setting(label, dict(place), tuple(arms)), left_out


def _arm(label: str, key: Key, runs: Sequence[Run], seeds: set[int]) -> tuple[Arm, list[LeftOut]]:
    by_seed: dict[int, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda one: (not one.completed, one.started)):
        by_seed[run.seed].append(run)
    chosen = {seed: found[0] for seed, found in sorted(by_seed.items())}
    left_out = [
        LeftOut(run, label, "", f"another run of this arm and seed is taken: {found[0].signature}")
        for found in by_seed.values()
        for run in found[1:]
    ]
    unfinished = [run for run in chosen.values() if run.status not in ("completed", "diverged")]
    left_out += [
        LeftOut(run, label, "", f"{run.status}: {run.reason}" if run.reason else run.status) for run in unfinished
    ]
    diverged = tuple(run for run in chosen.values() if run.status == "diverged")
    left_out += [LeftOut(run, label, "", f"diverged: {run.reason}") for run in diverged]
    arm = Arm(
        label=label,
        runs=tuple(run for run in chosen.values() if run.completed),
        diverged=diverged,
        failed=tuple(unfinished),
        missing=tuple(sorted(seeds - chosen.keys())),
        settings=dict(key),
    )
    return arm, left_out
