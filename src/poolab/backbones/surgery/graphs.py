"""Layers in the place of functions in a GraphModule: its graph is its `forward`, and is edited as torch.fx has it."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx

from poolab.backbones.surgery.functions import FUNCTIONS, REDUCTIONS, named_arguments, reduces_map


@dataclass(frozen=True)
class GraphPlace:
    """A layer's place in a traced graph: the number of the pooling it replaces, and its name in the module."""

    ordinal: int
    layer: str
    flattens: bool = False  # a reduction that dropped the spatial dimensions


def follow(module: fx.GraphModule, kinds: Sequence[str]) -> str | None:
    """Return why the poolings that ran are not those of the module's graphs; None where they are.

    Args:
        module: what ran; it may have a graph for training and one for evaluation.
        kinds: the poolings that ran: names of functions, and of layers that are called several times.
    """
    shared = {kind for kind in kinds if kind not in FUNCTIONS}
    for graph in _graphs(module).values():
        found = [kind for kind in (_kind(node, shared) for node in graph.nodes) if kind is not None]
        if found != list(kinds):
            return f"one of its graphs pools by {', '.join(found) or 'nothing'}, and by {', '.join(kinds)} ran"
    return None


def edit(module: fx.GraphModule, places: Sequence[GraphPlace], shared: set[str]) -> Callable[[], None]:
    """Put layers, which are there already, into every graph of a module; return what undoes it."""
    before = _graphs(module)
    _set_graphs(module, {name: _with_layers(graph, places, shared) for name, graph in before.items()})
    return lambda: _set_graphs(module, before)


def _graphs(module: fx.GraphModule) -> dict[str, fx.Graph]:
    return {name: value for name, value in vars(module).items() if isinstance(value, fx.Graph)}


def _set_graphs(module: fx.GraphModule, graphs: dict[str, fx.Graph]) -> None:
    current = module.graph
    same = {id(graph): name for name, graph in _graphs(module).items() if name != "_graph"}
    for name, graph in graphs.items():
        if name != "_graph":
            module.__dict__[name] = graph
    # torchvision's extractors hold the current graph under another name too, and change between them by identity.
    module.graph = graphs[same[id(current)]] if id(current) in same else graphs["_graph"]


def _kind(node: fx.Node, shared: set[str]) -> str | None:
    if node.op == "call_module":
        return str(node.target) if str(node.target) in shared else None
    if node.op not in ("call_function", "call_method"):
        return None
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name not in FUNCTIONS:
        return None
    arguments = named_arguments(name, node.args, node.kwargs)
    if name in REDUCTIONS and not any(reduces_map(arguments, dims) for dims in (2, 3)):
        return None
    return name


def _with_layers(graph: fx.Graph, places: Sequence[GraphPlace], shared: set[str]) -> fx.Graph:
    changed = copy.deepcopy(graph)  # with what it knows of nested inputs and outputs, as `graph_copy` has not
    nodes = [node for node in changed.nodes if _kind(node, shared) is not None]
    for place in places:
        node = nodes[place.ordinal]
        map_: Any = node.args[0] if node.args else node.kwargs["input"]
        with changed.inserting_before(node):
            layer = changed.call_module(place.layer, (map_,))
            if place.flattens:
                layer = changed.call_method("flatten", (layer, 1))
        node.replace_all_uses_with(layer)
        changed.erase_node(node)
    return changed
