"""Sorts runs into settings (data set, network, training) and arms (what is compared); what is left out is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from poolab.records import Record, arm_labels, flatten
from poolab.report.arm_keys import Key, Keys, arm_keys, content_facts, split
from poolab.report.doubles import without_doubles
from poolab.report.evidence import Arm, Evidence, LeftOut, Setting
from poolab.report.labels import CONTENT, setting_labels
from poolab.report.tuning import check_known, tuned_values

Tables = dict[Key, dict[Key, list[Record]]]

Wanted = dict[Key, set[int]]


def gather(
    runs: Iterable[Record],
    *,
    expected: Sequence[Mapping[str, Any]] = (),
    faults: Sequence[str] = (),
    searched: bool = False,
    tuned: Sequence[str] = (),
) -> Evidence:
    """Sort runs into settings and arms.

    Args:
        runs: from any number of folders and files.
        expected: the configurations of a study's cells; those without a record are missing. Without them a seed is
            missing in an arm if another arm of its setting has it.
        faults: sentences on records that could not be read.
        searched: the runs were drawn by a search. Each has settings of its own, so that whatever differs makes an arm.
        tuned: settings whose values were chosen for each arm, e.g. `optim.lr`; they make neither arms nor settings.

    Raises:
        ConfigError: no run has a tuned setting, or an arm has several values of it in one setting.
    """
    kept, doubled = without_doubles(runs)
    planned = [flatten(config) for config in expected]
    known = [{**run.settings, **content_facts(run)} for run in kept]
    check_known(tuned, [*known, *planned])
    keys = arm_keys([*known, *planned], searched, tuned)
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
        setting, out = _setting(setting_of[place], place, tables.get(place, {}), wanted.get(place), arm_of, tuned)
        settings.append(setting)
        left_out += out
    seeds = len({config["seed"] for config in planned}) or None
    return Evidence(
        tuple(settings), tuple(left_out), tuple(doubled), tuple(faults), searched, seeds, tuned=tuple(tuned)
    )


def _tables(runs: Sequence[Record], known: Sequence[Mapping[str, Any]], keys: Keys) -> Tables:
    """Sort the runs into the arms of each setting.

    A run that ended before it noted its data stands in the first setting that is like it in all else.
    """
    tables: Tables = defaultdict(lambda: defaultdict(list))
    early = []
    for run, settings in zip(runs, known, strict=True):
        place, arm = split(settings, keys)
        if run.finished or any(content_facts(run).get(name) for name in CONTENT):
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
        bare, arm = split(settings, keys)
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
    tuned: Sequence[str],
) -> tuple[Setting, list[LeftOut]]:
    arms, left_out = [], []
    everywhere = {run.seed for runs in table.values() for run in runs if run.finished}
    for key in dict.fromkeys((*table, *(wanted or ()))):
        seeds = everywhere if wanted is None else wanted.get(key, set())
        values = tuned_values(tuned, table.get(key, ()), f"{labels[key]} in {label}")
        arm, out = _arm(labels[key], {**dict(key), **values}, table.get(key, ()), seeds)
        arms.append(arm)
        left_out += [replace(one, setting=label) for one in out]
    return Setting(label, dict(place), tuple(arms)), left_out


def _arm(label: str, settings: Mapping[str, Any], runs: Sequence[Record], seeds: set[int]) -> tuple[Arm, list[LeftOut]]:
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
        settings=settings,
    )
    return arm, left_out
