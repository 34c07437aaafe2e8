"""The instructions of a wired module, by points of its source: frozen data, which is pickled with the network."""

import sys
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from poolab.backbones.surgery.source import Position


@dataclass(frozen=True)
class Place:
    """The layer that takes one pooling call.

    Attributes:
        layer: its name in the owner; empty if several layers would take the call, and nothing tells which.
        arguments: the function's own, in canonical form, that a call must have; None for a call of a layer.
        dims: the number of spatial dimensions of the map.
        flattens: whether the function dropped those dimensions.
        covers: whether the window was the whole map.
    """

    layer: str
    arguments: tuple[tuple[str, Any], ...] | None = None
    dims: int = 2
    flattens: bool = False
    covers: bool = False


@dataclass(frozen=True)
class PoolCalls:
    """The pooling calls at one point of the source.

    Attributes:
        what: the function's name, or the owner's name of the layer that is called.
        is_layer: whether it is a layer.
        places: for each call in one activation of the function, in order; None is left as it is.
        alike: whether the layers are the same in all but identity, so that it does not matter which one takes a call.
    """

    what: str
    is_layer: bool
    places: tuple[Place | None, ...]
    alike: bool = False


@dataclass(frozen=True)
class InnerCalls:
    """The calls of one function that pools, at one point of the source: what each of them does.

    The function itself is not part of a pickle where it cannot be imported by its name, as one that a decorator holds;
    it is then found in the function that calls it.
    """

    title: str
    function: FunctionType | None
    nodes: tuple["Node", ...]

    def __reduce__(self) -> Any:
        function = self.function if _is_importable(self.function) else None
        return InnerCalls, (self.title, function, self.nodes)

    def __deepcopy__(self, memo: dict[int, Any]) -> "InnerCalls":
        return self


@dataclass(frozen=True)
class Unseen:
    """A call that looks like a pooling, by a function's name or an attribute's, and did not run with the example."""

    name: str


Group = PoolCalls | InnerCalls | Unseen


@dataclass(frozen=True)
class Node:
    """One function that pools: what happens at each point of its source."""

    title: str
    points: tuple[tuple[Position, tuple[Group, ...]], ...]


@dataclass(frozen=True)
class Wiring:
    """The methods of one module with their instructions.

    Attributes:
        owner: the name of the module's class.
        methods: by name.
        replaced: the names of the pooling functions of the kind that was replaced.
        names: the module's attributes that are such a function, or a layer whose calls go to layers of their own.
    """

    owner: str
    methods: tuple[tuple[str, Node], ...]
    replaced: tuple[str, ...]
    names: tuple[str, ...] = ()


def _is_importable(function: FunctionType | None) -> bool:
    found: Any = sys.modules.get(getattr(function, "__module__", ""))
    for name in getattr(function, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is function
