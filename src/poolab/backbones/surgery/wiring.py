"""From the places of one module and the layers for them to what its functions hand over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from poolab.backbones.surgery.classes import WIRING
from poolab.backbones.surgery.frames import Step
from poolab.backbones.surgery.functions import FUNCTIONS, OBJECTS, WINDOW_FUNCTIONS, canonical
from poolab.backbones.surgery.instructions import Group, InnerCalls, Node, Place, PoolCalls, Wiring
from poolab.backbones.surgery.plan import Planned
from poolab.backbones.surgery.sites import Site, Sites
from poolab.backbones.surgery.source import NoSource, Position, parse
from poolab.pooling import Pool

WHOLE_FUNCTIONS = tuple(name for name in FUNCTIONS if name not in WINDOW_FUNCTIONS)


@dataclass(frozen=True)
class _Way:
    """The steps that are left to a pooling call, and what happens there: a place, or None where it is left."""

    steps: tuple[Step, ...]
    what: str
    is_layer: bool
    place: Place | None
    like: str  # equal for layers that are the same in all but identity


def wiring_of(owner: nn.Module, path: str, sites: Sites, planned: Sequence[Planned]) -> Wiring:
    """Return what is intercepted in an owner: what was already, and the planned places.

    Raises:
        NoSource: calls that several layers would take cannot be told apart.
    """
    pools = {one.site.name: one for one in planned}
    here = [site for site in sites.all if site.call.owner == path and site.is_wired and site.call.steps]
    ways = [_way(site, pools.get(site.name), path) for site in here]
    ways += [
        _Way(call.steps, call.op, False, None, "left") for call in sites.others if call.owner == path and call.steps
    ]
    methods: dict[str, list[_Way]] = {}
    for way in ways:
        for index, step in enumerate(way.steps):
            for name in step.method:
                methods.setdefault(name, []).append(replace(way, steps=way.steps[index:]))
    replaced = _replaced(planned)
    nodes = {name: _node(ways) for name, ways in methods.items()}
    names = _names(owner, replaced, [way for way in ways if way.is_layer and way.place is not None])
    for name in _others(owner, (*replaced, *names)):
        nodes.setdefault(name, Node(f"{type(owner).__qualname__}.{name}", ()))
    wiring = Wiring(type(owner).__name__, tuple(nodes.items()), replaced, names)
    known = getattr(type(owner), WIRING, None)
    return wiring if known is None else _merged(known, wiring)


def _way(site: Site, one: Planned | None, path: str) -> _Way:
    call = site.call
    prefix = f"{path}." if path else ""
    what = call.op if call.layer is None else call.layer.removeprefix(prefix)
    if one is None:
        return _Way(call.steps, what, call.layer is not None, None, "left")
    arguments = None if call.layer else tuple(sorted(canonical(call.op, call.arguments, call.dims).items()))
    place = Place(site.layer, arguments, call.dims, one.flattens, site.kind in ("head", "gate"))
    return _Way(call.steps, what, call.layer is not None, place, _likeness(one.pool))


def _likeness(pool: Pool) -> str:
    """Return what tells two layers apart; a layer with a state or a generator of its own is like no other."""
    if pool.state_dict() or list(pool.children()) or getattr(pool, "generator", None) is not None:
        return str(id(pool))
    return repr(pool)


def _node(ways: Sequence[_Way]) -> Node:
    title = ways[0].steps[0].function.__qualname__
    points: dict[Position, list[_Way]] = {}
    for way in ways:
        points.setdefault(way.steps[0].position, []).append(way)
    return Node(title, tuple((position, tuple(_groups(here))) for position, here in points.items()))


def _groups(ways: Sequence[_Way]) -> Iterable[Group]:
    """Return what happens at one point of the source, for each function or layer that is called there."""
    last: dict[Any, list[_Way]] = {}
    inner: dict[Any, list[_Way]] = {}
    for way in ways:
        if len(way.steps) == 1:
            last.setdefault((way.what, way.is_layer), []).append(way)
        else:
            inner.setdefault(way.steps[1].function, []).append(way)
    for (what, is_layer), here in last.items():
        yield _pool_calls(what, is_layer, here)
    for function, here in inner.items():
        numbers = sorted({way.steps[0].number for way in here})
        nodes = tuple(
            _node([replace(way, steps=way.steps[1:]) for way in here if way.steps[0].number == number])
            for number in numbers
        )
        yield InnerCalls(function.__qualname__, function, nodes)


def _pool_calls(what: str, is_layer: bool, ways: Sequence[_Way]) -> PoolCalls:
    numbers = sorted({way.steps[0].number for way in ways})
    places, likes = [], set()
    for number in numbers:
        here = [way for way in ways if way.steps[0].number == number]
        likes |= {way.like for way in here}
        if len({way.like for way in here}) > 1:
            return PoolCalls(what, is_layer, (Place("", None),), alike=True)  # told when it is called, if ever
        places.append(here[0].place)
    alike = len(likes) == 1
    if any(way.steps[0].recomputes for way in ways) and len(places) > 1 and not alike:
        raise NoSource(
            f"{what} is called {len(places)} times in a function inside {ways[0].steps[0].function.__qualname__}, "
            "which may run again in another order, so that its layers could not be told apart"
        )
    return PoolCalls(what, is_layer, tuple(places), alike)


def _replaced(planned: Sequence[Planned]) -> tuple[str, ...]:
    """Return the functions that are of the kind that is replaced: one that did not run must not be left unsaid."""
    kinds = {one.site.kind for one in planned}
    windows = WINDOW_FUNCTIONS if "window" in kinds else ()
    return (*windows, *(WHOLE_FUNCTIONS if "head" in kinds else ()))


def _names(owner: nn.Module, replaced: Sequence[str], layers: Sequence[_Way]) -> tuple[str, ...]:
    """Return the owner's attributes whose calls pool: layers that are called several times, and pooling functions."""
    functions = [each for name in replaced for each in OBJECTS[name]]
    held = [name for name, value in vars(owner).items() if any(value is each for each in functions)]
    return tuple(dict.fromkeys([*(way.what for way in layers if "." not in way.what), *held]))


