"""Own code in a configuration: its settings, the hash that stands beside its name, and what was changed since."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from poolab.own_code.finding import ENTRY_POINTS, find_own, is_own

CODE = "code_sha256"  # the setting that holds the hash
GIVEN = {  # arguments of a constructor that poolab sets, and that are no settings of the choice
    "pooling": (
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "ceil_mode",
        "channels",
        "generator",
        "dims",
        "slots",
        "at",
    ),
    "backbone": ("slots", "in_channels", "num_classes", "image_size", "match", "match_to"),
}
GIVEN["head"] = GIVEN["pooling"]


def own_options(name: str, group: str) -> dict[str, Any]:
    """Return the arguments of a class's constructor that are settings, with their defaults; "???" stands for none.

    A default that no configuration file can hold (a dtype, a function) makes no setting.
    """
    value = find_own(name, group).value
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return {}
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    settings = {one.name: "???" if one.default is one.empty else one.default for one in named}
    return {
        key: _plain(value) for key, value in settings.items() if key not in GIVEN.get(group, ()) and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _plain(value: Any) -> Any:
    return list(map(_plain, value)) if isinstance(value, list | tuple) else value


def with_code(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration in which each choice of own code holds the hash of that code, where it does not yet.

    >>> with_code({"seed": 0, "pooling": {"name": "max", "at": {}}})
    {'seed': 0, 'pooling': {'name': 'max', 'at': {}}}

    Raises:
        ConfigError: as `find_own`.
    """
    found = dict(config)
    for group in ENTRY_POINTS:
        choice = found.get(group)
        if isinstance(choice, Mapping):
            found[group] = _chosen(choice, group)
    return found


def _chosen(choice: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    changed = dict(choice)
    if isinstance(choice.get("at"), Mapping) and choice["at"]:
        changed["at"] = {slot: _whole(one, "pooling") for slot, one in choice["at"].items()}
    if choice.get("match_to") is not None:
        changed["match_to"] = _whole(choice["match_to"], "pooling")
    if is_own(choice.get("name"), group):
        changed.setdefault(CODE, find_own(choice["name"], group).sha256)
    return changed


def _whole(choice: Any, group: str) -> Any:
    """Return a pooling that is given by its name or with its options."""
    if isinstance(choice, Mapping):
        return _chosen(choice, group)
    return _chosen({"name": choice}, group) if is_own(choice, group) else choice


def code_facts(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the own code of a configuration, for its record: the qualified name, and the hashes of the files."""
    facts = {}
    for group, choice in _choices(config):
        if is_own(choice["name"], group):
            found = find_own(choice["name"], group)
            facts[found.qualified] = ", ".join(f"{file.name} {value}" for file, value in found.files.items())
    return facts


def code_faults(config: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each choice whose code is not that which the configuration was made with."""
    return [f"{what} was changed after this run was planned: start it again" for _, what in changed_code(config)]


def changed_code(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the group of each choice whose code is not that which the configuration was made with, and its files."""
    found = []
    for group, choice in _choices(config):
        if is_own(choice["name"], group):
            own = find_own(choice["name"], group)
            if choice.get(CODE) not in (None, own.sha256):
                found.append((group, f"{group}={choice['name']}: {', '.join(map(str, own.files))}"))
    return list(dict.fromkeys(found))


def _choices(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every named choice that may be own code, with its group."""
    for group in ENTRY_POINTS:
        choice = config.get(group)
        if not isinstance(choice, Mapping):
            continue
        inner = [*(choice.get("at") or {}).values(), choice.get("match_to")]
        yield from ((group, one) for one in [choice] if isinstance(one.get("name"), str))
        yield from (("pooling", one) for one in inner if isinstance(one, Mapping) and isinstance(one.get("name"), str))
