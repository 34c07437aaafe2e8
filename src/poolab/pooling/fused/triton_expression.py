"""A graph of element-wise operations as Triton statements, one value for each node."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx

from poolab.pooling.fused.recorder import NotFusable

aten = torch.ops.aten


class Body:
    """Collect the statements of a kernel, and the constants that they name.

    Args:
        real: the dtype that is computed in, as Triton writes it.
    """

    def __init__(self, real: str):
        self.real = real
        self.lines: list[str] = []
        self.constants: dict[str, str] = {}  # the literal of a constant: its name

    def note(self, name: str, expression: str) -> str:
        """Add a statement that gives the expression a name."""
        self.lines.append(f"{name} = {expression}")
        return name

    def literal(self, value: float | bool) -> str:
        """Return the name of a number in the computed dtype (Triton would take a number as float32), or of a flag."""
        kind = "tl.int1" if isinstance(value, bool) else self.real
        text = repr(value) if isinstance(value, bool) or math.isfinite(value) else f'float("{value}")'
        return self.constants.setdefault(f"tl.full((), {text}, {kind})", f"k{len(self.constants)}")

    def preamble(self) -> list[str]:
        """Return the statements that make the constants."""
        return [f"{name} = {text}" for text, name in self.constants.items()]

    def add(self, graph: fx.Graph, inputs: Sequence[str], wanted: Sequence[int], prefix: str) -> list[str]:
        """Append what the wanted outputs of a graph need; their expressions. `inputs` stand for its placeholders.

        Raises:
            NotFusable: an operation that has no Triton form here.
        """
        names: dict[fx.Node, str] = {}
        given = iter(inputs)
        outputs = [_output(graph, index) for index in wanted]
        needed = _needed(outputs)
        for node in graph.nodes:
            if node.op == "placeholder":
                names[node] = next(given)
            elif node.op == "call_function" and node in needed:
                expression = self._expression(node, names)
                is_name = expression.isidentifier()
                names[node] = expression if is_name else self.note(f"{prefix}{len(names)}", expression)
        return [self._operand(output, names) for output in outputs]

    def _operand(self, value: Any, names: Mapping[fx.Node, str]) -> str:
        if isinstance(value, fx.Node):
            return names[value]
        return self.literal(0.0 if value is None else value if isinstance(value, bool) else float(value))

    def _expression(self, node: fx.Node, names: Mapping[fx.Node, str]) -> str:
        form = FORMS.get(getattr(node.target, "overloadpacket", None))
        if form is None:
            raise NotFusable(f"{node.target} has no Triton form")
        if node.meta["val"].dtype not in (torch.bool, torch.float32, torch.float64):
            raise NotFusable(f"{node.target} gives {node.meta['val'].dtype}")
        operands = [
            None if value is None else value if isinstance(value, list) else self._operand(value, names)
            for value in node.args
        ]
        return form(self, node, *operands)

    def number(self, text: str, of: Any) -> str:
        """Return a flag as a number, and a number as it is."""
        return f"{text}.to({self.real})" if is_flag(of) else text

    def keyword(self, node: fx.Node, name: str) -> str | None:
        """Return the literal of a keyword argument."""
        value = node.kwargs.get(name)
        if isinstance(value, fx.Node):
            raise NotFusable(f"{node.target} with a computed {name}")
        return None if value is None else self.literal(float(value))  # type: ignore[arg-type]


def is_flag(value: Any) -> bool:
    """Return True if a node, or a constant, is a truth value."""
    return isinstance(value, bool) or (isinstance(value, fx.Node) and value.meta["val"].dtype == torch.bool)


def _output(graph: fx.Graph, index: int) -> Any:
    """Return a node, a number, or None where it is always 0, as all gradients are of a formula that is constant."""
    (output,) = (node for node in graph.nodes if node.op == "output")
    results: Any = output.args[0]
    return results[index] if index < len(results) else None


def _needed(wanted: Sequence[Any]) -> set[fx.Node]:
    """Return the nodes that the wanted ones are computed from."""
    needed: set[fx.Node] = set()
    left = [value for value in wanted if isinstance(value, fx.Node)]
    while left:
        node = left.pop()
        if node not in needed:
            needed.add(node)
            left += node.all_input_nodes
    return needed


Form = Callable[..., str]


def _infix(sign: str) -> Form:
    return lambda body, node, a, b: f"{body.number(a, node.args[0])} {sign} {body.number(b, node.args[1])}"


def _both(body: Body, node: fx.Node, a: str, b: str) -> str:
    true, false = body.literal(True), body.literal(False)
    if false in (a, b):
        return false
    return b if a == true else a if b == true else f"{a} & {b}"


def _either(body: Body, node: fx.Node, a: str, b: str) -> str:
    true, false = body.literal(True), body.literal(False)
    if true in (a, b):
        return true
    return b if a == false else a if b == false else f"{a} | {b}"


def _not(body: Body, node: fx.Node, a: str) -> str:
    true, false = body.literal(True), body.literal(False)
    return {true: false, false: true}.get(a, f"~{a}")


def _sum(sign: str) -> Form:
    def form(body: Body, node: fx.Node, a: str, b: str, alpha: str | None = None) -> str:
        scale = alpha or body.keyword(node, "alpha")
        a, b = body.number(a, node.args[0]), body.number(b, node.args[1])
        return f"{a} {sign} {b}" if scale is None else f"{a} {sign} {scale} * {b}"

    return form


def _function(name: str) -> Form:
    return lambda body, node, a: f"{name}({a})"


def _same(body: Body, node: fx.Node, a: str, *shape: Any) -> str:
    return a


def _converted(body: Body, node: fx.Node, a: str, *rest: Any) -> str:
    if is_flag(node):
        return a if is_flag(node.args[0]) else f"{a} != {body.literal(0.0)}"
    return body.number(a, node.args[0])


def _filled(value: float | None, place: int = 1) -> Form:
    def form(body: Body, node: fx.Node, *operands: Any) -> str:
        given = node.args[place] if value is None else value
        if isinstance(given, fx.Node):
            raise NotFusable(f"{node.target} with a computed value")
        return body.literal(bool(given) if is_flag(node) else float(given))  # type: ignore[arg-type]

    return form


def _chosen(body: Body, node: fx.Node, flag: str, a: str, b: str) -> str:
    known = {body.literal(True): a, body.literal(False): b}
    return known.get(flag, f"tl.where({flag}, {a}, {b})")


def _power(body: Body, node: fx.Node, a: str, b: str) -> str:
    base, exponent = node.args[0], node.args[1]
    if isinstance(base, fx.Node) and not isinstance(exponent, fx.Node):
        one = body.literal(1.0)
        simple = {0: one, 1: a, 2: f"{a} * {a}", 3: f"{a} * {a} * {a}", 0.5: f"root({a})", -1: f"quotient({one}, {a})"}
        if exponent in simple:
            return simple[exponent]  # type: ignore[index]
    return f"power({a}, {b})"


def _clamp(body: Body, node: fx.Node, a: str, low: str | None = None, high: str | None = None) -> str:
    low, high = low or body.keyword(node, "min"), high or body.keyword(node, "max")
    lifted = a if low is None else f"tl.where({a} < {low}, {low}, {a})"
    return lifted if high is None else f"tl.where({lifted} > {high}, {high}, {lifted})"


def _divided(body: Body, node: fx.Node, a: str, b: str) -> str:
    mode, divisor = node.kwargs.get("rounding_mode"), node.args[1]
    if mode not in (None, "floor"):
        raise NotFusable(f"{node.target} with rounding_mode={mode!r}")
    if isinstance(divisor, int | float) and math.frexp(divisor)[0] == 0.5:  # a power of two: its inverse is exact
        quotient = f"{a} * {body.literal(1.0 / divisor)}"
    else:
        quotient = f"quotient({body.number(a, node.args[0])}, {b})"
    return quotient if mode is None else f"tl.floor({quotient})"


def _sign(body: Body, node: fx.Node, a: str) -> str:
    zero = body.literal(0.0)
    return f"({a} > {zero}).to({body.real}) - ({a} < {zero}).to({body.real})"


def _extreme(name: str) -> Form:
    return lambda body, node, a, b: f"tl.{name}({a}, {b}, propagate_nan=tl.PropagateNan.ALL)"


def _with(form: str, *numbers: float) -> Form:
    """Return a form with operands {0}, {1} and so on, and the literals {k[0]}, {k[1]} of these numbers."""
    return lambda body, node, *operands: form.format(*operands, k=[body.literal(number) for number in numbers])


FORMS: dict[Any, Form] = {
    aten.add: _sum("+"),
    aten.sub: _sum("-"),
    aten.rsub: _with("{1} - {0}"),
    aten.mul: lambda body, node, a, b: (_both if is_flag(node) else _infix("*"))(body, node, a, b),
    aten.div: _divided,
    aten.floor_divide: _with("tl.floor(quotient({0}, {1}))"),
    aten.neg: _with("-{0}"),
    aten.reciprocal: _with("quotient({k[0]}, {0})", 1.0),
    aten.abs: _function("tl.abs"),
    aten.exp: _function("tl.exp"),
    aten.log: _function("tl.log"),
    aten.sqrt: _function("root"),
    aten.rsqrt: _with("quotient({k[0]}, root({0}))", 1.0),
    aten.expm1: _function("expm1"),
    aten.log1p: _function("log1p"),
    aten.tanh: _function("tanh"),
    aten.floor: _function("tl.floor"),
    aten.sigmoid: _with("quotient({k[0]}, {k[0]} + tl.exp(-{0}))", 1.0),
    aten.square: _with("{0} * {0}"),
    aten.pow: _power,
    aten.relu: _with("tl.where({0} < {k[0]}, {k[0]}, {0})", 0.0),
    aten.sgn: _sign,
    aten.sign: _sign,
    aten.maximum: _extreme("maximum"),
    aten.minimum: _extreme("minimum"),
    aten.clamp: _clamp,
    aten.clamp_min: _with("tl.where({0} < {1}, {1}, {0})"),
    aten.clamp_max: _with("tl.where({0} > {1}, {1}, {0})"),
    aten.threshold_backward: _with("tl.where({1} <= {2}, {k[0]}, {0})", 0.0),
    aten.where: _chosen,
    aten.masked_fill: lambda body, node, a, flag, value: _chosen(body, node, flag, value, a),
    aten.gt: _infix(">"),
    aten.lt: _infix("<"),
    aten.ge: _infix(">="),
    aten.le: _infix("<="),
    aten.eq: _infix("=="),
    aten.ne: _infix("!="),
    aten.bitwise_and: _both,
    aten.bitwise_or: _either,
    aten.bitwise_xor: _with("{0} ^ {1}"),
    aten.bitwise_not: _not,
    aten.logical_and: _both,
    aten.logical_or: _either,
    aten.logical_not: _not,
    aten.isnan: _with("{0} != {0}"),
    aten.isinf: _with("tl.abs({0}) == {k[0]}", math.inf),
    aten.isfinite: _with("tl.abs({0}) < {k[0]}", math.inf),
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
