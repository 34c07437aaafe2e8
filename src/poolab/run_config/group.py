"""Reads groups of settings from plain dictionaries, and gives them back as such."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Self, TypeVar

from poolab.errors import ConfigError, nearest

Size = int | tuple[int, ...]


class Group:
    """A group of settings whose fields are those of its dataclass."""

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read a group from plain dictionaries.

        Raises:
            ConfigError: a setting is missing or not known.
        """
        known = {one.name: one for one in fields(cls)}  # type: ignore[arg-type]
        given = {key: frozen(value) for key, value in tree.items()}
        missing = [name for name, one in known.items() if name not in given and one.default is MISSING]
        unknown = [key for key in given if key not in known]
        if missing or unknown:
            lacks = [f"{name} is missing" for name in missing]
            lacks += [f"there is no setting {key}; {nearest(str(key), list(known))}" for key in unknown]
            raise ConfigError(f"{cls.__name__}: {', '.join(lacks)}")
        return cls(**given)

    def tree(self) -> dict[str, Any]:
        """Return the group as plain dictionaries and lists."""
        return {one.name: thawed(getattr(self, one.name)) for one in fields(self)}  # type: ignore[arg-type]


G = TypeVar("G", bound=Group)


def by_name(kinds: Mapping[str, type[G]], tree: Mapping[str, Any]) -> G:
    """Read a group whose class goes by its name.

    Raises:
        ConfigError: there is no such name, or a setting is missing or not known.
    """
    name = tree["name"]
    if name not in kinds:
        raise ConfigError(f"{name} is not known: {nearest(str(name), list(kinds))}choose from {', '.join(kinds)}")
    return kinds[name].from_tree(tree)


def frozen(value: Any) -> Any:
    """Return a value with tuples for its lists."""
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


def thawed(value: Any) -> Any:
    """Return a value with lists for its tuples."""
    if isinstance(value, Mapping):
        return {key: thawed(one) for key, one in value.items()}
    return list(map(thawed, value)) if isinstance(value, list | tuple) else value
