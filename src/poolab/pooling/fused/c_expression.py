"""A graph of element-wise operations as C statements over vectors, one value for each node and lane."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx

from poolab.pooling.fused.recorder import NotFusable

aten = torch.ops.aten
ZERO, ONE = "all((real)0.0)", "all((real)1.0)"
# Formulas with one of these are rounded more than once anyhow.
ROUNDED = {aten.exp, aten.log, aten.expm1, aten.log1p, aten.tanh, aten.sigmoid, aten.pow}
SMALLEST = torch.finfo(torch.float32).tiny
SEVERAL = 3  # quotients by one divisor, from which on its reciprocal is faster


def statements(graph: fx.Graph, inputs: list[str]) -> tuple[list[str], list[str], set[str]]:
    """Return the C statements of a graph whose placeholders are the expressions `inputs`, its outputs, the inputs it
    uses.

    Raises:
        NotFusable: an operation that has no C form here.
    """
    lines: list[str] = []
    names: dict[fx.Node, str] = {}
    given = iter(inputs)
    outputs: list[str] = []
    quotients = Quotients(graph)
    for node in graph.nodes:
        if node.op == "placeholder":
            names[node] = next(given)
        elif node.op == "output":
            outputs = [ZERO if value is None else _operand(value, names) for value in node.args[0]]
        else:
            more, product = quotients.as_product(node, names)
            lines += more
            expression = product or _expression(node, names)
            if expression.isidentifier() or _is_literal(expression):
                names[node] = expression
                continue
            names[node] = f"v{len(lines)}"
            kind = "vmask" if _is_flag(node) else "vreal"
            lines.append(f"const {kind} {names[node]} = {expression};")
    used = set(re.findall(r"\bin\d+\b", " ".join([*lines, *outputs])))
    return lines, outputs, used


class Quotients:
    """Make quotients products, in formulas with an exponential or the like; elsewhere, as in means, they are exact."""

    def __init__(self, graph: fx.Graph):
        targets = {getattr(node.target, "overloadpacket", None) for node in graph.nodes}
        self.numerators: dict[fx.Node, set[Any]] = defaultdict(set)
        self.is_exact = not targets & ROUNDED
        self.reciprocals: dict[fx.Node, str] = {}
        for node in graph.nodes:
            if _is_quotient(node) and isinstance(node.args[1], fx.Node):
                self.numerators[node.args[1]].add(node.args[0])

    def as_product(self, node: fx.Node, names: Mapping[fx.Node, str]) -> tuple[list[str], str]:
        """Return a quotient as a product and the statements before it, or an empty text where it stays a quotient."""
        if self.is_exact or not _is_quotient(node):
            return [], ""
        numerator, divisor = node.args
        if not isinstance(divisor, fx.Node):
            return [], _by_number(_operand(numerator, names), float(divisor))  # type: ignore[arg-type]
        if len(self.numerators[divisor]) < SEVERAL:
            return [], ""
        before = []
        if divisor not in self.reciprocals:
            self.reciprocals[divisor] = f"of{len(self.reciprocals)}"
            before = [f"RECIPROCAL({self.reciprocals[divisor]}, {names[divisor]})"]
        return before, f"QUOTIENT({_operand(numerator, names)}, {self.reciprocals[divisor]})"


def _is_quotient(node: fx.Node) -> bool:
    packet = getattr(node.target, "overloadpacket", None)
    return packet is aten.div and not node.kwargs and not any(_is_flag(value) for value in node.args)


def _by_number(numerator: str, divisor: float) -> str:
    """Return the product with the reciprocal of a number, where both are normal numbers of float32."""
    return f"{numerator} * {literal(1 / divisor)}" if 1e-37 < abs(divisor) < 1e37 else ""


def _is_literal(text: str) -> bool:
    return re.fullmatch(r"all\((\(real\))?[-+.\w]+\)", text) is not None


def literal(value: float | bool | int) -> str:
    """Write a number in C, exact, for all lanes."""
    if isinstance(value, bool):
        return f"((vmask){{0}} - {int(value)})"
    if math.isnan(value):
        return "all(NAN)"
    if math.isinf(value):
        return "all(INFINITY)" if value > 0 else "all(-INFINITY)"
    return f"all((real){float(value)!r})"


def _operand(value: Any, names: Mapping[fx.Node, str]) -> str:
    return names[value] if isinstance(value, fx.Node) else literal(value)


def _expression(node: fx.Node, names: Mapping[fx.Node, str]) -> str:
    form = FORMS.get(getattr(node.target, "overloadpacket", None))
    if form is None:
        raise NotFusable(f"{node.target} has no C form")
    if node.meta["val"].dtype not in (torch.bool, torch.float32, torch.float64):
        raise NotFusable(f"{node.target} gives {node.meta['val'].dtype}")
    operands = [
        None if value is None else value if isinstance(value, list) else _operand(value, names) for value in node.args
    ]
    bounds = {name: _operand(node.kwargs[name], names) for name in ("min", "max") if node.kwargs.get(name) is not None}
    return form(node, *operands, **bounds)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, fx.Node) and value.meta["val"].dtype == torch.bool)


def _infix(sign: str) -> Callable[..., str]:
    def form(node: fx.Node, a: str, b: str) -> str:
        numbers = [f"NUMBER({text})" if _is_flag(of) else text for text, of in zip((a, b), node.args, strict=False)]
        return f"{numbers[0]} {sign} {numbers[1]}"

    return form


def _bitwise(sign: str) -> Callable[..., str]:
    return lambda node, a, b: f"{a} {sign} {b}"


def _sum(sign: str) -> Callable[..., str]:
    def form(node: fx.Node, a: str, b: str, alpha: str | None = None) -> str:
        scale = alpha or (literal(node.kwargs["alpha"]) if "alpha" in node.kwargs else None)  # type: ignore[arg-type]
        return f"{a} {sign} {b}" if scale is None else f"{a} {sign} {scale} * {b}"

    return form


def _function(name: str) -> Callable[..., str]:
    return lambda node, a: f"{name}({a})"


def _same(node: fx.Node, a: str, *shape: Any) -> str:
    return a


def _converted(node: fx.Node, a: str, *rest: Any) -> str:
    from_flag, to_flag = _is_flag(node.args[0]), _is_flag(node)
    if to_flag:
        return a if from_flag else f"{a} != {ZERO}"
    return f"NUMBER({a})" if from_flag else a


def _filled(value: float | None, place: int = 1) -> Callable[..., str]:
    def form(node: fx.Node, *operands: Any) -> str:
        given = node.args[place] if value is None else value
        if isinstance(given, fx.Node):
            raise NotFusable(f"{node.target} with a computed value")
        return literal(bool(given)) if _is_flag(node) else literal(float(given))  # type: ignore[arg-type]

    return form


def _chosen(node: fx.Node, flag: str, a: str, b: str) -> str:
    return f"{'CHOOSE' if _is_flag(node) else 'SELECT'}({flag}, {a}, {b})"


def _power(node: fx.Node, a: str, b: str) -> str:
    base, exponent = node.args[0], node.args[1]
    if isinstance(base, fx.Node) and not isinstance(exponent, fx.Node):
        simple = {
            0: literal(1.0),
            1: a,
            2: f"{a} * {a}",
            3: f"{a} * {a} * {a}",
            0.5: f"SQRT({a})",
            -0.5: f"{ONE} / SQRT({a})",
            -1: f"{ONE} / {a}",
        }
        if exponent in simple:
            return simple[exponent]  # type: ignore[index]
    return f"POW({a}, {b})"


def _clamp(node: fx.Node, a: str, *bounds: str | None, **named: str) -> str:
    low, high = (named.get(name, bound) for name, bound in zip(("min", "max"), (*bounds, None, None), strict=False))
    lifted = a if low is None else f"HIGHER({low}, {a})"
    return lifted if high is None else f"LOWER({high}, {lifted})"


def _is_clamped(value: Any) -> bool:
    """Return True for numbers that are clamped to positive normal ones."""
    lows = [*value.args[1:2], value.kwargs.get("min")] if isinstance(value, fx.Node) else []
    is_clamp = bool(lows) and getattr(value.target, "overloadpacket", None) in (aten.clamp, aten.clamp_min)
    return is_clamp and any(isinstance(low, float) and low >= SMALLEST for low in lows)


def _divided(node: fx.Node, a: str, b: str) -> str:
    mode = node.kwargs.get("rounding_mode")
    if mode not in (None, "floor"):
        raise NotFusable(f"{node.target} with rounding_mode={mode!r}")
    return f"{a} / {b}" if mode is None else f"FLOOR({a} / {b})"


FORMS: dict[Any, Callable[..., str]] = {
    aten.add: _sum("+"),
    aten.sub: _sum("-"),
    aten.rsub: lambda node, a, b: f"{b} - {a}",
    aten.mul: lambda node, a, b: f"{a} & {b}" if _is_flag(node) else _infix("*")(node, a, b),
    aten.div: _divided,
    aten.floor_divide: lambda node, a, b: f"FLOOR({a} / {b})",
    aten.neg: lambda node, a: f"-{a}",
    aten.reciprocal: lambda node, a: f"{ONE} / {a}",
    aten.abs: _function("FABS"),
    aten.exp: _function("EXP"),
    aten.log: lambda node, a: f"{'LOG_NORMAL' if _is_clamped(node.args[0]) else 'LOG'}({a})",
    aten.sqrt: _function("SQRT"),
    aten.rsqrt: lambda node, a: f"{ONE} / SQRT({a})",
    aten.expm1: _function("EXPM1"),
    aten.log1p: _function("LOG1P"),
    aten.tanh: _function("TANH"),
    aten.floor: _function("FLOOR"),
    aten.sigmoid: lambda node, a: f"{ONE} / ({ONE} + EXP(-{a}))",
    aten.square: lambda node, a: f"{a} * {a}",
    aten.pow: _power,
    aten.relu: lambda node, a: f"HIGHER({ZERO}, {a})",
    aten.sgn: lambda node, a: f"NUMBER({a} > {ZERO}) - NUMBER({a} < {ZERO})",
    aten.sign: lambda node, a: f"NUMBER({a} > {ZERO}) - NUMBER({a} < {ZERO})",
    # NaN wins, as in torch; HIGHER and LOWER give the second one where one is NaN
    aten.maximum: lambda node, a, b: f"SELECT({a} != {a}, {a}, HIGHER({a}, {b}))",
    aten.minimum: lambda node, a, b: f"SELECT({a} != {a}, {a}, LOWER({a}, {b}))",
    aten.clamp: _clamp,
    aten.clamp_min: lambda node, a, low: f"HIGHER({low}, {a})",
    aten.clamp_max: lambda node, a, high: f"LOWER({high}, {a})",
    aten.threshold_backward: lambda node, grad_output, a, limit: f"SELECT({a} <= {limit}, {ZERO}, {grad_output})",
    aten.where: _chosen,
    aten.masked_fill: lambda node, a, flag, value: _chosen(node, flag, value, a),
    aten.gt: _infix(">"),
    aten.lt: _infix("<"),
    aten.ge: _infix(">="),
    aten.le: _infix("<="),
    aten.eq: _infix("=="),
    aten.ne: _infix("!="),
    aten.bitwise_and: _bitwise("&"),
    aten.bitwise_or: _bitwise("|"),
    aten.bitwise_xor: _bitwise("^"),
    aten.bitwise_not: lambda node, a: f"~{a}",
    aten.logical_and: _bitwise("&"),
    aten.logical_or: _bitwise("|"),
    aten.logical_not: lambda node, a: f"~{a}",
    aten.isnan: lambda node, a: f"{a} != {a}",
    aten.isinf: lambda node, a: f"FABS({a}) == all(INFINITY)",
    aten.isfinite: lambda node, a: f"FABS({a}) < all(INFINITY)",
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
    aten.new_full: _filled(None, 2),
    aten.zeros_like: _filled(0.0),
    aten.ones_like: _filled(1.0),
    aten.zeros: _filled(0.0),
    aten.ones: _filled(1.0),
    aten.new_zeros: _filled(0.0),
    aten.new_ones: _filled(1.0),
}
