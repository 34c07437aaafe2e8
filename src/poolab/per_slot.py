"""`pooling.at`: a pooling for each slot, as it is typed and as a run keeps it."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

OVERRIDE = re.compile(r"\+{0,2}(pooling\.at(?:\.[^=]+)?)=(.*)", re.DOTALL)


def for_hydra(overrides: Sequence[str]) -> list[str]:
    """Convert the command line overrides of `pooling.at` to Hydra's form; others stay as they are.

    No tree lists the slots of every network, and Hydra refuses a new key without a plus, which a sweep file cannot
    write. Where a slot has options too, the pooling is their `name`: as `pooling.at.pool1` and below it alone, one of
    the two would overwrite the other.

    >>> for_hydra(["pooling.at.pool1=avg_topk", "pooling.at.pool1.k=3", "pooling.at.pool2=avg", "seed=1"])
    ['++pooling.at.pool1.name=avg_topk', '++pooling.at.pool1.k=3', '++pooling.at.pool2=avg', 'seed=1']
    """
    found = [OVERRIDE.fullmatch(override) for override in overrides]
    keys = [match[1] for match in found if match]

    def translated(key: str, value: str) -> str:
        has_options = key != "pooling.at" and any(other.startswith(f"{key}.") for other in keys)
        return f"++{key}{'.name' if has_options and not value.startswith('{') else ''}={value}"

    return [translated(*match.groups()) if match else text for text, match in zip(overrides, found, strict=True)]


def by_slot(at: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the choice of each slot, by the slot's whole name; check nothing.

    Names with dots (of places in networks that poolab did not write) come from a command line as nested mappings. A
    mapping with a `name` is a pooling.

    >>> by_slot({"pool1": "avg", "layer1": {"0": {"pool": {"name": "lp", "p": 3}}}})
    {'pool1': 'avg', 'layer1.0.pool': {'name': 'lp', 'p': 3}}
    """
    found: dict[str, Any] = {}
    for slot, choice in at.items():
        if isinstance(choice, Mapping) and choice and "name" not in choice:
            found |= {f"{slot}.{rest}": one for rest, one in by_slot(choice).items()}
        else:
            found[str(slot)] = choice
    return found


def at_faults(at: Any, written: Callable[[Any], str] = repr) -> list[str]:
    """Return what is wrong with the form of `pooling.at`, a sentence for each slot; names and options come later.

    Args:
        written: returns a value as the user wrote it: in Python, or on the command line.

    >>> at_faults({"pool1": "avg", "pool2": {"name": "max", "slots": "all"}})
    ['pooling.at.pool2 is for that slot alone: it takes no slots.']
    """
    if not isinstance(at, Mapping):
        words = f"pooling.at={written(at)} has no slot: write pooling.at.pool1=avg, with the slot's name."
        return [] if at is None else [words]
    return [
        fault for slot, choice in by_slot(at).items() for fault in _slot_faults(f"pooling.at.{slot}", choice, written)
    ]


def _slot_faults(where: str, choice: Any, written: Callable[[Any], str]) -> list[str]:
    given = choice if isinstance(choice, Mapping) else {"name": choice}
    if not isinstance(given.get("name"), str):
        parent = where.rpartition(".")[0]
        if parent != "pooling.at":  # an option without its pooling, most probably
            return [f"{where}={written(choice)} has no pooling: add {parent}=NAME."]
        return [f"{where}={written(choice)} has no name of a pooling: write {where}=avg, and options as {where}.k=3."]
    strange = [key for key in ("slots", "at") if key in given]
    return [f"{where} is for that slot alone: it takes no {' and no '.join(strange)}."] if strange else []


def resolved(at: Any, choices: Path) -> Any:
    """Return `at` as a run keeps it: for each slot the name and all settings of its pooling, also of a preset.

    Args:
        choices: the folder of the poolings' files. A pooling without a file stays as it is; the network refuses it.
    """
    if not isinstance(at, Mapping):
        return {} if at is None else at
    return {slot: resolved_choice(choice, choices) for slot, choice in by_slot(at).items()}


def resolved_choice(choice: Any, choices: Path) -> Any:
    """Return one pooling; settings that are not given come from its file."""
    given = choice if isinstance(choice, Mapping) else {"name": choice}
    name = given.get("name")
    if not isinstance(name, str):
        return choice
    return {**copy.deepcopy(_settings(name, choices)), **{key: given[key] for key in given if key != "name"}}


@cache
def _settings(name: str, choices: Path) -> dict[str, Any]:
    """Return the settings in a pooling's file; a preset builds on another file."""
    from omegaconf import OmegaConf

    path = choices / f"{name}.yaml"
    if not re.fullmatch(r"\w+", name) or not path.is_file():
        return {"name": name}
    content = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(content, dict)
    settings: dict[str, Any] = {}
    for base in content.pop("defaults", []):
        settings |= {} if base == "_self_" else _settings(base, choices)
    return settings | {str(key): value for key, value in content.items()}


def pooling_words(pooling: Any) -> str:
    """Return the names of a configuration's poolings, in one line.

    Args:
        pooling: a `PoolingConfig`, or the mapping of it in a record.

    >>> pooling_words({"name": "max", "at": {"pool1": {"name": "avg_topk", "k": 3}}})
    'max pool1=avg_topk'
    """
    if not isinstance(pooling, Mapping):
        pooling = pooling.tree()
    at = by_slot(pooling.get("at") or {})
    names = [f"{slot}={one['name'] if isinstance(one, Mapping) else one}" for slot, one in at.items()]
    return " ".join([str(pooling["name"]), *names])
