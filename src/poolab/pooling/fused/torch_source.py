"""A program as plain torch operations on one block of windows, written into buffers that are used again and again.

For machines that compile nothing: the operations are few, all of torch's vector loops, and their operands stay in a
cache. `torch.where` and comparisons that give bool are none of these loops (5 and 1.3 ns an element in one thread,
where an addition takes 0.2). So a flag is a number here, 1 or 0, as a comparison writes it into a float buffer, and a
choice takes bits: a flag's, spread over the word, select a's or b's.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from poolab.pooling.fused.program import Program
from poolab.pooling.fused.recorder import NotFusable

aten = torch.ops.aten
WORDS = {torch.float32: ("<f", "<i", 31), torch.float64: ("<d", "<q", 63)}


@dataclass(frozen=True)
class TorchFunction:
    """Hold a program's forward or backward as a Python function.

    Attributes:
        run: (inputs, buffers) -> outputs. Inputs are in the order of the program's placeholders, all of one shape,
            flags as numbers; inputs and buffers are pairs of a tensor and its view as integers. An output is a tensor,
            which may be a buffer, or a number.
        buffers: how many buffers it takes.
    """

    run: Callable[[list[Any], list[Any]], list[Any]]
    buffers: int


def torch_function(program: Program, dtype: torch.dtype, *, is_backward: bool) -> TorchFunction:
    """Return the function of a program.

    Raises:
        NotFusable: an operation that has no form here.
    """
    steps = Steps(dtype)
    outputs = steps.of(program.backward if is_backward else program.forward)
    text, buffers = _text(steps, outputs)
    space: dict[str, Any] = {"torch": torch, "inf": torch.inf, "nan": torch.nan}
    exec(compile(text, "<a formula in plain torch>", "exec"), space)
    return TorchFunction(space["run"], buffers)


@dataclass(frozen=True)
class Value:
    """Name what one step gives, or an input (a negative number)."""

    number: int


Operand = Value | float | int | bool


class Steps:
    """Collect the operations in order, one torch call each."""

    def __init__(self, dtype: torch.dtype):
        self.dtype = dtype
        self.calls: list[tuple[str, tuple[Operand, ...], bool]] = []  # text, operands, whether on integers
        self._masks: dict[Value, Value] = {}

    def call(self, text: str, *operands: Operand, bits: bool = False) -> Value:
        """Add one call of torch.`text`, whose {} are the operands."""
        self.calls.append((text, operands, bits))
        return Value(len(self.calls) - 1)

    def of(self, graph: fx.Graph) -> list[Operand]:
        """Add a graph; its outputs."""
        values: dict[fx.Node, Operand] = {}
        inputs = 0
        for node in graph.nodes:
            if node.op == "placeholder":
                inputs += 1
                values[node] = Value(-inputs)
            elif node.op == "output":
                return [_operand(value, values) for value in node.args[0]]
            elif not any(isinstance(values[source], Value) for source in node.all_input_nodes):
                values[node] = node.meta["val"].flatten()[0].item()  # of numbers alone: what it was in the recording
            else:
                form = FORMS.get(getattr(node.target, "overloadpacket", None))
                if form is None or node.meta["val"].dtype not in (torch.bool, self.dtype):
                    raise NotFusable(f"{node.target} has no form in plain torch")
                named = {name: values[value] for name, value in node.kwargs.items() if isinstance(value, fx.Node)}
                given = [None if value is None else _operand(value, values) for value in node.args]
                values[node] = form(self, node, *given, **named)
        raise AssertionError("a graph ends with its output")

    def mask(self, flag: Value) -> Value:
        """Return all bits where the flag is 1, none where it is 0."""
        if flag not in self._masks:
            shift = WORDS[self.dtype][2]
            up = self.call("bitwise_left_shift({}, 2", flag, bits=True)  # the exponent of 1.0 reaches the sign
            self._masks[flag] = self.call(f"bitwise_right_shift({{}}, {shift}", up, bits=True)
        return self._masks[flag]

    def chosen(self, flag: Operand, a: Operand, b: Operand) -> Operand:
        """Return a where the flag is 1, else b, to the last bit: no product, which would make NaN of 0 * inf."""
        if not isinstance(flag, Value):
            return a if flag else b
        mask = self.mask(flag)
        if not isinstance(a, Value) and not isinstance(b, Value):
            own = self.call(f"bitwise_and({{}}, {self.word(a) ^ self.word(b)}", mask, bits=True)
            return self.call("bitwise_xor({}, {}", own, b, bits=True)
        if self._is_nothing(b):
            return self.call("bitwise_and({}, {}", a, mask, bits=True)
        if not isinstance(a, Value):
            a, b, mask = b, a, self.call("bitwise_not({}", mask, bits=True)
            if self._is_nothing(b):
                return self.call("bitwise_and({}, {}", a, mask, bits=True)
        differing = self.call("bitwise_and({}, {}", self.call("bitwise_xor({}, {}", a, b, bits=True), mask, bits=True)
        return self.call("bitwise_xor({}, {}", differing, b, bits=True)

    def _is_nothing(self, value: Operand) -> bool:
        return not isinstance(value, Value) and self.word(value) == 0

    def word(self, value: float) -> int:
        """Return a number's bits."""
        number, word, _ = WORDS[self.dtype]
        return int(struct.unpack(word, struct.pack(number, float(value)))[0])


