"""The settings of poolings, heads and backbones, as their classes declare them."""

from collections.abc import Mapping
from typing import Any

from poolab.backbones import OWN, ROLES, Group, backbone_options
from poolab.own_code import CODE, find_own, is_own, own_options
from poolab.per_slot import at_faults, by_slot
from poolab.pooling import get_pool, list_pools
from poolab.pooling.core import Option
from poolab.training.settings.faults import declared_faults, typed, where_words
from poolab.training.settings.kinds import Anything, Code
from poolab.training.settings.tables import BACKBONE, GEOMETRY, MATCH, POOLING, Table


def options_of(group: str, name: str) -> Table | None:
    """Return the options of a pooling, head or backbone by its name; None if the name is not known here.

    >>> sorted(options_of("pooling", "avg_topk"))[:4], sorted(options_of("backbone", "resnet20"))
    (['at', 'ceil_mode', 'dilation', 'k'], ['match', 'match_to', 'width_mult'])
    """
    if group == "backbone":
        known = backbone_options(name)
        if known is None:
            return None
        own = {key: BACKBONE.get(key, Option(None)) for key in known}
        return {**MATCH, "match_to": Option(None), **own, **_code(group, name)}
    common = POOLING if group == "pooling" else {}
    if name == OWN:
        return dict(common)
    options = _declared("pooling" if group == "pooling" else "head", name)
    return None if options is None else {**common, **options}


def network_faults(group: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the errors of the group `pooling`, `head` or `backbone`, a line each.

    An unknown name is told where the network is built, and so is what only the sizes of the maps can tell.
    """
    name = settings.get("name")
    if not isinstance(name, str):
        return [f"{group}.name must be a text, found {typed(name)}: choose with {group}=NAME"]
    table = options_of(group, name)
    given = {key: value for key, value in settings.items() if key != "name"}
    if table is None:
        return declared_faults(group, POOLING if group == "pooling" else {}, given, strange=True, needed=())
    if group == "backbone":
        return _backbone_faults(given, table)
    ours = _is_ours(name) and name != OWN
    faults = declared_faults(group, table, given, choice=name, needed=tuple(table) if ours else ())
    if group == "pooling" and isinstance(settings.get("at"), Mapping):
        faults += [*at_faults(settings["at"], typed), *_at_faults(settings["at"])]
    return faults


def _backbone_faults(given: Mapping[str, Any], table: Table) -> list[str]:
    match, match_to = given.get("match"), given.get("match_to")
    checked = {key: value for key, value in given.items() if key != "match_to"}
    declared = {key: option for key, option in table.items() if type(option) is not Option}
    needed = tuple(key for key in declared if key != CODE)
    faults = declared_faults("backbone", declared, checked, strange=True, needed=needed)
    if match is None and match_to is not None:
        words = where_words("backbone.match_to", match_to)
        faults.append(f"{words} needs backbone.match=parameters or multiply_adds: what is to be equal")
    if match is not None and match_to is None:
        words = where_words("backbone.match", match)
        faults.append(f"{words} needs backbone.match_to: the other arm's pooling, e.g. backbone.match_to=lip")
    return faults + ([] if match_to is None else _one_pooling("backbone.match_to", match_to))


def _at_faults(at: Mapping[Any, Any]) -> list[str]:
    return [fault for slot, choice in by_slot(at).items() for fault in _one_pooling(f"pooling.at.{slot}", choice)]


def _one_pooling(where: str, choice: Any) -> list[str]:
    """Return the errors of one pooling, by its name or with its options; unknown names are left to the network."""
    settings = choice if isinstance(choice, Mapping) else {"name": choice}
    name = settings.get("name")
    if not isinstance(name, str):
        if not where.startswith("backbone") or (choice and isinstance(choice, Mapping)):
            return []  # `at_faults` says how it is written
        return [f"{where} must be the name of a pooling or a mapping with a name and options, found {typed(choice)}"]
    options = _declared("pooling", name)
    if options is None:
        return []
    given = {str(key): value for key, value in settings.items() if key not in ("name", "slots", "at")}
    return declared_faults(where, {**GEOMETRY, **options}, given, choice=name, needed=())


def _declared(group: Group, name: str) -> Table | None:
    if is_own(name, "pooling"):
        cls = get_pool(name)
        others = {key: Anything(value) for key, value in own_options(name, "pooling").items()}
        return {**others, **cls.options, **_code(group, name)} if cls.role in ROLES[group] else None
    known = {one for role in ROLES[group] for one in list_pools(role)}
    return dict(get_pool(name).options) if name in known else None


def _code(group: str, name: str) -> Table:
    """Return the setting that holds the hash of own code."""
    return {CODE: Code(find_own(name, group))} if is_own(name, group) else {}


def _is_ours(name: str) -> bool:
    return name in list_pools() and get_pool(name).__module__.startswith("poolab.")
