"""A copy of a function, made from its source, in which some calls are handed to an interceptor."""

import __future__

import ast
import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from types import CellType, CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

ACTIVATION, START, OWNER = "__poolab__", "__poolab_start__", "__poolab_owner__"  # names that no user's code has
DECORATOR = "__poolab_decorator__"
ORIGINAL = "poolab_original"  # the attribute of a copy that names the function it was made from
_FUTURES = reduce(or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names))

Position = tuple[int, int]  # where a call ends in the source: lines behind the function's first one, and the column


_ORIGINALS: WeakKeyDictionary[CodeType, CodeType] = WeakKeyDictionary()


class NoSource(Exception):
    """A function cannot be copied; the message says why."""


@dataclass(frozen=True)
class Parsed:
    """A function's source as a tree, with the line numbers of its file, and its original code."""

    tree: ast.FunctionDef
    code: CodeType
    imported: tuple[str, ...]

    def calls(self) -> dict[Position, ast.Call]:
        """Return every call in it by its position."""
        first = self.code.co_firstlineno
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))
        return {(node.end_lineno - first, node.end_col_offset): node for node in nodes if node.end_lineno is not None
                and node.end_col_offset is not None}  # fmt: skip


def original(function: Any) -> Any:
    """Return the function that a copy was made from, or the function itself."""
    return getattr(function, ORIGINAL, function)


def original_code(code: CodeType) -> CodeType:
    """Return the code that a copy was made from, or the code itself."""
    return _ORIGINALS.get(code, code)


@lru_cache(maxsize=512)
def parse(code: CodeType) -> Parsed:
    """Read and parse the source of a function, and prove that it is what runs.

    Raises:
        NoSource: there is none, or compiling it gives other code than the function has.
    """
    if code.co_name == "<lambda>":
        raise NoSource("a lambda has no source of its own: write it as a function with def")
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError) as fault:
        raise NoSource(f"the source of {code.co_qualname} cannot be read: put it into a file") from fault
    indented = lines[0][:1].isspace()
    try:
        tree = ast.parse("if 1:\n" + "".join(lines) if indented else "".join(lines))
    except SyntaxError as fault:
        raise NoSource(f"the source of {code.co_qualname} cannot be parsed") from fault
    ast.increment_lineno(tree, first - (2 if indented else 1))
    found: Any = tree.body[0].body[0] if isinstance(tree.body[0], ast.If) else tree.body[0]
    if not isinstance(found, ast.FunctionDef) or found.name != code.co_name:
        raise NoSource(f"{code.co_qualname} is not an ordinary function")
    for index, decorator in enumerate(found.decorator_list):  # they are applied already; they give the first line
        found.decorator_list[index] = ast.copy_location(ast.Name(DECORATOR, ast.Load()), decorator)
    parsed = Parsed(found, code, _imported("".join(inspect.findsource(code)[0])))
    again = _compiled(parsed, found)
    if again.co_code != code.co_code or again.co_names != code.co_names:
        raise NoSource(
            f"the source of {code.co_qualname} is not what runs: it changed after it was imported, or a tool rewrote it"
        )
    return parsed


def copied(
    function: FunctionType, indices: Mapping[Position, int], start: Callable[[Any], Any], *, own: bool, closes: bool
) -> FunctionType:
    """Return a copy that hands calls to an interceptor, and is the function itself in everything else.

    A call `f(x)` becomes `activation(index, None, f, x)`, and a call `a.f(x)` becomes `activation(index, a, "f", x)`,
    where `activation = start(owner)` was made when the function was entered. (A tracer does not see what a method of
    one of its stand-ins was, once it is fetched.)

    Args:
        function: what to copy.
        indices: the number that the interceptor gets for each position.
        start: makes the interceptor of one activation.
        own: the owner is the function's own first argument; otherwise it is passed by the keyword `OWNER`.
        closes: hand what the function returns to `activation.close`.

    Raises:
        NoSource: see `parse`; or a call is not where the code says.
    """
    parsed = deepcopy(parse(function.__code__))
    this = function.__code__.co_varnames[0] if function.__code__.co_argcount else OWNER
    owner = _first_argument(function.__code__) if own else OWNER
    calls = parsed.calls()
    missing = [position for position in indices if position not in calls]
    if missing:
        raise NoSource(f"no call of {function.__qualname__} ends at line {missing[0][0]}, column {missing[0][1]} of it")
    _Intercepted({id(calls[position]): index for position, index in indices.items()}, this).visit(parsed.tree)
    if closes:
        _close(parsed.tree)
    enter = ast.parse(f"{ACTIVATION} = {START}({owner})").body[0]
    place = 1 if ast.get_docstring(parsed.tree, clean=False) is not None else 0
    parsed.tree.body.insert(place, _at(enter, parsed.tree.body[0]))
    if not own:
        parsed.tree.args.kwonlyargs.append(_at(ast.arg(OWNER), parsed.tree))
        parsed.tree.args.kw_defaults.append(None)
    return _function(function, _compiled(parsed, parsed.tree, START), start)