def _operand(value: Any, values: dict[fx.Node, Operand]) -> Any:
    return values[value] if isinstance(value, fx.Node) else 0.0 if value is None else value


def _text(steps: Steps, outputs: list[Operand]) -> tuple[str, int]:
    """Return the function's text and the number of its buffers, each used again once its content is no longer read."""
    last: dict[Operand, int] = {v: place for place, (_, operands, _) in enumerate(steps.calls) for v in operands}
    last |= {value: len(steps.calls) for value in outputs}
    used = sorted({-value.number for value in last if isinstance(value, Value) and value.number < 0})
    lines = ["def run(inputs, buffers):", *(f"    a{n}, ia{n} = inputs[{n - 1}]" for n in used)]
    names = {Value(-n): f"a{n}" for n in used}
    free: list[str] = []
    count = 0
    body = []
    for place, (text, operands, bits) in enumerate(steps.calls):
        if Value(place) not in last:
            continue
        given = [_named(operand, names, steps, bits) for operand in operands]
        free += [
            names[v] for v in dict.fromkeys(operands) if isinstance(v, Value) and v.number >= 0 and last[v] == place
        ]
        if not free:
            free.append(f"b{count}")
            count += 1
        names[Value(place)] = free.pop()
        body.append(f"    torch.{text.format(*given)}, out={'i' if bits else ''}{names[Value(place)]})")
    lines += [f"    b{n}, ib{n} = buffers[{n}]" for n in range(count)]
    results = ", ".join(_named(value, names, steps, False) for value in outputs)
    return "\n".join([*lines, *body, f"    return [{results}]"]), count


def _named(value: Operand, names: dict[Value, str], steps: Steps, bits: bool) -> str:
    if isinstance(value, Value):
        return f"{'i' if bits else ''}{names[value]}"
    return repr(steps.word(value) if bits else value)


# -- the forms: what torch calls an operation comes to


def _plain(text: str) -> Callable[..., Operand]:
    """Return two operands, of which at least one is no number."""

    def form(steps: Steps, node: fx.Node, a: Operand, b: Operand) -> Operand:
        if isinstance(a, Value):
            return steps.call(f"{text}({{}}, {{}}", a, b)
        if text in MIRRORED:
            return steps.call(f"{MIRRORED[text]}({{}}, {{}}", b, a)
        raise NotFusable(f"{node.target} of a number and a tensor")

    return form


MIRRORED = {"mul": "mul", "gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq", "ne": "ne"}


def _extreme(text: str, bound: str) -> Callable[..., Operand]:
    def form(steps: Steps, node: fx.Node, a: Operand, b: Operand) -> Operand:
        if isinstance(a, Value) and isinstance(b, Value):
            return steps.call(f"{text}({{}}, {{}}", a, b)
        value, number = (a, b) if isinstance(a, Value) else (b, a)
        return steps.call(f"clamp({{}}, {bound}={number!r}", value)

    return form


def _one(text: str) -> Callable[..., Operand]:
    return lambda steps, node, a: steps.call(f"{text}({{}}", a)


def _sum(sign: int) -> Callable[..., Operand]:
    def form(steps: Steps, node: fx.Node, a: Operand, b: Operand) -> Operand:
        alpha: Any = sign * node.kwargs.get("alpha", 1)  # type: ignore[operator]
        if not isinstance(b, Value):
            return steps.call("add({}, {}", a, alpha * b)
        if not isinstance(a, Value):
            scaled = b if alpha == 1 else steps.call("neg({}" if alpha == -1 else f"mul({{}}, {alpha}", b)
            return steps.call("add({}, {}", scaled, a)
        return steps.call("add({}, {}" if alpha == 1 else f"add({{}}, {{}}, alpha={alpha}", a, b)

    return form


def _power(steps: Steps, node: fx.Node, a: Operand, b: Operand) -> Operand:
    if b == 1:
        return a
    if b == 3:
        return steps.call("mul({}, {}", steps.call("mul({}, {}", a, a), a)
    return steps.call("pow({}, {}", a, b)


def _divided(steps: Steps, node: fx.Node, a: Operand, b: Operand) -> Operand:
    mode = node.kwargs.get("rounding_mode")
    if not isinstance(a, Value):
        inverse = steps.call("reciprocal({}", b)
        result = inverse if a == 1 else steps.call("mul({}, {}", inverse, a)
    else:
        result = steps.call("div({}, {}", a, b)
    return result if mode is None else steps.call("floor({}", result)


def _clamped(steps: Steps, node: fx.Node, a: Operand, *bounds: Any, **named: Any) -> Operand:
    named = {**node.kwargs, **named}
    low, high = (named.get(name, bound) for name, bound in zip(("min", "max"), (*bounds, None, None), strict=False))
    for text, bound in (("maximum", low), ("minimum", high)):
        if isinstance(bound, Value):
            a = steps.call(f"{text}({{}}, {{}}", a, bound)
    low, high = (None if isinstance(bound, Value) else bound for bound in (low, high))
    return a if low is high is None else steps.call(f"clamp({{}}, min={low!r}, max={high!r}", a)


