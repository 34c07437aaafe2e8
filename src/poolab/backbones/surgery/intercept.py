"""A module whose own `forward` runs as it was written, with its pooling calls handed to layers.

Its class becomes a subclass in which the functions that pool are copies of the original ones (`source.copied`): same
source, same control flow, with each pooling call known by its place in the source. Whatever else they do, they do.
"""

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial, wraps
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn

from poolab.backbones.surgery.classes import below_parametrization
from poolab.backbones.surgery.containers import hiding
from poolab.backbones.surgery.functions import OBJECTS, REDUCTIONS, canonical, named_arguments, reduces_map
from poolab.backbones.surgery.source import OWNER, NoSource, Position, copied, original, original_code, parse

INSTANCE = "<forward of the instance>"  # a `forward` that was set on a module, as accelerate does


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
    """A call that looks like a pooling, and did not run when the network was swapped."""

    name: str


Group = PoolCalls | InnerCalls | Unseen


@dataclass(frozen=True)
class Node:
    """One function that pools: what happens at each point of its source."""

    title: str
    points: tuple[tuple[Position, tuple[Group, ...]], ...]


@dataclass(frozen=True)
class Wiring:
    """What is intercepted in one module: its methods by name, and the functions that would have been replaced too."""

    owner: str
    methods: tuple[tuple[str, Node], ...]
    replaced: tuple[str, ...]


_AMBIGUOUS = "{} has several layers there, one for each caller, and another one calls it"


class Refusal(RuntimeError):
    """A swapped network does what cannot be followed; it is told instead of computed."""


