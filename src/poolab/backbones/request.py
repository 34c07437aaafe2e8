"""What the user asked to put into the slots: two mappings, read and checked before any layer is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from poolab.errors import ConfigError
from poolab.per_slot import by_slot
from poolab.pooling import get_pool, list_pools
from poolab.pooling.core import Role
from poolab.pooling.registry import hint

Group = Literal["pooling", "head"]
# What may stand where the network pools: mostly window methods; those of the other two roles keep the map's size.
ROLES: dict[Group, tuple[Role, ...]] = {"pooling": ("window", "channel", "same"), "head": ("global",)}
OWN = "own"
SET = ("channels", "dims", "generator")  # arguments of a pooling that the network gives to it
GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")


@dataclass(frozen=True)
class PoolingRequest:
    """One pooling, the slots that it goes to (None: all of them), its geometry where it differs, its options.

    `at` has the requests of single slots, which stand for themselves.
    """

    name: str = OWN
    slots: tuple[str, ...] | None = None
    geometry: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, "PoolingRequest"] = field(default_factory=dict)

    def filling(self, slot: str) -> "PoolingRequest | None":
        """What fills that slot, or None where the backbone keeps its own pooling."""
        if slot in self.at:
            return self.at[slot].filling(slot)
        return self if self.name != OWN and (self.slots is None or slot in self.slots) else None


def read_pooling(mapping: Mapping[str, Any] | None) -> PoolingRequest:
    """The window pooling that was asked for; None and the name "own" keep the backbone's.

    >>> read_pooling({"name": "max", "slots": ["pool1"], "kernel_size": 3, "stride": None})
    PoolingRequest(name='max', slots=('pool1',), geometry={'kernel_size': 3}, options={}, at={})
    >>> read_pooling({"name": "max", "at": {"pool2": "avg"}}).filling("pool2").name
    'avg'

    Raises:
        ConfigError: a name is missing, unknown or no window pooling, the slots are empty, or "own" got settings.
    """
    settings = _settings("pooling", mapping)
    at = settings.pop("at", None)
    return replace(_request("pooling", settings), at=_at(at))


def _at(tree: Any) -> dict[str, PoolingRequest]:
    """The requests of single slots; all that are wrong at once."""
    if tree is not None and not isinstance(tree, Mapping):
        raise ConfigError(f"pooling.at={tree!r} names no slot: write pooling.at.pool1=avg, with the slot's name.")
    requests: dict[str, PoolingRequest] = {}
    faults = []
    for slot, choice in by_slot(tree or {}).items():
        try:
            requests[slot] = _at_slot(f"pooling.at.{slot}", choice)
        except ConfigError as fault:
            faults.append(str(fault))
    if faults:
        raise ConfigError("\n".join(faults))
    return requests


def _at_slot(where: str, choice: Any) -> PoolingRequest:
    given = choice if isinstance(choice, Mapping) else {"name": choice}
    if not isinstance(given.get("name"), str):
        parent = where.rpartition(".")[0]
        if parent != "pooling.at":  # an option without its pooling, most probably
            raise ConfigError(f"{where}={choice!r} stands without a pooling: write {parent}=NAME beside it.")
        raise ConfigError(
            f"{where}={choice!r} names no pooling: write {where}=avg, with options {where}.k=3 beside it."
        )
    strange = [key for key in ("slots", "at") if key in given]
    if strange:
        raise ConfigError(f"{where} is for that slot alone: it takes no {' and no '.join(strange)}.")
    return _request(where, _settings(where, given))


def _request(where: str, settings: dict[str, Any]) -> PoolingRequest:
    name = _checked_name("pooling", settings, where)
    slots = _slots(settings.pop("slots", "all"))
    geometry = {key: settings.pop(key) for key in GEOMETRY if key in settings}
    geometry = {key: value for key, value in geometry.items() if value is not None}
    if name == OWN and (slots is not None or geometry or settings):
        raise ConfigError(
            f"{where}.name=own keeps the backbone's pooling as it is, so it takes no slots, geometry or options: "
            f"got {', '.join(['slots'] * (slots is not None) + [*geometry, *settings])}. "
            "Name a pooling (pooling=max, say) or leave them out."
        )
    return PoolingRequest(name, slots, geometry, settings)


def read_head(mapping: Mapping[str, Any] | None) -> PoolingRequest:
    """The head that was asked for; None and the name "own" keep the backbone's.

    >>> read_head({"name": "global_max"}).name
    'global_max'

    Raises:
        ConfigError: the name is missing, unknown or no head, or "own" got options.
    """
    settings = _settings("head", mapping)
    name = _checked_name("head", settings, "head")
    if name == OWN and settings:
        raise ConfigError(f"head.name=own takes no options: got {', '.join(settings)}. Name a head or leave them out.")
    return PoolingRequest(name, options=settings)


def _settings(where: str, mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    if mapping is None:
        return {"name": OWN}
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{where} is a mapping with a name and options, e.g. {{'name': 'max'}}: got {mapping!r}.")
    given = [key for key in SET if key in mapping]
    if given:
        raise ConfigError(f"{where}: the network itself states {', '.join(given)} for each of its slots; leave it out.")
    return {str(key): _plain(value) for key, value in mapping.items()}


def _plain(value: Any) -> Any:
    """Lists of a configuration library become tuples, which the layers take as pairs."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return tuple(_plain(item) for item in value) if is_list else value


def _checked_name(group: Group, settings: dict[str, Any], where: str) -> str:
    allowed = [OWN, *_names(group)]
    name = settings.pop("name", None)
    if name in allowed:
        return str(name)
    home: Group = "head" if group == "pooling" else "pooling"
    if name in _names(home):
        what = "a head" if home == "head" else f"no head (its role is {get_pool(str(name)).role})"
        help = f"{name} is {what} and belongs in {home}: write {home}={name}. "
    else:
        near, other = hint(name, allowed), hint(name, _names(home))
        help = f"it is not known: {near or (other and f'{other}It belongs in {home}. ')}"
    raise ConfigError(f"{where}.name={name}: {help}Allowed in {group}: {', '.join(allowed)}.")


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
