"""Run a copied function whose pooling calls are handed to layers."""

import ast
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn

from poolab.backbones.surgery.functions import (
    OBJECTS,
    REDUCTIONS,
    canonical,
    dims_of,
    named_arguments,
    reduces_map,
)
from poolab.backbones.surgery.instructions import Group, InnerCalls, Node, Place, PoolCalls, Unseen, Wiring
from poolab.backbones.surgery.source import OWNER, NoSource, Position, copied, original, original_code, parse

_AMBIGUOUS = (
    "{} has several layers there, one for each caller, and another one calls it (where callers must share a layer, "
    "make the method a module)"
)


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
    """The layers and checks of a copied function, made once from its node."""

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
        self.unseen = [each.name for each in groups if isinstance(each, Unseen) and each.name in wiring.names]
        self.replaced = wiring.replaced

    def run(self, activation: Activation, method: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """Hand a call to its layer, or let it run where it is no pooling."""
        for functions in self.functions:  # first, since this is what mostly stands here
            if functions.has(method, function, args, kwargs):
                return functions.take(activation, method, function, args, kwargs)
        if isinstance(function, partial):
            return self.run(activation, "", function.func, (*function.args, *args), {**function.keywords, **kwargs})
        if isinstance(function, nn.Module):
            return self._run_layer(activation, function, args, kwargs)
        for inner in self.inner:
            if inner.has(function):
                return inner.take(activation, function, args, kwargs)
        if self.replaced:
            self._check_unseen(method, function, args, kwargs)
        return _plain(method, function, args, kwargs)

    def _run_layer(self, activation: Activation, layer: nn.Module, args: tuple[Any, ...], kwargs: Any) -> Any:
        for layers in self.layers:
            if layers.has(activation, layer):
                return layers.take(activation, layer, args, kwargs)
        for name in self.unseen:
            if layer is activation.owner._modules.get(name):
                self.refuse(f"{name} is called, which did not run there when the network was swapped")
        return layer(*args, **kwargs)

    def refuse(self, why: str) -> NoReturn:
        """Raise a refusal that names this point."""
        _refuse(self.table, f"at line {self.line} of {self.table.file} {why}")

    def _check_unseen(self, method: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> None:
        for name in self.replaced:
            is_it = name == method or (not method and _is_one_of(function, OBJECTS[name]))
            if is_it and (_reduces(name, args, kwargs) if name in REDUCTIONS else _is_batch(name, args, kwargs)):
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
        if method != self.op and (method or not self._is_it(function, args, kwargs)):
            return False
        return not self.is_reduction or _reduces(self.op, args, kwargs, self.dims)

    def _is_it(self, function: Any, args: tuple[Any, ...], kwargs: Any) -> bool:
        if _is_one_of(function, self.objects):
            return True
        # F.max_pool2d with return_indices=True is known as max_pool2d_with_indices.
        plain = self.op.removesuffix("_with_indices")
        return plain != self.op and _is_one_of(function, OBJECTS[plain]) and (
            bool(named_arguments(plain, args, kwargs).get("return_indices")))  # fmt: skip

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
    node = Node(node.title, tuple(_with_unseen(node, function, wiring, own)))
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


def _with_unseen(node: Node, function: FunctionType, wiring: Wiring, own: bool) -> Iterator[Any]:
    """Add the calls that look like a pooling of a kind that was replaced, and did not run."""
    known = dict(node.points)
    yield from node.points
    for position, call in parse(function.__code__).calls().items():
        if position in known:
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", "")) if isinstance(call.func, ast.expr) else ""
        meant = function.__globals__.get(name) if isinstance(call.func, ast.Name) else None
        is_it = any(_is_one_of(meant, OBJECTS[each]) for each in wiring.replaced)
        if is_it or name in (*wiring.replaced, *wiring.names):
            yield position, (Unseen(name),)
        elif own and isinstance(meant, FunctionType) and _pools(meant, function, wiring):
            yield position, (InnerCalls(meant.__qualname__, meant, (Node(meant.__qualname__, ()),)),)


def _pools(meant: FunctionType, caller: FunctionType, wiring: Wiring) -> bool:
    """Return True for a function beside the caller that may pool: it is copied, and refuses where it does."""
    is_near = meant is not caller and meant.__module__ == caller.__module__
    return is_near and bool(set(meant.__code__.co_names) & set(wiring.replaced)) and _is_readable(meant)


def _is_readable(function: FunctionType) -> bool:
    try:
        parse(function.__code__)
    except NoSource:
        return False
    return True


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


def _plain(method: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    return getattr(args[0], method)(*args[1:], **kwargs) if method else function(*args, **kwargs)


def _reduces(op: str, args: tuple[Any, ...], kwargs: Any, dims: int = 2) -> bool:
    """Return True if a reduction is that of a map; a tracer's stand-in for one has `dims` dimensions."""
    arguments = named_arguments(op, args, kwargs)
    given = arguments.get("input")
    return reduces_map(arguments, given.dim() - 2 if isinstance(given, Tensor) else dims)


def _is_batch(op: str, args: tuple[Any, ...], kwargs: Any) -> bool:
    """Return False for a map without a batch, whose pooling is left as it is."""
    given = named_arguments(op, args, kwargs).get("input")
    return not isinstance(given, Tensor) or given.dim() == (dims_of(op) or 0) + 2


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
