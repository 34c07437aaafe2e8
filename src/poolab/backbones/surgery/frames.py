"""From the running frames to the place of a pooling call in a module's source."""

import ast
import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import CodeType, FrameType, FunctionType
from typing import Any

from torch import nn

from poolab.backbones.surgery.activation import target
from poolab.backbones.surgery.intercept import INSTANCE
from poolab.backbones.surgery.source import NoSource, Position, original, original_code, parse

_OURS = "poolab.backbones.surgery"
_INSIDE = ("torch.overrides", "torch.nn.functional", "torch._jit_internal", "torch.functional", "torch._tensor")
_MODULE = "torch.nn.modules.module"


class OffTheMap(Exception):
    """A pooling call cannot be handed to a layer; the message says why."""


@dataclass(frozen=True)
class Step:
    """One function on the way from a module's `forward` to a pooling call.

    Attributes:
        function: the function.
        position: where it calls the next one, or the pooling.
        number: how many calls its activation had made there before.
        method: its names in the owner's class, if it is one of its methods.
        recomputes: whether the call is in a function inside it, which others may call again, in another order.
    """

    function: FunctionType
    position: Position
    number: int
    method: tuple[str, ...]
    recomputes: bool


@dataclass
class Paths:
    """Finds the steps of pooling calls while a network runs; holds the frames, so that none is mistaken for another."""

    _numbers: dict[tuple[FrameType, Position, Any], int] = field(default_factory=dict)
    _counts: Counter[tuple[FrameType, Position]] = field(default_factory=Counter)

    def here(self, owner: nn.Module, frame: FrameType | None) -> tuple[Step, ...]:
        """Return the steps from the owner's `forward` to a frame.

        Raises:
            OffTheMap: a function on the way has no source, or something calls it that is not followed.
        """
        frames = list(_frames(frame))
        if not frames:
            raise OffTheMap("it is not called by Python code")
        links = _joined(frames)
        begin, functions = 0, list[FunctionType]()
        for index, link in enumerate(links):
            function = _entered(owner, link) if index == 0 else _function(_callee(links[index - 1]), link.code)
            if function is None:
                function = _method(owner, link)  # something calls it that is not followed: it is found by its name
                if function is None:
                    raise OffTheMap(_unknown(links, index, owner))
                begin, functions = index, []
            functions.append(function)
        return tuple(self._steps(owner, links[begin:], functions))

    def _steps(self, owner: nn.Module, links: list["_Link"], functions: list[FunctionType]) -> Iterator[Step]:
        for index, (link, function) in enumerate(zip(links, functions, strict=True)):
            _check_source(link)
            inner = links[index + 1].frame if index + 1 < len(links) else None
            number = self._number(link, inner)
            is_entered = index == 0 and vars(owner).get("forward") is not None and _entered(owner, link) is function
            methods = (INSTANCE,) if is_entered else _names(owner, link)
            yield Step(function, link.position, number, methods, link.recomputes)

    def _number(self, link: "_Link", inner: FrameType | None) -> int:
        place = (link.frame, link.position)
        if inner is None:
            self._counts[place] += 1
            return self._counts[place] - 1
        key = (*place, inner)
        if key not in self._numbers:
            self._numbers[key] = self._counts[place]
            self._counts[place] += 1
        return self._numbers[key]


@dataclass(frozen=True)
class _Link:
    """A frame, and where it calls; for a function inside another one, the place is told in the outer one's source."""

    frame: FrameType
    inner: FrameType
    code: CodeType
    position: Position
    recomputes: bool = False


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Return the frames from the innermost of the user's to the owner's `forward`."""
    while frame is not None and _is_inside(frame):
        frame = frame.f_back
    while frame is not None and frame.f_globals.get("__name__") != _MODULE:
        if not _room(frame).startswith(_OURS):
            yield frame
        frame = frame.f_back


def _is_inside(frame: FrameType) -> bool:
    return _room(frame) in (*_INSIDE, _MODULE) or _room(frame).startswith(_OURS)


def _room(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _joined(frames: list[FrameType]) -> list[_Link]:
    """Return links from the outermost to the innermost, functions inside others joined with those."""
    links = list[_Link]()
    for frame in reversed(frames):
        code = frame.f_code
        within = next((index for index, link in enumerate(links) if code in _nested(link.frame.f_code)), None)
        if within is None:
            links.append(_Link(frame, frame, original_code(code), _position(frame, code)))
        else:
            outer = links[within]
            again = outer.recomputes or not code.co_name.startswith("<") or code.co_name == "<lambda>"
            position = _position(frame, outer.frame.f_code)
            del links[within:]
            links.append(_Link(outer.frame, frame, outer.code, position, again))
    return links


def _nested(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _nested(each)


def _position(frame: FrameType, outer: CodeType) -> Position:
    """Return where a frame's present call ends, from the first line of the outer function."""
    places = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    _, end_line, _, end_column = places
    if end_line is None or end_column is None:
        raise OffTheMap("Python was started without the columns of calls (-X no_debug_ranges)")
    return end_line - outer.co_firstlineno, end_column


