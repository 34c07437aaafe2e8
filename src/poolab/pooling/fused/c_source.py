"""The C source of a kernel: loops over windows around the statements of a program.

The innermost loop runs over lanes: the channels of one window where the map is channels_last, the windows of one row
where it is contiguous. In both, the lanes are consecutive in memory (a contiguous row is first split into the phases of
its stride), so that each statement is one of the machine's vector instructions. Each thread owns whole maps (or blocks
of channels), so the gradient is summed without atomics and in one order: the kernels are deterministic.
"""

from dataclasses import dataclass
from importlib.resources import files

import torch

from poolab.pooling.core.geometry import Geometry
from poolab.pooling.fused.c_expression import ZERO, statements
from poolab.pooling.fused.program import Program, passes_on

ELEMENTS = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
NOISE = {"window": "NOISE_WINDOW", "channel": "NOISE_CHANNEL", "sample": "NOISE_SAMPLE"}


@dataclass(frozen=True)
class Loops:
    """Describe a C kernel; the padding and the sizes of the map are arguments of its functions."""

    whole: Program
    masked: Program
    geometry: Geometry
    dtype: torch.dtype
    is_channels_last: bool


def c_source(loops: Loops) -> str:
    """Return the text of the C file."""
    layout = "channels_last.c" if loops.is_channels_last else "contiguous.c"
    names = ("vectors.c", "functions.c", "common.c", layout, "probe.c")
    parts = [files(__package__).joinpath(name).read_text(encoding="utf-8") for name in names]
    return "\n".join([*_sizes(loops), *_param_grads(loops.whole.values), *_bodies(loops), *parts])


def _sizes(loops: Loops) -> list[str]:
    g = loops.geometry
    lead = (1,) * (3 - g.dims)
    letters = {"K": g.kernel_size, "S": g.stride, "E": g.dilation}  # D is the depth
    lines = [
        f"#define {letter}{axis} {value}"
        for letter, values in letters.items()
        for axis, value in zip("DHW", (*lead, *values), strict=True)
    ]
    numbers = {
        "ELEMENT": ELEMENTS[loops.dtype],
        "VALUES": loops.whole.values,
        "PASSES_ON": int(passes_on(loops.whole) and passes_on(loops.masked)),
    }
    return [*lines, *(f"#define {name} {value}" for name, value in numbers.items())]


def _param_grads(count: int) -> list[str]:
    """Return the sums of the values' gradients over a contiguous row: a vector each, then one number."""
    names = [f"param_grad{index}" for index in range(count)]
    valid = "vmask valid; for (long i = 0; i < LANES; i++) valid[i] = -(i < count);" if names else ""
    added = " ".join(f"param_grad_sums[{n}] += param_grad{n}[i];" for n in range(count))
    return [
        f"#define PARAM_GRADS {' '.join(f'vreal {name} = {{0}};' for name in names)}",
        f"#define SUM_PARAM_GRADS for (int i = 0; i < LANES; i++) {{ {added} }}",
        f"#define VALID {valid}",
    ]


def _bodies(loops: Loops) -> list[str]:
    return [
        _macro(f"{direction}_{name}", made(program))
        for name, program in (("WHOLE", loops.whole), ("MASKED", loops.masked))
        for direction, made in (("FORWARD", _forward), ("BACKWARD", _backward))
    ]


def _macro(name: str, lines: list[str]) -> str:
    return f"#define {name} \\\n  " + " \\\n  ".join(lines)


def _inputs(program: Program) -> list[str]:
    taps = range(program.taps)
    given = [f"TAP({tap})" for tap in taps]
    if program.is_masked:
        given += [*(f"REAL({tap})" for tap in taps), "COUNT"]
    for draw, kind in enumerate(program.draws):
        by_tap = kind == "position"
        given += [f"NOISE_POSITION({draw}, {tap})" for tap in taps] if by_tap else [f"{NOISE[kind]}({draw})"]
    return given + [f"VALUE({index})" for index in range(program.values)]


def _named(given: list[str], used: set[str]) -> list[str]:
    """Return each input that is used, read once into a name."""
    kinds = ["vmask" if text.startswith("REAL") else "vreal" for text in given]
    named = zip(kinds, given, strict=True)
    return [f"const {kind} in{n} = {text};" for n, (kind, text) in enumerate(named) if f"in{n}" in used]


def _forward(program: Program) -> list[str]:
    given = _inputs(program)
    lines, (output,), used = statements(program.forward, [f"in{n}" for n in range(len(given))])
    return [*_named(given, used), *lines, f"PUT({output});"]


def _backward(program: Program) -> list[str]:
    given = [*_inputs(program), "GRAD_OUTPUT"]
    lines, outputs, used = statements(program.backward, [f"in{n}" for n in range(len(given))])
    taps = [f"GIVE({tap}, {value});" for tap, value in enumerate(outputs[: program.taps])]
    values = [f"ADD_PARAM_GRAD({n}, {value});" for n, value in enumerate(outputs[program.taps :]) if value != ZERO]
    return [*_named(given, used), *lines, *taps, *values]
