"""The configurations of many cells, composed by Hydra once for each choice and not once for each cell.

Hydra takes 0.1 s for a configuration, 2,000 cells would take minutes; they take 3 s here. A choice of a group
(pooling=avg_topk) changes that group alone, unless it says otherwise as task and recipe do; so each is composed
once, and the settings below it are set.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from poolab.configuration import compose, config_dir, with_expanded_paths
from poolab.errors import ConfigError
from poolab.hydra_words import with_quoted_path
from poolab.own_code import with_code
from poolab.per_slot import for_hydra, resolved
from poolab.study.sweep.cells import Cell, assignments

Choices = tuple[str, ...]  # group=choice, as typed
AT = "pooling.at."  # below it no setting is known beforehand: it has the slots of every network


class Composer:
    """Composes resolved configurations of cells, equal to those of `compose` for their overrides.

    >>> composer = Composer()
    >>> composer(Cell({"pooling": "avg_topk", "pooling.k": 3})) == compose(["pooling=avg_topk", "pooling.k=3"])
    True
    """

    # All composers share it: conf/ does not change under a process.
    _composed: ClassVar[dict[tuple[str, ...], dict[str, Any] | ConfigError]] = {}

    def __init__(self) -> None:
        self._groups = frozenset(path.name for path in config_dir().iterdir() if path.is_dir())
        self._value: Callable[[str], Any] = cache(value_of)

    def __call__(self, cell: Cell) -> dict[str, Any]:
        """Return the configuration of a cell.

        Raises:
            ConfigError: every override that does not fit the tree.
        """
        pairs = assignments(cell.overrides)
        chosen = {key: f"{key}={words}" for key, words in pairs if key in self._groups}
        config = self._chosen(chosen)
        at = self._at(pairs)
        if at is None:
            return copy.deepcopy(self._compose(cell.overrides))
        for key, words in pairs:
            if key in chosen or key.startswith(AT):
                continue
            node = _node(config, key)
            if node is None or isinstance(node[0].get(node[1]), Mapping):
                # No such setting, or one that is merged: Hydra knows.
                return copy.deepcopy(self._compose(cell.overrides))
            node[0][node[1]] = copy.deepcopy(self._value(f"{key}={words}"))
        if at:
            config["pooling"]["at"] = resolved(at, config_dir() / "pooling")
        return with_code(with_expanded_paths(config))

    def _at(self, pairs: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
        """Return the settings below `pooling.at`, or None if one would replace another, which only Hydra resolves."""
        at: dict[str, Any] = {}
        for override in for_hydra([f"{key}={words}" for key, words in pairs if key.startswith(AT)]):
            *path, last = override.partition("=")[0].removeprefix(f"++{AT}").split(".")
            node = at
            for part in path:
                node = node.setdefault(part, {})
                if not isinstance(node, dict):
                    return None
            if last in node:
                return None
            node[last] = copy.deepcopy(self._value(override))
        return at

    def _chosen(self, chosen: Mapping[str, str]) -> dict[str, Any]:
        """Return the configuration of these choices; each group was composed without the others."""
        wide = tuple(choice for group, choice in chosen.items() if not self._confined(group, choice))
        config = dict(self._compose(wide))
        for group, choice in chosen.items():
            if choice not in wide and choice != "recipe=null":  # which is what a configuration has without one
                found = self._compose((*wide, choice))
                if group not in found:
                    raise ConfigError(f"{choice}: a run has one choice of {group}, and no list of them")
                config[group] = found[group]
        return copy.deepcopy(config)

    def _confined(self, group: str, choice: str) -> bool:
        """Return True if a choice changes its own group and nothing else."""
        plain, found = self._compose(()), self._compose((choice,))
        return all(found.get(key) == plain.get(key) for key in plain.keys() | found.keys() if key != group)

    def _compose(self, overrides: Sequence[str]) -> dict[str, Any]:
        key = tuple(overrides)
        if key not in self._composed:
            try:
                self._composed[key] = compose(key)
            except ConfigError as error:
                self._composed[key] = error
        found = self._composed[key]
        if isinstance(found, ConfigError):
            raise found
        return found


def _node(config: dict[str, Any], key: str) -> tuple[dict[str, Any], str] | None:
    """Return the mapping that a dotted key lies in and the key's last part, or None if there is no such setting."""
    *path, last = key.split(".")
    for part in path:
        below = config.get(part)
        if not isinstance(below, dict):
            return None
        config = below
    return (config, last) if last in config else None


def value_of(override: str) -> Any:
    """Return the value that Hydra reads in a `key=value`."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    override = with_quoted_path(override)
    try:
        parsed = OverridesParser.create().parse_override(override)
    except (HydraException, RecursionError) as error:
        raise ConfigError(f"{override}: {error}" if override not in str(error) else str(error)) from error
    if parsed.is_sweep_override():
        raise ConfigError(f"{override}: one value for every cell; several are the study file's to list")
    return parsed.value()
