"""A module whose `forward` calls a layer where it called a function, by its torch.fx graph; all else stays."""

import inspect
import linecache
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from poolab.backbones.surgery.calls import FUNCTIONS, REDUCTIONS, Frame, named_arguments, reduces_map

FORWARDS = {True: "forward_in_training", False: "forward_in_evaluation"}  # of a module that was rewired before


class Untraceable(Exception):
    """torch.fx cannot follow a `forward`; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where a layer goes: which of the poolings of the `forward` it replaces, and its name in the module."""

    ordinal: int
    layer: str
    flattens: bool = False  # a reduction that dropped the two dimensions


@dataclass(frozen=True)
class Traced:
    """The graphs of a `forward` in training and in evaluation."""

    training: fx.Graph
    evaluation: fx.Graph


class _OwnForward(fx.Tracer):
    """Follows one `forward`; the modules that it calls are single steps."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def follow(frame: Frame, shared: Mapping[str, str]) -> Traced:
    """Trace the graphs of a module's own `forward`, and check one by running it on the module's inputs.

    Args:
        frame: the module and its inputs.
        shared: the layers, by their name in the module, that it calls several times, and their classes.

    Raises:
        Untraceable: torch.fx cannot trace it, or the traced graph computes something else.
    """
    graphs = Traced(_graph(frame, training=True), _graph(frame, training=False))
    if pooling_kinds(graphs.training, shared) != pooling_kinds(graphs.evaluation, shared):
        raise Untraceable("it pools otherwise in training than in evaluation")
    _compare(frame, graphs.evaluation)
    return graphs


def pooling_kinds(graph: fx.Graph, shared: Mapping[str, str]) -> list[str]:
    """Return the poolings of a graph in order: names of functions, and classes of shared layers."""
    return [kind for kind in (_kind(node, shared) for node in graph.nodes) if kind is not None]


def rewire(module: nn.Module, graphs: Traced, places: Sequence[Place], shared: Mapping[str, str]) -> None:
    """Let the module's `forward` call its layers in these places; identity, class name and state stay."""
    training, evaluation = (_with_layers(graph, places, shared) for graph in (graphs.training, graphs.evaluation))
    base: Any = getattr(module, "as_written", type(module))
    module.__class__ = _rewired(base, ForwardCode.of(training), ForwardCode.of(evaluation))


def _graph(frame: Frame, training: bool) -> fx.Graph:
    module, was = frame.module, frame.module.training
    try:
        module.training = training  # of this module alone: the flag that its own `forward` reads
        tracer = _OwnForward()
        if hasattr(module, "as_written"):
            tracer.traced_func_name = FORWARDS[training]
        return tracer.trace(module, _concrete(frame))
    except Exception as fault:  # whatever a stranger's code does when its numbers are stand-ins
        raise Untraceable(f"torch.fx cannot follow it: {_first_line(fault)}") from fault
    finally:
        module.training = was


def _concrete(frame: Frame) -> dict[str, Any] | None:
    """Return the parameters that are fixed: omitted ones at their defaults, and those that are not tensors."""
    parameters = inspect.signature(frame.module.forward).parameters
    given = inspect.signature(frame.module.forward).bind(*frame.args, **frame.kwargs)
    given.apply_defaults()
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    fixed = {
        name: value
        for name, value in given.arguments.items()
        if parameters[name].kind not in free and not any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(value))
    }
    return fixed or None


def _compare(frame: Frame, graph: fx.Graph) -> None:
    if any(tensor.is_meta for tensor in pytree.tree_leaves((frame.args, frame.kwargs)) if isinstance(tensor, Tensor)):
        return  # shapes alone: nothing to compare
    traced = fx.GraphModule(frame.module, graph)
    found, expected = (_leaves(run, frame) for run in (traced, frame.module.forward))
    if len(found) != len(expected) or not all(map(_is_same, found, expected)):
        raise Untraceable("what torch.fx followed computes something else")


def _leaves(run: Any, frame: Frame) -> list[Any]:
    args, kwargs = pytree.tree_map_only(Tensor, torch.clone, (frame.args, frame.kwargs))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        return pytree.tree_leaves(run(*args, **kwargs))


def _is_same(found: Any, expected: Any) -> bool:
    if isinstance(found, Tensor) and isinstance(expected, Tensor):
        return torch.equal(found, expected) or torch.allclose(found, expected, equal_nan=True)
    return bool(found == expected)


def _kind(node: fx.Node, shared: Mapping[str, str]) -> str | None:
    if node.op == "call_module":
        return shared.get(str(node.target))
    if node.op not in ("call_function", "call_method"):
        return None
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name not in FUNCTIONS:
        return None
    if name in REDUCTIONS and not reduces_map(named_arguments(name, node.args, node.kwargs)):
        return None
    return name


def _with_layers(graph: fx.Graph, places: Sequence[Place], shared: Mapping[str, str]) -> fx.Graph:
    changed, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    changed.output(changed.graph_copy(graph, copies))
    nodes = [node for node in graph.nodes if _kind(node, shared) is not None]
    for place in places:
        node = copies[nodes[place.ordinal]]
        map_ = node.args[0] if node.args else node.kwargs["input"]
        with changed.inserting_before(node):
            layer = changed.call_module(place.layer, (map_,))
            if place.flattens:
                layer = changed.call_method("flatten", (layer, 1))
        node.replace_all_uses_with(layer)
        changed.erase_node(node)
    return changed


@dataclass(frozen=True)
class ForwardCode:
    """A `forward` as text, the objects that it names, and the modules by their names: what a pickle keeps."""

    text: str
    objects: tuple[tuple[str, Any], ...]
    modules: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, graph: fx.Graph) -> "ForwardCode":
        """Return the text of a graph."""
        code = graph.python_code("self")
        modules = {name: value for name, value in code.globals.items() if isinstance(value, ModuleType)}
        objects = [(name, value) for name, value in code.globals.items() if name not in modules]
        return cls(code.src, tuple(objects), tuple((name, module.__name__) for name, module in modules.items()))

    def function(self, title: str) -> Any:
        """Return the `forward` itself; tracebacks show its lines."""
        file = f"<forward of {title}, rewired: {abs(hash(self.text)):x}>"
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)
        scope = {**dict(self.objects), **{name: import_module(module) for name, module in self.modules}}
        exec(compile(self.text, file, "exec"), scope)  # the text is torch.fx's own
        return scope["forward"]


@cache
def _rewired(base: Any, training: ForwardCode, evaluation: ForwardCode) -> Any:
    """Return a subclass of `base` with these two forwards."""
    in_training, in_evaluation = (each.function(base.__name__) for each in (training, evaluation))

    @wraps(in_evaluation)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return (in_training if self.training else in_evaluation)(self, *args, **kwargs)

    def reduce(self: Any, protocol: Any) -> Any:
        return _blank, (base, training, evaluation), self.__getstate__()

    return type(base.__name__, (base,), {
        "forward": in_training if training.text == evaluation.text else forward,
        FORWARDS[True]: in_training,
        FORWARDS[False]: in_evaluation,
        "__reduce_ex__": reduce,
        "__module__": base.__module__,
        "__doc__": base.__doc__,
        "as_written": base,
    })  # fmt: skip


def _blank(base: Any, training: ForwardCode, evaluation: ForwardCode) -> nn.Module:
    """Return the empty module that unpickling and copying start from."""
    kind = _rewired(base, training, evaluation)
    made: nn.Module = kind.__new__(kind)
    return made


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0].partition(". ")[0]