class _Intercepted(ast.NodeTransformer):
    def __init__(self, indices: Mapping[int, int], this: str):
        self.indices = indices
        self.this = this

    def visit_Call(self, node: ast.Call) -> ast.AST:
        index = self.indices.get(id(node))
        self.generic_visit(node)
        if index is None:
            return node
        interceptor, number = ast.Name(ACTIVATION, ast.Load()), ast.Constant(index)
        of: list[ast.expr] = [ast.Constant(None), node.func]
        if isinstance(node.func, ast.Attribute) and not node.func.attr.startswith("__"):  # no private name
            of = [node.func.value, ast.Constant(node.func.attr)]
        inherited = self._inherited(node.func)
        if inherited is not None:  # a compiler can tell who inherits, and not what is inherited
            interceptor, of = ast.Attribute(interceptor, "inherited", ast.Load()), [inherited, node.func]  # type: ignore
        call = ast.Call(interceptor, [number, *of, *node.args], node.keywords)
        ast.copy_location(call, node)
        return ast.fix_missing_locations(call)

    def _inherited(self, function: ast.expr) -> ast.expr | None:
        """Return `self`, as an expression, where the function is `super().f`."""
        of = function.value if isinstance(function, ast.Attribute) else None
        if not (isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "super"):
            return None
        return of.args[1] if len(of.args) == 2 else ast.Name(self.this, ast.Load())


class _Returns(ast.NodeTransformer):
    """Hands what a function returns to `close`; the functions inside it keep theirs."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        value = node.value or ast.Constant(None)
        closing: Any = ast.parse(f"return {ACTIVATION}.close(0)").body[0]
        closing = _at(closing, node)
        closing.value.args = [_at(value, node) if node.value is None else value]
        return closing


def _close(tree: ast.FunctionDef) -> None:
    transformer = _Returns()
    tree.body = [transformer.visit(each) for each in tree.body]
    last: Any = ast.parse(f"return {ACTIVATION}.close(None)").body[0]
    tree.body.append(_at(last, tree.body[-1]))


def _at(node: Any, place: Any) -> Any:
    for each in ast.walk(node):
        ast.copy_location(each, place)
    return node


@lru_cache(maxsize=64)
def _imported(text: str) -> tuple[str, ...]:
    """Return the names that a file imports: Python compiles calls of their attributes in another way."""
    try:
        waiting: list[ast.AST] = [ast.parse(text)]
    except SyntaxError:  # a notebook with commands that are not Python
        return ()
    names = dict[str, None]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= dict.fromkeys((each.asname or each.name).partition(".")[0] for each in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            waiting += ast.iter_child_nodes(node)
    return tuple(name for name in names if name != "*")


def _first_argument(code: CodeType) -> str:
    if code.co_argcount:
        return code.co_varnames[0]
    if code.co_flags & inspect.CO_VARARGS:
        return f"{code.co_varnames[code.co_kwonlyargcount]}[0]"
    raise NoSource(f"{code.co_qualname} takes no self")


def _compiled(parsed: Parsed, tree: ast.FunctionDef, *more: str) -> CodeType:
    """Compile the function inside a class and a factory, for private names and for its free variables."""
    code = parsed.code
    scope = code.co_qualname.split(".")[-2:-1]
    title = scope[0] if scope and scope[0] != "<locals>" else "Plain"
    names = ", ".join([*code.co_freevars, *more, DECORATOR])
    imports = f"import {', '.join(parsed.imported)}\n" if parsed.imported else ""
    factory: Any = ast.parse(f"{imports}class {title}:\n def factory({names}): pass")
    # A function that calls itself finds itself as a global, unless it is a free variable of its own.
    known = [] if code.co_name in code.co_freevars else [ast.Global([code.co_name])]
    factory.body[-1].body[0].body = [*known, tree]
    flags = code.co_flags & _FUTURES
    made = compile(ast.fix_missing_locations(factory), code.co_filename, "exec", flags, dont_inherit=True)
    for name in (title, "factory", code.co_name):
        made = next(each for each in made.co_consts if isinstance(each, CodeType) and each.co_name == name)
    return made


def _function(function: FunctionType, code: CodeType, start: Callable[[Any], Any]) -> FunctionType:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    cells[START] = CellType(start)
    code = code.replace(co_qualname=function.__code__.co_qualname)
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__dict__.update(function.__dict__)
    made.__annotations__ = function.__annotations__
    made.__doc__, made.__qualname__, made.__module__ = function.__doc__, function.__qualname__, function.__module__
    setattr(made, ORIGINAL, original(function))
    _ORIGINALS[code] = original_code(function.__code__)
    return made
