"""The poolings by name."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from poolab.errors import ConfigError, nearest
from poolab.own_code import find_own, is_own
from poolab.pooling.core.base import Pool, Role
from poolab.pooling.core.documentation import document
from poolab.pooling.map_pool import MapPool2d
from poolab.pooling.window_pool import WindowPool2d, siblings

POOLS: dict[str, type[Pool]] = {}
SIBLINGS: dict[tuple[str, int], type[Pool]] = {}
OWN: dict[str, type[Pool]] = {}  # classes of other modules by their import path or entry point
P = TypeVar("P", bound=type[Pool])


def register(name: str) -> Callable[[P], P]:
    """Give a pooling class its name; from then on configurations, tests, tables and `create_pool` know it.

    A window method gets its siblings for one and three dimensions, unless it is exempt from "dimensions".

    Raises:
        ValueError: the name belongs to another class.
    """

    def add(cls: P) -> P:
        known = POOLS.get(name)
        if known is not None and known.__qualname__ != cls.__qualname__:
            raise ValueError(
                f"the pooling name {name} belongs to {known.__qualname__}; choose another for {cls.__qualname__}"
            )
        cls.name = name
        document(cls)
        POOLS[name] = cls
        if issubclass(cls, WindowPool2d) and _has_siblings(cls):
            SIBLINGS[name, 1], SIBLINGS[name, 3] = siblings(cls)
        return cls

    return add


def list_pools(role: Role | None = None, dims: int = 2) -> list[str]:
    """Return the names of all poolings, or of those of one role, for the given number of spatial dimensions.

    Args:
        role: "window", "global" (of a whole map, for heads), "channel" or "same" (as large as before); None for all.
        dims: 1, 2 or 3.

    Raises:
        ValueError: there is no such role or number of dimensions.

    >>> "avg_topk" in list_pools("window"), "avg_topk" in list_pools("global")
    (True, False)
    """
    roles = sorted({cls.role for cls in POOLS.values()})
    if role is not None and role not in roles:
        near = "poolings of heads have the role global; " if role in ("head", "heads") else hint(str(role), roles)
        raise ValueError(f"no role is called {role!r}: {near}known: {', '.join(roles)}")
    if dims not in (1, 2, 3):
        raise ValueError(f"dims must be 1, 2 or 3, found {dims!r}")
    return sorted(
        name
        for name, cls in POOLS.items()
        if (role is None or cls.role == role) and (dims == 2 or (name, dims) in SIBLINGS)
    )


def get_pool(name: str, dims: int = 2) -> type[Pool]:
    """Return the class of a name, for the given number of spatial dimensions.

    Args:
        name: one of `list_pools()`; or MODULE:CLASS, the import path of a class of your own, which is found in the
            working folder or among the installed packages; or an entry point of the group `poolab.poolings`.
        dims: 1, 2 or 3.

    Raises:
        ValueError: no such pooling, the message lists the near names and all of them; or it has not these dimensions;
            or the module cannot be imported, or has no pooling of that name.

    >>> get_pool("avg_topk").__name__
    'AvgTopKPool2d'
    >>> get_pool("avg_topk", dims=3)(kernel_size=2)
    AvgTopKPool3d(kernel_size=2, stride=2)
    """
    cls = POOLS.get(name) or _own_pool(name)
    if cls is None:
        known = f"known: {', '.join(list_pools())}, and MODULE:CLASS for a class of your own"
        raise ValueError(f"no pooling is called {name!r}: {hint(name, list(POOLS))}{known}")
    if dims == 2:
        return cls
    if (name, dims) not in SIBLINGS and name in OWN and _has_siblings(cls):
        SIBLINGS[name, 1], SIBLINGS[name, 3] = siblings(cls)  # type: ignore[arg-type]
    if (name, dims) not in SIBLINGS:
        why = cls.exempt.get("dimensions", "only the window methods have other dimensions, 1 and 3")
        raise ValueError(f"{name} is not there in {dims} dimensions: {why}")
    return SIBLINGS[name, dims]


def _own_pool(name: str) -> type[Pool] | None:
    """Return the class that an import path or an entry point names; None where the name is neither."""
    if name not in OWN:
        if not is_own(name, "pooling"):
            return None
        cls = find_own(name, "pooling").value
        if cls.formula is Pool.formula and cls.forward in (WindowPool2d.forward, MapPool2d.forward):
            raise ConfigError(
                f"pooling={name}: {cls.__name__} has no formula: give it a static method formula(windows, ...), or "
                "formula(map, ...) for a head; see docs/your_own_pooling.md"
            )
        if getattr(cls, "role", None) is None:
            raise ConfigError(
                f"pooling={name}: {cls.__name__} does not say its role: derive it from WindowPool2d or HeadPool2d, or "
                'set role = "channel" or "same" in the class'
            )
        if "name" not in vars(cls):  # not registered; a name that it has from a class of poolab's is not its own
            cls.name = name
        OWN[name] = cls
    return OWN[name]


def _has_siblings(cls: type[Pool]) -> bool:
    return issubclass(cls, WindowPool2d) and "dimensions" not in cls.exempt


def hint(name: object, known: Sequence[str]) -> str:
    """Suggest known names close to an unknown one; the name of a class is told from a mistyped name.

    >>> hint("AvgTopKPool2d", list_pools())
    'AvgTopKPool2d is the class, did you mean avg_topk? '
    >>> hint("avgtopk", list_pools("window"))
    'did you mean avg_topk or avg? '
    """
    word = str(name).lower()
    for (pool, dims), sibling in SIBLINGS.items():
        if word == sibling.__name__.lower() and pool in known:
            return f"{sibling.__name__} is the class, did you mean {pool} with dims={dims}? "
    classes = {POOLS[pool].__name__.lower(): pool for pool in known if pool in POOLS}
    near = difflib.get_close_matches(word, list(classes), n=1, cutoff=0.85)
    if near:
        pool = classes[near[0]]
        return f"{POOLS[pool].__name__} is the class, did you mean {pool}? "
    return nearest(str(name), list(known))


def create_pool(name: str, *, channels: int | None = None, dims: int = 2, **arguments: Any) -> Pool:
    """Make a pooling by its name, with torch's geometry arguments and the method's own options.

    `channels` reaches the methods that use it and is ignored by the others, so that a network can always state it.

    Raises:
        ValueError: unknown name, option or geometry; a method that needs `channels` and does not get it.

    >>> create_pool("avg_topk", kernel_size=3, stride=2, padding=1, k=4)
    AvgTopKPool2d(kernel_size=3, stride=2, padding=1, k=4)
    """
    cls = get_pool(name, dims)
    if cls.uses_channels != "never":
        arguments["channels"] = channels
    try:
        return cls(**arguments)
    except TypeError as fault:  # a missing kernel_size, or a word that no pooling knows
        raise ValueError(f"{cls.__name__}: {fault}; its arguments are {', '.join(_parameters(cls))}") from None


def _parameters(cls: type[Pool]) -> list[str]:
    return [str(p.replace(annotation=p.empty)) for p in cls.__signature__.parameters.values()]