def _others(owner: nn.Module, replaced: Sequence[str]) -> Iterable[str]:
    """Return the other methods of a module that seem to pool."""
    for kind in type(owner).__mro__:
        if kind.__module__.startswith("torch."):
            break
        for name, value in vars(kind).items():
            code = getattr(value, "__code__", None)
            if code is None or getattr(type(owner), name, None) is not value or not set(code.co_names) & set(replaced):
                continue
            try:
                parse(code)
            except NoSource:
                continue
            yield name


def _merged(known: Wiring, new: Wiring) -> Wiring:
    methods = dict(known.methods)
    for name, node in new.methods:
        methods[name] = _merged_nodes(methods[name], node) if name in methods else node
    replaced, names = (tuple(dict.fromkeys((*a, *b))) for a, b in (
        (known.replaced, new.replaced), (known.names, new.names)))  # fmt: skip
    return Wiring(new.owner, tuple(methods.items()), replaced, names)


def _merged_nodes(known: Node, new: Node) -> Node:
    points = dict(known.points)
    for position, groups in new.points:
        points[position] = tuple(_merged_groups(points.get(position, ()), groups))
    return Node(known.title, tuple(points.items()))


def _merged_groups(known: Sequence[Group], new: Sequence[Group]) -> Iterable[Group]:
    later = {_key(group): group for group in new}
    for group in known:
        other = later.pop(_key(group), None)
        if isinstance(group, InnerCalls) and isinstance(other, InnerCalls) and len(group.nodes) == len(other.nodes):
            pairs = zip(group.nodes, other.nodes, strict=True)
            yield replace(group, nodes=tuple(_merged_nodes(*pair) for pair in pairs))
        elif other is not None and not (isinstance(group, PoolCalls) and isinstance(other, PoolCalls)):
            raise NoSource(f"{group} and {other} stand at one point of the source")
        elif isinstance(group, PoolCalls) and isinstance(other, PoolCalls):
            yield _both(group, other)
        else:
            yield group
    yield from later.values()


def _key(group: Any) -> Any:
    return (type(group), group.what, group.is_layer) if isinstance(group, PoolCalls) else (type(group), group.title)


def _both(known: PoolCalls, new: PoolCalls) -> PoolCalls:
    """Return calls of which some were handed over before, and more are now.

    What was handed over before is not seen any more: its layer is. The new places fill what was left.
    """
    fresh = iter(new.places)
    places = tuple(place if place is not None else next(fresh, None) for place in known.places)
    return PoolCalls(known.what, known.is_layer, places, known.alike and new.alike and None not in places)