def _entered(owner: nn.Module, link: _Link) -> FunctionType | None:
    """Return the `forward` that was set on the instance, if the frame runs it."""
    own = vars(owner).get("forward")
    return None if own is None else _function(own, link.code)


def _method(owner: nn.Module, link: _Link) -> FunctionType | None:
    """Return a method of the owner by its code, if this is one of the owner's and this frame works for the owner."""
    names = _names(owner, link)
    return original(getattr(type(owner), names[0])) if names else None


def _names(owner: nn.Module, link: _Link) -> tuple[str, ...]:
    code = link.frame.f_code
    given = link.frame.f_locals
    if code.co_argcount:
        first = given.get(code.co_varnames[0])
    else:
        first = next(iter(given.get(code.co_varnames[code.co_kwonlyargcount], ())), None) if (
            code.co_flags & inspect.CO_VARARGS) else None  # fmt: skip
    if first is not owner:
        return ()
    found = []
    for name in dir(type(owner)):
        value = inspect.getattr_static(type(owner), name)
        if isinstance(value, FunctionType) and original(value).__code__ is link.code:
            found.append(name)
    return tuple(found)


def _callee(link: _Link) -> Any:
    """Return what a frame calls at present, as far as names tell."""
    try:
        call = parse(link.code).calls().get(link.position)
        return None if call is None else _value(call.func, link)
    except (NoSource, LookupError, AttributeError):
        return None


def _value(node: ast.expr, link: _Link) -> Any:
    frame = link.inner
    if isinstance(node, ast.Name):
        for scope in (frame.f_locals, link.frame.f_locals, frame.f_globals, frame.f_builtins):
            if node.id in scope:
                return scope[node.id]
        raise LookupError(node.id)
    if isinstance(node, ast.Attribute):
        of = node.value
        if isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "super":
            return _of_super(of, node.attr, link)
        return getattr(_value(of, link), node.attr)
    if isinstance(node, ast.Subscript):
        return _value(node.value, link)[_value(node.slice, link)]
    if isinstance(node, ast.Constant):
        return node.value
    raise LookupError


def _of_super(call: ast.Call, name: str, link: _Link) -> Any:
    local = link.frame.f_locals
    given = [_value(each, link) for each in call.args]
    kind, this = given if len(given) == 2 else (local["__class__"], local[link.frame.f_code.co_varnames[0]])
    return getattr(super(kind, this), name)


def _function(callee: Any, code: CodeType) -> FunctionType | None:
    function = original(target(callee)[0])
    return function if isinstance(function, FunctionType) and function.__code__ is code else None


def _unknown(links: list[_Link], index: int, owner: nn.Module) -> str:
    title = links[index].code.co_qualname
    first = links[index].frame.f_locals.get("self")
    if index == 0 and isinstance(first, nn.Module) and first is not owner and type(first).forward.__code__ is (
        links[0].frame.f_code):  # fmt: skip
        kind = type(first).__name__
        return (
            f"a {kind} computes it that is no part of the network: assign it to an attribute in __init__, as self.pool "
            f"= {kind}(...), or put several into an nn.ModuleList"
        )
    if index == 0:
        return f"{title} runs in the place of its forward"
    caller = links[index - 1].code.co_qualname
    return f"{title} is called by {caller} in a way that cannot be followed: call it by its name, or as a method"


def _check_source(link: _Link) -> None:
    try:
        calls = parse(link.code).calls()
    except NoSource as fault:
        raise OffTheMap(str(fault)) from fault
    if link.position not in calls:
        raise OffTheMap(f"no call stands at line {link.position[0]} of {link.code.co_qualname}")