def _filled(value: float | None, place: int = 1) -> Callable[..., Operand]:
    def form(steps: Steps, node: fx.Node, *operands: Any) -> Operand:
        given = node.args[place] if value is None else value
        if isinstance(given, fx.Node):
            raise NotFusable(f"{node.target} with a computed value")
        return given  # type: ignore[return-value]

    return form


def _same(steps: Steps, node: fx.Node, a: Operand, *rest: Any) -> Operand:
    return a


def _converted(steps: Steps, node: fx.Node, a: Operand, *rest: Any) -> Operand:
    to_flag = node.meta["val"].dtype == torch.bool and node.args[0].meta["val"].dtype != torch.bool  # type: ignore[union-attr]
    return steps.call("ne({}, 0.0", a) if to_flag else a


def _sign(steps: Steps, node: fx.Node, a: Operand) -> Operand:
    return steps.call("sign({}", a)


def _both(steps: Steps, node: fx.Node, a: Operand, b: Operand) -> Operand:
    for one, other in ((a, b), (b, a)):
        if not isinstance(one, Value):
            return other if one else 0.0
    return steps.call("mul({}, {}", a, b)


def _either(steps: Steps, node: fx.Node, a: Operand, b: Operand) -> Operand:
    for one, other in ((a, b), (b, a)):
        if not isinstance(one, Value):
            return 1.0 if one else other
    return steps.call("maximum({}, {}", a, b)


def _not(steps: Steps, node: fx.Node, a: Operand) -> Operand:
    return steps.call("eq({}, 0.0", a)


def _is_nan(steps: Steps, node: fx.Node, a: Operand) -> Operand:
    return steps.call("ne({}, {}", a, a)


def _is_infinite(steps: Steps, node: fx.Node, a: Operand) -> Operand:
    return steps.call("eq({}, inf", steps.call("abs({}", a))


def _is_finite(steps: Steps, node: fx.Node, a: Operand) -> Operand:
    return steps.call("lt({}, inf", steps.call("abs({}", a))


FORMS: dict[Any, Callable[..., Operand]] = {
    aten.add: _sum(1),
    aten.sub: _sum(-1),
    aten.rsub: lambda steps, node, a, b: _sum(-1)(steps, node, b, a),
    aten.mul: _plain("mul"),
    aten.div: _divided,
    aten.floor_divide: lambda steps, node, a, b: steps.call("floor({}", _divided(steps, node, a, b)),
    aten.pow: _power,
    aten.maximum: _extreme("maximum", "min"),
    aten.minimum: _extreme("minimum", "max"),
    aten.clamp: _clamped,
    aten.relu: lambda steps, node, a: steps.call("clamp({}, min=0.0", a),
    aten.clamp_min: lambda steps, node, a, low: _clamped(steps, node, a, low),
    aten.clamp_max: lambda steps, node, a, high: _clamped(steps, node, a, None, high),
    aten.threshold_backward: lambda steps, node, grad_output, a, limit: steps.chosen(
        steps.call("le({}, {}", a, limit), 0.0, grad_output
    ),
    aten.where: lambda steps, node, flag, a, b: steps.chosen(flag, a, b),
    aten.masked_fill: lambda steps, node, a, flag, value: steps.chosen(flag, value, a),
    aten.sgn: _sign,
    aten.sign: _sign,
    aten.isnan: _is_nan,
    aten.isinf: _is_infinite,
    aten.isfinite: _is_finite,
    aten._to_copy: _converted,
    **{form: _plain(form.__name__) for form in (aten.gt, aten.lt, aten.ge, aten.le, aten.eq, aten.ne)},
    **{
        form: _one(form.__name__)
        for form in (
            aten.neg, aten.reciprocal, aten.abs, aten.exp, aten.log, aten.sqrt, aten.rsqrt, aten.expm1, aten.log1p,
            aten.tanh, aten.sigmoid, aten.floor, aten.square,
        )
    },
    **dict.fromkeys((aten.bitwise_and, aten.logical_and), _both),
    **dict.fromkeys((aten.bitwise_or, aten.logical_or), _either),
    aten.bitwise_xor: _plain("ne"),
    **dict.fromkeys((aten.bitwise_not, aten.logical_not), _not),
    **dict.fromkeys((aten.alias, aten.clone, aten.detach, aten.expand, aten.view, aten.lift_fresh_copy), _same),
    **dict.fromkeys((aten.full_like, aten.full), _filled(None)),
    aten.scalar_tensor: _filled(None, 0),
    aten.new_full: _filled(None, 2),
    **dict.fromkeys((aten.zeros_like, aten.zeros, aten.new_zeros), _filled(0.0)),
    **dict.fromkeys((aten.ones_like, aten.ones, aten.new_ones), _filled(1.0)),
}  # fmt: skip
