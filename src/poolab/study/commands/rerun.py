"""The command that repeats a run, from the configuration in its record."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from poolab.configuration import compose, config_dir
from poolab.errors import PoolabError
from poolab.records import below, flatten
from poolab.study.sweep.cells import in_words

GROUPS = ("pooling", "head", "backbone", "data", "optim", "trainer", "measure", "tracker")
# Where things lay on another machine says nothing here.
PLACES = ("runs_dir", "force", "data.root", "data.cache_dir", "tracker")
NAMES = {"wandb": "wandb_offline"}


def command_of(config: Mapping[str, Any]) -> str:
    """Return `python train.py ...` with the choices of every group and what differs from their defaults.

    >>> command_of(compose(["pooling=avg_topk", "pooling.k=3", "seed=2"]))
    'python train.py pooling=avg_topk seed=2 pooling.k=3'
    """
    chosen = [f"{group}={choice}" for group in GROUPS if (choice := _choice(config, group))]
    recipe = config.get("recipe")
    if isinstance(recipe, Mapping) and recipe.get("name"):
        chosen.append(f"recipe={recipe['name']}")
    if config.get("task", "classification") != "classification":
        chosen.insert(0, f"task={config['task']}")
    start = _composed(())
    words = [word for word in chosen if not _is_default(word, start)]
    base = _base(tuple(words))
    own = flatten(config)
    for key, value in own.items():
        if below(key, PLACES) or key.endswith(".name") or key == "task" or below(key, ["pooling.at"]):
            continue
        if key not in base or base[key] != value:
            words.append(f"{key}={in_words(value)}")
    words += [f"pooling.at.{slot}={in_words(one)}" for slot, one in (config["pooling"].get("at") or {}).items()]
    return shlex.join(["python", "train.py", *words])


def _choice(config: Mapping[str, Any], group: str) -> str | None:
    node = config.get(group)
    name = node.get("name") if isinstance(node, Mapping) else None
    if group in ("trainer", "tracker") or name is None:
        return None
    return NAMES.get(str(name), str(name))


def _is_default(word: str, start: Mapping[str, Any]) -> bool:
    group, _, name = word.partition("=")
    node = start.get(group)
    return isinstance(node, Mapping) and node.get("name") == name


def _base(words: Sequence[str]) -> Mapping[str, Any]:
    """Return the configuration of these arguments alone, with dotted keys; empty if one is of another version.

    A choice of one group changes nothing of another, so that each choice is composed once, whatever stands beside it.
    Tasks and recipes are not of this kind.
    """
    if any(word.startswith(("task=", "recipe=")) for word in words):
        return _flat(tuple(words)) or {}
    base = dict(_flat(()) or {})
    for word in words:
        own = _flat((word,))
        if own is None:
            return {}
        group = word.partition("=")[0]
        base = {key: value for key, value in base.items() if not below(key, [group])}
        base |= {key: value for key, value in own.items() if below(key, [group])}
    return base


@lru_cache(maxsize=1024)
def _flat(words: tuple[str, ...]) -> Mapping[str, Any] | None:
    for group, _, choice in (word.partition("=") for word in words):
        if group in GROUPS and not (config_dir() / group / f"{choice}.yaml").is_file():
            return None
    try:
        return flatten(_composed(words))
    except PoolabError:
        return None


@lru_cache(maxsize=256)
def _composed(words: tuple[str, ...]) -> dict[str, Any]:
    return compose(words)
