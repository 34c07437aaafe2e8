"""The pooling and the head that a network is asked for, checked before any layer is built."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from poolab.errors import ConfigError
from poolab.own_code import is_own
from poolab.per_slot import at_faults, by_slot
from poolab.pooling import get_pool, list_pools
from poolab.pooling.core import Role
from poolab.pooling.registry import hint
from poolab.run_config import OWN, HeadConfig, PoolingConfig

Group = Literal["pooling", "head"]
# What may stand where the network pools: mostly window methods; those of the other two roles keep the map's size.
ROLES: dict[Group, tuple[Role, ...]] = {"pooling": ("window", "channel", "same"), "head": ("global",)}
SET = ("channels", "dims", "generator")  # arguments of a pooling that the network gives to it


# What a network is asked to pool with, and for its head.
Asked = PoolingConfig | Mapping[str, Any] | None
AskedHead = HeadConfig | Mapping[str, Any] | None


def read_pooling(asked: Asked) -> PoolingConfig:
    """Return the window pooling that was asked for, checked; None and the name "own" keep the backbone's.

    >>> read_pooling({"name": "max", "slots": ["pool1"], "kernel_size": 3, "stride": None}).geometry
    {'kernel_size': 3}
    >>> read_pooling({"name": "max", "at": {"pool2": "avg"}}).filling("pool2").name
    'avg'

    Raises:
        ConfigError: a name is missing, unknown or no window pooling, the slots are empty, or "own" got settings.
    """
    config = asked if isinstance(asked, PoolingConfig) else _parsed(_mapping("pooling", asked))
    checked = _checked("pooling", config)
    at, faults = {}, []
    for slot, one in config.at.items():
        try:
            at[slot] = _checked(f"pooling.at.{slot}", one)
        except ConfigError as fault:
            faults.append(str(fault))
    if faults:
        raise ConfigError("\n".join(faults))
    return replace(checked, at=at)


def read_head(asked: AskedHead) -> HeadConfig:
    """Return the head that was asked for; None and the name "own" keep the backbone's.

    >>> read_head({"name": "global_max"}).name
    'global_max'

    Raises:
        ConfigError: the name is missing, unknown or no head, or "own" got options.
    """
    config = asked if isinstance(asked, HeadConfig) else HeadConfig.from_tree({"name": None, **_mapping("head", asked)})
    _check_given("head", config.options)
    _check_name("head", config.name, "head")
    if config.name == OWN and config.options:
        given = ", ".join(config.options)
        raise ConfigError(f"head.name=own takes no options: got {given}. Name a head or leave them out.")
    return config


def _mapping(group: Group, asked: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings that a library's user gave."""
    if asked is None:
        return {"name": OWN}
    if not isinstance(asked, Mapping):
        raise ConfigError(f"{group} is a mapping with a name and options, e.g. {{'name': 'max'}}: got {asked!r}.")
    return {str(key): _plain(value) for key, value in asked.items()}


def _parsed(settings: dict[str, Any]) -> PoolingConfig:
    at = by_slot(settings.pop("at", None) or {}) if isinstance(settings.get("at"), Mapping) else settings.pop("at", {})
    faults = at_faults(at)
    if faults:
        raise ConfigError("\n".join(faults))
    return PoolingConfig.from_tree({"name": None, **settings, "at": at})


def _checked(where: str, config: PoolingConfig) -> PoolingConfig:
    _check_given(where, config.options)
    _check_name("pooling", config.name, where)
    slots = _slots(config.slots)
    if config.name == OWN and (slots is not None or config.geometry or config.options):
        raise ConfigError(
            f"{where}.name=own keeps the backbone's pooling as it is, so it takes no slots, geometry or options: "
            f"got {', '.join(['slots'] * (slots is not None) + [*config.geometry, *config.options])}. "
            "Name a pooling (pooling=max, say) or leave them out."
        )
    return replace(config, slots=slots)


def _check_given(where: str, options: Mapping[str, Any]) -> None:
    given = [key for key in SET if key in options]
    if given:
        raise ConfigError(f"{where}: the network itself states {', '.join(given)} for each of its slots; leave it out.")


def _plain(value: Any) -> Any:
    """Convert lists of a configuration library to tuples, which the layers take as pairs."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return tuple(_plain(item) for item in value) if is_list else value


def _check_name(group: Group, name: Any, where: str) -> None:
    allowed = [OWN, *_names(group)]
    if name in allowed or (is_own(name, group) and get_pool(name).role in ROLES[group]):
        return
    home: Group = "head" if group == "pooling" else "pooling"
    if name in _names(home) or is_own(name, group):
        what = "a head" if home == "head" else f"no head (its role is {get_pool(str(name)).role})"
        help = f"{name} is {what} and belongs in {home}: write {home}={name}. "
    else:
        near, other = hint(name, allowed), hint(name, _names(home))
        help = f"it is not known: {near or (other and f'{other}It belongs in {home}. ')}"
    raise ConfigError(f"{where}.name={name}: {help}Allowed in {group}: {', '.join(allowed)}, MODULE:CLASS.")


def _names(group: Group) -> list[str]:
    return sorted(name for role in ROLES[group] for name in list_pools(role))


def _slots(value: Any) -> tuple[str, ...] | None:
    if value == "all" or value is None:
        return None
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, tuple) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"pooling.slots={value!r} fills no slot: an arm that changes nothing is an error. "
            "Give all, or a list of slot names such as [pool1]; pooling.name=own keeps the backbone's pooling."
        )
    return names
