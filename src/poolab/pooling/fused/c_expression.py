"""A graph of element-wise operations as C statements, one value for each node and lane."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx

from poolab.pooling.fused.program import NotFusable

aten = torch.ops.aten
ZERO = "(real)0.0"


def statements(graph: fx.Graph, inputs: list[str]) -> tuple[list[str], list[str], set[str]]:
    """The C statements of a graph whose placeholders are the expressions `inputs`; its outputs; the inputs it uses.

    Raises:
        NotFusable: an operation that has no C form here.
    """
    lines: list[str] = []
    names: dict[fx.Node, str] = {}
    given = iter(inputs)
    outputs: list[str] = []
    for node in graph.nodes:
        if node.op == "placeholder":
            if node.meta.get("val") is not None:  # what is None in the call has no input
                names[node] = next(given)
        elif node.op == "output":
            results = node.args[0]
            results = results if isinstance(results, list | tuple) else [results]
            outputs = [ZERO if value is None else _operand(value, names) for value in results]
        else:
            expression = _expression(node, names)
            if expression.isidentifier() or _is_literal(expression):
                names[node] = expression
                continue
            names[node] = f"v{len(lines)}"
            kind = "int" if node.meta["val"].dtype == torch.bool else "real"
            lines.append(f"const {kind} {names[node]} = {expression};")
    used = set(re.findall(r"\bin\d+\b", " ".join([*lines, *outputs])))
    return lines, outputs, used


def _is_literal(text: str) -> bool:
    return text.startswith("(real)") and " " not in text


def literal(value: float | bool | int) -> str:
    """A number in C, exact."""
    if isinstance(value, bool):
        return str(int(value))
    if math.isnan(value):
        return "(real)NAN"
    if math.isinf(value):
        return "(real)INFINITY" if value > 0 else "(real)-INFINITY"
    return f"(real){float(value)!r}"


def _operand(value: Any, names: Mapping[fx.Node, str]) -> str:
    return names[value] if isinstance(value, fx.Node) else literal(value)


def _expression(node: fx.Node, names: Mapping[fx.Node, str]) -> str:
    form = FORMS.get(getattr(node.target, "overloadpacket", None))
    if form is None:
        raise NotFusable(f"{node.target} has no C form")
    operands = [None if value is None else value if isinstance(value, list) else _operand(value, names) for value in node.args]
    return form(node, *operands)


def _infix(sign: str) -> Callable[..., str]:
    return lambda node, a, b: f"{a} {sign} {b}"


def _sum(sign: str) -> Callable[..., str]:
    def form(node: fx.Node, a: str, b: str, alpha: str | None = None) -> str:
        scale = alpha or (literal(node.kwargs["alpha"]) if "alpha" in node.kwargs else None)
        return f"{a} {sign} {b}" if scale is None else f"{a} {sign} {scale} * {b}"

    return form


def _function(name: str) -> Callable[..., str]:
    return lambda node, a: f"{name}({a})"


def _same(node: fx.Node, a: str, *shape: Any) -> str:
    return a


def _converted(node: fx.Node, a: str, *rest: Any) -> str:
    from_bool = node.args[0].meta["val"].dtype == torch.bool  # type: ignore[union-attr]
    if node.meta["val"].dtype == torch.bool:
        return a if from_bool else f"{a} != 0"
    return f"(real)({a})" if from_bool else a


def _filled(value: float | None, place: int = 1) -> Callable[..., str]:
    def form(node: fx.Node, *operands: Any) -> str:
        given = node.args[place] if value is None else value
        if isinstance(given, fx.Node):
            raise NotFusable(f"{node.target} with a computed value")
        is_flag = node.meta["val"].dtype == torch.bool
        return str(int(bool(given))) if is_flag else literal(float(given))

    return form


def _power(node: fx.Node, a: str, b: str) -> str:
    exponent = node.args[1]
    if isinstance(exponent, fx.Node):
        return f"POW({a}, {b})"
    simple = {0: "(real)1.0", 1: a, 2: f"{a} * {a}", 3: f"{a} * {a} * {a}", 0.5: f"SQRT({a})", -1: f"(real)1.0 / {a}"}
    return simple.get(exponent, f"POW({a}, {b})")  # type: ignore[call-overload]


def _clamp(node: fx.Node, a: str, low: str | None = None, high: str | None = None) -> str:
    low = low or _bound(node, "min")
    high = high or _bound(node, "max")
    lifted = a if low is None else f"({a} < {low} ? {low} : {a})"
    return lifted if high is None else f"({lifted} > {high} ? {high} : {lifted})"


def _bound(node: fx.Node, name: str) -> str | None:
    value = node.kwargs.get(name)
    if isinstance(value, fx.Node):
        raise NotFusable(f"{node.target} with a computed {name}")
    return None if value is None else literal(value)  # type: ignore[arg-type]


FORMS: dict[Any, Callable[..., str]] = {
    aten.add: _sum("+"),
    aten.sub: _sum("-"),
    aten.rsub: lambda node, a, b: f"{b} - {a}",
    aten.mul: _infix("*"),
    aten.div: _infix("/"),
    aten.neg: lambda node, a: f"-{a}",
    aten.reciprocal: lambda node, a: f"(real)1.0 / {a}",
    aten.abs: _function("FABS"),
    aten.exp: _function("EXP"),
    aten.log: _function("LOG"),
    aten.sqrt: _function("SQRT"),
    aten.rsqrt: lambda node, a: f"(real)1.0 / SQRT({a})",
    aten.expm1: _function("EXPM1"),
    aten.log1p: _function("LOG1P"),
    aten.tanh: _function("TANH"),
    aten.sigmoid: lambda node, a: f"(real)1.0 / ((real)1.0 + EXP(-{a}))",
    aten.pow: _power,
    aten.relu: lambda node, a: f"({a} < 0 ? (real)0.0 : {a})",
    aten.sgn: lambda node, a: f"(real)(({a} > 0) - ({a} < 0))",
    aten.sign: lambda node, a: f"(real)(({a} > 0) - ({a} < 0))",
    # NaN wins, as in torch
    aten.maximum: lambda node, a, b: f"((({a} > {b}) | ({a} != {a})) ? {a} : {b})",
    aten.minimum: lambda node, a, b: f"((({a} < {b}) | ({a} != {a})) ? {a} : {b})",
    aten.clamp: _clamp,
    aten.clamp_min: lambda node, a, low: f"({a} < {low} ? {low} : {a})",
    aten.clamp_max: lambda node, a, high: f"({a} > {high} ? {high} : {a})",
    aten.threshold_backward: lambda node, slope, a, limit: f"({a} <= {limit} ? (real)0.0 : {slope})",
    aten.where: lambda node, flag, a, b: f"({flag} ? {a} : {b})",
    aten.masked_fill: lambda node, a, flag, value: f"({flag} ? {value} : {a})",
    aten.gt: _infix(">"),
    aten.lt: _infix("<"),
    aten.ge: _infix(">="),
    aten.le: _infix("<="),
    aten.eq: _infix("=="),
    aten.ne: _infix("!="),
    aten.bitwise_and: _infix("&"),
    aten.bitwise_or: _infix("|"),
    aten.bitwise_xor: _infix("^"),
    aten.bitwise_not: lambda node, a: f"!{a}",
    aten.logical_and: _infix("&"),
    aten.logical_or: _infix("|"),
    aten.logical_not: lambda node, a: f"!{a}",
    aten.isnan: lambda node, a: f"{a} != {a}",
    aten.isinf: lambda node, a: f"FABS({a}) == (real)INFINITY",
    aten.isfinite: lambda node, a: f"FABS({a}) < (real)INFINITY",
    aten._to_copy: _converted,
    aten.alias: _same,
    aten.clone: _same,
    aten.detach: _same,
    aten.expand: _same,
    aten.view: _same,
    aten.lift_fresh_copy: _same,
    aten.scalar_tensor: _filled(None, 0),
    aten.full_like: _filled(None, 1),
    aten.full: _filled(None, 1),
    aten.zeros_like: _filled(0.0),
    aten.ones_like: _filled(1.0),
    aten.zeros: _filled(0.0),
    aten.ones: _filled(1.0),
}
