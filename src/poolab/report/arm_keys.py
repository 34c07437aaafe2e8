"""Tells which settings of a run make its arm, and which the setting in which arms are compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from poolab.records import NOT_IDENTITY, Record, below, content_of, value_words
from poolab.report.labels import CONTENT

# Arms differ by these; whatever else differs makes another setting, in which arms are compared among themselves.
ARM = ("pooling", "head", "backbone.match", "backbone.match_to")

# The seed pairs the arms, and what is measured beside the test changes no result.
NEITHER = (*NOT_IDENTITY, "seed", "measure", "backbone.weights")

# Data set and network stand for a setting's name; where arms differ by nothing else these are still no arms.
PLACE = ("data.name", "backbone.name", "task", "data_fingerprint")

CHECKPOINT, SOURCE = "recipe.checkpoint", "source_sha256"

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Keys:
    """Holds what makes an arm: settings with these names or below them, but for the factors, which make settings.

    The settings that were tuned for each arm make neither.
    """

    arm: tuple[str, ...]
    factors: tuple[str, ...] = ()
    tuned: tuple[str, ...] = ()


def content_facts(run: Record) -> dict[str, str]:
    """Return what stands for the content of the files that a run read, and for the run that it goes on from."""
    data, weights, source = content_of(run)
    facts = {name: value for name, value in zip(CONTENT, (data, weights), strict=True) if value}
    return {**facts, SOURCE: source or ""}


def arm_keys(everyone: Sequence[Mapping[str, Any]], searched: bool, tuned: Sequence[str] = ()) -> Keys:
    """Return the keys that arms differ by: those of poolings and heads, or all that vary where no two differ there."""
    if not tuned:
        return _untuned_keys(everyone, searched)
    kept = [{key: value for key, value in one.items() if not below(key, tuple(tuned))} for one in everyone]
    return replace(_untuned_keys(kept, searched), tuned=tuple(tuned))


def _untuned_keys(everyone: Sequence[Mapping[str, Any]], searched: bool) -> Keys:
    arms = (split(one, Keys(ARM))[1] for one in everyone)
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
        sources[(*split(one, Keys(keys)), str(one.get("seed")))].add(str(one[SOURCE]))
    return (CHECKPOINT,) if any(len(found) > 1 for found in sources.values()) else ()


def split(settings: Mapping[str, Any], keys: Keys) -> tuple[Key, Key]:
    """Return the setting and the arm of a run, as sorted pairs of keys and words."""
    parts: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    sides = _sides(keys)
    for key, value in settings.items():
        side = sides[key]
        if side is not None:
            parts[side].append((key, _words(key, value)))
    return tuple(sorted(parts[0])), tuple(sorted(parts[1]))


def _words(key: str, value: Any) -> str:
    if key == CHECKPOINT:
        return PurePath(str(value)).name
    return str(value) if key in CONTENT else value_words(value)


class _Sides(dict[str, int | None]):
    """The side of each key, found out once: ten thousand records have the same few keys."""

    def __init__(self, keys: Keys) -> None:
        super().__init__()
        self.keys_of_arms = keys

    def __missing__(self, key: str) -> int | None:
        side = self[key] = _side(key, self.keys_of_arms)
        return side


@lru_cache(maxsize=64)
def _sides(keys: Keys) -> _Sides:
    return _Sides(keys)


def _side(key: str, keys: Keys) -> int | None:
    """Return 0 for a key of the setting, 1 for one of the arm, None for one that changes no result or was tuned."""
    if below(key, keys.tuned):
        return None
    if key in keys.arm or (below(key, keys.arm) and key not in keys.factors and not below(key, NEITHER)):
        return 1
    return None if below(key, (*NEITHER, SOURCE)) else 0