class Activation:
    """One run of a copied function: what its pooling calls are handed to."""

    __slots__ = ("counts", "owner", "table")

    def __init__(self, owner: nn.Module, table: "Table") -> None:
        self.owner = owner
        self.table = table
        self.counts = [0] * table.counters

    def __call__(self, index: int, of: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Do what stands at a point of the source instead of `function(*args)`, or `of.function(*args)`."""
        method = ""
        if isinstance(function, str):
            if not isinstance(of, ModuleType) and isinstance(of, (Tensor, fx.Proxy)):  # faster than |
                method, function, args = function, None, (of, *args)
            else:
                function = getattr(of, function)
        return self.table.points[index].run(self, method, function, args, kwargs)

    def inherited(self, index: int, this: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Do what stands at a point of the source instead of `super().function(*args)`."""
        inner = self.table.points[index].inner
        if not inner:
            return function(*args, **kwargs)
        return inner[0].copies[inner[0].number(self)](this, *args, **{**kwargs, OWNER: self.owner})

    def close(self, value: Any) -> Any:
        """Check, when the function ends, that calls told by their order were as many as before."""
        for counter, count, title in self.table.ordered:
            if self.counts[counter] not in (0, count):
                _refuse(self.table, f"{title} ran {self.counts[counter]} times instead of {count}, and which of its "
                        "layers belongs to which call is known by their order alone")  # fmt: skip
        return value


class Table:
    """What a copied function needs while it runs, made from its node."""

    def __init__(self, wiring: Wiring, node: Node, code: CodeType) -> None:
        self.owner = wiring.owner
        self.title = node.title
        self.file, self.first_line = os.path.basename(code.co_filename), code.co_firstlineno
        self.counters = 0
        self.ordered: list[tuple[int, int, str]] = []
        self.points = [Point(self, wiring, position, groups) for position, groups in node.points]

    def counter(self, count: int, title: str, alike: bool) -> int:
        """Return a new counter, checked at the end unless its calls are alike."""
        self.counters += 1
        if not alike:
            self.ordered.append((self.counters - 1, count, title))
        return self.counters - 1

    def start(self, owner: nn.Module) -> Activation:
        """Begin an activation."""
        return Activation(owner, self)


class Point:
    """One point of the source."""

    def __init__(self, table: Table, wiring: Wiring, position: Position, groups: tuple[Group, ...]) -> None:
        self.table = table
        self.line = table.first_line + position[0]
        self.layers = [_Layers(self, each) for each in groups if isinstance(each, PoolCalls) and each.is_layer]
        self.functions = [
            _Functions(self, each) for each in groups if isinstance(each, PoolCalls) and not each.is_layer
        ]
        self.inner = [_Inner(self, wiring, each) for each in groups if isinstance(each, InnerCalls)]
        self.replaced = wiring.replaced

    def run(self, activation: Activation, method: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """Hand a call to its layer, or let it run where it is no pooling."""
        for functions in self.functions:  # first, since this is what mostly stands here
            if functions.has(method, function, args, kwargs):
                return functions.take(activation, method, function, args, kwargs)
        if isinstance(function, partial):
            return self.run(activation, "", function.func, (*function.args, *args), {**function.keywords, **kwargs})
        if isinstance(function, nn.Module):
            for layers in self.layers:
                if layers.has(activation, function):
                    return layers.take(activation, function, args, kwargs)
            return function(*args, **kwargs)
        for inner in self.inner:
            if inner.has(function):
                return inner.take(activation, function, args, kwargs)
        if self.replaced:
            self._check_unseen(method, function, args, kwargs)
        return _plain(method, function, args, kwargs)

    def refuse(self, why: str) -> NoReturn:
        """Raise a refusal that names this point."""
        _refuse(self.table, f"at line {self.line} of {self.table.file} {why}")

    def _check_unseen(self, method: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> None:
        for name in self.replaced:
            is_it = name == method or (not method and _is_one_of(function, OBJECTS[name]))
            if is_it and (name not in REDUCTIONS or _reduces(name, args, kwargs)):
                self.refuse(f"{name} is called, which did not run when the network was swapped")


class _Counted:
    """Calls at one point that are told apart by their order, if there is more than one."""

    def __init__(self, point: Point, count: int, title: str, alike: bool) -> None:
        self.point = point
        self.count = count
        self.title = title
        self.alike = alike
        self.counter = point.table.counter(count, title, alike) if count > 1 else -1

    def number(self, activation: Activation) -> int:
        if self.counter < 0:
            return 0
        number = activation.counts[self.counter]
        activation.counts[self.counter] = number + 1
        if number >= self.count:
            if not self.alike:
                self.point.refuse(f"{self.title} is called more often than the {self.count} times when the network was "
                                  "swapped")  # fmt: skip
            return self.count - 1
        return number


class _Functions(_Counted):
    """Calls of a pooling function."""

    def __init__(self, point: Point, calls: PoolCalls) -> None:
        super().__init__(point, len(calls.places), calls.what, calls.alike)
        self.op = calls.what
        self.objects = OBJECTS[calls.what]
        self.is_reduction = calls.what in REDUCTIONS
        self.places = calls.places
        self.dims = next((place.dims for place in calls.places if place is not None), 2)
        self.expected = [dict(place.arguments or ()) if place is not None else {} for place in calls.places]
        # Arguments as they were written that were found right before; comparing them takes a third of an interception.
        self.right: list[set[Any]] = [set() for _ in calls.places]

    def has(self, method: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> bool:
        if method != self.op and (method or not _is_one_of(function, self.objects)):
            return False
        return not self.is_reduction or _reduces(self.op, args, kwargs, self.dims)

    def take(self, activation: Activation, method: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        number = self.number(activation)
        place = self.places[number]
        if place is None:
            return _plain(method, function, args, kwargs)
        if not place.layer:
            self.point.refuse(_AMBIGUOUS.format(self.title))
        given = args[0] if args else kwargs["input"]
        if torch.compiler.is_compiling():
            self._check(place, number, given, args, kwargs)
        else:
            written = (args[1:], *kwargs.items())
            if not (_is_fixed(written) and written in self.right[number]) and (
                self._check(place, number, given, args, kwargs) and _is_fixed(written)
            ):
                self.right[number].add(written)
        output = getattr(activation.owner, place.layer)(given)
        return torch.flatten(output, 1) if place.flattens else output

    def _check(self, place: Place, number: int, given: Any, args: tuple[Any, ...], kwargs: Any) -> bool:
        """Refuse other arguments than before; return whether these are right for every map."""
        found = canonical(self.op, named_arguments(self.op, args, kwargs), place.dims)
        if found == self.expected[number]:
            return True
        if not place.covers or _is_stand_in(given) or found.get("kernel_size") != tuple(given.shape[2:]):
            before, now = (_written(arguments) for arguments in (self.expected[number], found))
            self.point.refuse(
                f"{self.op} is called with {now}, and was replaced by {place.layer} where it had {before}"
            )
        return False


class _Layers(_Counted):
    """Calls of a layer that the owner calls several times."""

    def __init__(self, point: Point, calls: PoolCalls) -> None:
        super().__init__(point, len(calls.places), calls.what, calls.alike)
        self.layer = calls.what
        self.places = calls.places

    def has(self, activation: Activation, function: nn.Module) -> bool:
        return function is activation.owner.get_submodule(self.layer)

    def take(self, activation: Activation, function: nn.Module, args: tuple[Any, ...], kwargs: Any) -> Any:
        place = self.places[self.number(activation)]
        if place is not None and not place.layer:
            self.point.refuse(_AMBIGUOUS.format(self.title))
        return (function if place is None else getattr(activation.owner, place.layer))(*args, **kwargs)


class _Inner(_Counted):
    """Calls of another function that pools."""

    def __init__(self, point: Point, wiring: Wiring, calls: InnerCalls) -> None:
        alike = len(set(calls.nodes)) == 1
        super().__init__(point, 1 if alike else len(calls.nodes), calls.title, alike)
        self.name = calls.title
        self.wiring = wiring
        self.nodes = calls.nodes[: self.count]
        self.function = calls.function
        self.copies: list[FunctionType] = []
        if calls.function is not None:
            self._copy(calls.function)

    def has(self, function: Any) -> bool:
        found = original(target(function)[0])
        if self.function is None and isinstance(found, FunctionType) and found.__qualname__ == self.name:
            self._copy(found)
        return found is self.function and found is not None

    def take(self, activation: Activation, function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        copy = self.copies[self.number(activation)]
        _, before, named = target(function)
        return copy(*before, *args, **{**named, **kwargs, OWNER: activation.owner})

    def _copy(self, function: FunctionType) -> None:
        self.function = function
        self.copies = [copy_of(self.wiring, node, function, own=False) for node in self.nodes]


def copy_of(wiring: Wiring, node: Node, function: FunctionType, *, own: bool) -> FunctionType:
    """Return the copy of a function that does what its node says.

    Raises:
        NoSource: it cannot be copied.
    """
    node = _with_functions(node, function)
    node = Node(node.title, tuple(_with_unseen(node, function, wiring.replaced)))
    table = Table(wiring, node, original_code(function.__code__))
    indices = {position: index for index, (position, _) in enumerate(node.points)}
    return copied(function, indices, table.start, own=own, closes=bool(table.ordered))


def _with_functions(node: Node, function: FunctionType) -> Node:
    """Fill in inner functions that a pickle lacks, from what the outer one holds."""
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    known = {each.__qualname__: each for each in held if isinstance(each, FunctionType)}

    def filled(group: Group) -> Group:
        if isinstance(group, InnerCalls) and group.function is None:
            return replace(group, function=known.get(group.title))
        return group

    return replace(node, points=tuple((at, tuple(map(filled, groups))) for at, groups in node.points))


def _is_importable(function: FunctionType | None) -> bool:
    found: Any = sys.modules.get(getattr(function, "__module__", ""))
    for name in getattr(function, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is function


def _with_unseen(node: Node, function: FunctionType, replaced: tuple[str, ...]) -> Iterator[Any]:
    """Add the calls that look like a pooling of a kind that was replaced, and did not run."""
    known = dict(node.points)
    yield from node.points
    for position, call in parse(function.__code__).calls().items():
        name = getattr(call.func, "attr", getattr(call.func, "id", "")) if isinstance(call.func, ast.expr) else ""
        if name in replaced and position not in known:
            yield position, (Unseen(name),)


def target(function: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Return the Python function behind a callable, and the arguments that it is called with beforehand."""
    if isinstance(function, FunctionType):
        return function, (), {}
    if isinstance(function, MethodType):
        return function.__func__, (function.__self__,), {}
    if isinstance(function, partial):
        inner, before, named = target(function.func)
        return inner, (*before, *function.args), {**named, **function.keywords}
    if isinstance(function, type | nn.Module) or _is_stand_in(function):
        return None, (), {}
    call = next((vars(kind)["__call__"] for kind in type(function).__mro__ if "__call__" in vars(kind)), None)
    return (call, (function,), {}) if isinstance(call, FunctionType) else (None, (), {})


def intercept(module: nn.Module, wiring: Wiring) -> None:
    """Let a module hand its pooling calls to its layers; identity, class name and state stay.

    Raises:
        NoSource: one of its functions cannot be copied.
    """
    kind = below_parametrization(type(module), lambda base: intercepted_class(getattr(base, "written", base), wiring))
    own = next((node for name, node in wiring.methods if name == INSTANCE), None)
    if own is not None:
        module.__dict__["forward"] = _around(module, wiring, own)
    module.__class__ = kind
    for name, value in list(vars(module).items()):  # what others took from it before, as accelerate does
        if isinstance(value, MethodType) and value.__self__ is module:
            method = kind.overrides.get(original(value.__func__))
            if method is not None:
                module.__dict__[name] = MethodType(method, module)


def _around(module: nn.Module, wiring: Wiring, node: Node) -> Any:
    """Return the `forward` that was set on a module, with its pooling calls intercepted."""
    forward: Any = vars(module)["forward"]
    function, before, _ = target(forward)
    if not before or before[0] is not module:
        raise NoSource("its forward was set on the instance, and does not take the module as its first argument")
    copy = copy_of(wiring, node, function, own=True)
    if isinstance(forward, MethodType):
        return MethodType(copy, module)
    if not isinstance(forward, partial) or isinstance(forward.func, partial):
        raise NoSource(f"its forward was set on the instance, as a {type(forward).__name__}")
    made = partial(copy, *forward.args, **forward.keywords)
    vars(made).update(vars(forward))
    return made


@cache
def intercepted_class(base: Any, wiring: Wiring) -> Any:
    """Return the subclass of `base` whose methods hand their pooling calls to layers."""

    def reduce(self: Any, protocol: Any) -> Any:
        return _blank, (base, wiring), self.__getstate__()

    def refuse_script(self: Any) -> NoReturn:
        raise Refusal(
            f"torch.jit.script reads the source of {wiring.owner}.forward, where the poolings that were replaced still "
            "stand: use torch.export, or torch.jit.trace"
        )

    @wraps(base.__init__)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__class__ = base  # made anew from a network's class, as `type(net)(...)`, it is as it was written
        self.__init__(*args, **kwargs)

    overrides: dict[FunctionType, FunctionType] = {}
    body: dict[str, Any] = {}
    for name, node in wiring.methods:
        if name == INSTANCE:
            continue
        function = original(getattr(base, name))
        if function not in overrides:
            overrides[function] = copy_of(wiring, node, function, own=True)
        body[name] = overrides[function]
    return type(base.__name__, (base,), {
        **body,
        **hiding(base, frozenset(_layers(wiring))),
        "__init__": init,
        "__reduce_ex__": reduce,
        "__prepare_scriptable__": refuse_script,
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__doc__": base.__doc__,
        "written": base,
        "wiring": wiring,
        "overrides": overrides,
    })  # fmt: skip


def _layers(wiring: Wiring) -> Iterator[str]:
    """Return the names of all layers that take calls."""
    waiting: list[Any] = [node for _, node in wiring.methods]
    while waiting:
        groups = [group for _, here in waiting.pop().points for group in here]
        for group in groups:
            if isinstance(group, InnerCalls):
                waiting += group.nodes
            elif isinstance(group, PoolCalls):
                yield from (place.layer for place in group.places if place is not None)


def _blank(base: Any, wiring: Wiring) -> nn.Module:
    """Return the empty module that unpickling and copying start from."""
    try:
        kind = intercepted_class(base, wiring)
    except NoSource as fault:
        raise Refusal(
            f"{base.__qualname__} is another class than when the network was saved ({fault}): build the network, swap "
            "its poolings and load its state_dict instead"
        ) from fault
    made: nn.Module = kind.__new__(kind)
    return made


def _plain(method: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    return getattr(args[0], method)(*args[1:], **kwargs) if method else function(*args, **kwargs)


def _reduces(op: str, args: tuple[Any, ...], kwargs: Any, dims: int = 2) -> bool:
    """Return True if a reduction is that of a map; a tracer's stand-in for one has `dims` dimensions."""
    arguments = named_arguments(op, args, kwargs)
    given = arguments.get("input")
    return reduces_map(arguments, given.dim() - 2 if isinstance(given, Tensor) else dims)


def _written(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def _is_fixed(value: Any) -> bool:
    """Return True if a value is made of numbers and texts alone, so that what was found about it stays."""
    if isinstance(value, tuple):
        for each in value:  # noqa: SIM110
            if not _is_fixed(each):
                return False
        return True
    return isinstance(value, int | str | float | None)


def _is_one_of(function: Any, objects: tuple[Any, ...]) -> bool:
    for each in objects:  # noqa: SIM110  # a generator would take as long as the rest of an interception
        if function is each:
            return True
    return False


def _is_stand_in(value: Any) -> bool:
    return isinstance(value, fx.Proxy)


def _refuse(table: Table, why: str) -> NoReturn:
    whose = "" if table.owner in table.title.split(".") else f" of {table.owner}"
    raise Refusal(
        f"{table.title}{whose} pools otherwise than when swap_pooling ran it, in evaluation mode: {why}. Swap the "
        "network with an example_input that takes this way, or leave the places of this module out with slots="
    )
