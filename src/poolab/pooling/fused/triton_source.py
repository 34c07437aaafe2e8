"""The Triton source of a recipe's two kernels: places and loads around the statements of a program.

A lane of the forward is a window, a lane of the backward a block of elements, as many as a window steps over. The
elements of a block belong to a fixed number of windows, whose gradients the lane computes again and adds in one order:
there are no atomics, the kernels are deterministic, and every element is written once. Lanes follow the memory: (n, c,
h, w) in contiguous maps, (n, h, w, c) in channels_last ones, there VECTOR channels to a lane.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch

from poolab.pooling.core.geometry import Geometry, Sizes
from poolab.pooling.core.noise import STEP
from poolab.pooling.fused.program import Program
from poolab.pooling.fused.recorder import NotFusable
from poolab.pooling.fused.triton_expression import Body

# Triton takes 4 to 6 ms a statement: 39 s for the 6900 of rank_weighted, 5x5 with stride 1, 3 s for 3x3 with stride 2.
MOST_STATEMENTS = 4_000

HEAD = '''"""Kernels that poolab made; they are made again where this file is missing."""

import triton
import triton.language as tl

from poolab.pooling.fused.triton_math import divided, expm1, log1p, power, quotient, root, tanh, uniform
'''


@dataclass(frozen=True)
class Lanes:
    """Describe a Triton kernel; the sizes of the map are arguments."""

    program: Program
    geometry: Geometry
    dtype: torch.dtype  # that is computed in
    is_channels_last: bool

    @property
    def reach(self) -> Sizes:
        """Return how many windows before its own may hold a block's elements, along each axis."""
        g = self.geometry
        return tuple((g.span(axis) - 1) // g.stride[axis] for axis in range(g.dims))


@dataclass(frozen=True)
class Names:
    """Name the arguments of a kernel: pointers; sizes, and what divides by them (see `launch_of`); constants."""

    pointers: list[str]
    sizes: list[str]
    constants: tuple[str, ...] = ("GROUPS", "VECTOR", "IS_WIDE")


def names(lanes: Lanes, direction: str) -> Names:
    """Return the arguments of a kernel, in their order."""
    axes, program = range(lanes.geometry.dims), lanes.program
    pointers = ["x", "y"] if direction == "forward" else ["x", "grad_output", "gradient"]
    pointers += ["param_grads"] if direction == "backward" and program.values else []
    pointers += ["seed"] if program.draws else []
    pointers += [f"value{index}" for index in range(program.values)]
    counted = "out" if direction == "forward" else "block"
    divisors = ["packs" if lanes.is_channels_last else "channels", *(f"{counted}{axis}" for axis in axes)]
    sizes = ["lanes", "channels", "packs", "total", *(f"size{a}" for a in axes), *(f"out{a}" for a in axes)]
    sizes += [f"block{axis}" for axis in axes]
    sizes += [f"{name}_{part}" for name in divisors for part in ("times", "shift")]
    return Names(pointers, sizes)


def triton_source(lanes: Lanes) -> str:
    """Return the text of the Python file.

    Raises:
        NotFusable: an operation has no Triton form, or the backward is too long.
    """
    return "\n\n".join([HEAD, _function(lanes, "forward"), _function(lanes, "backward")]) + "\n"


def _function(lanes: Lanes, direction: str) -> str:
    named = names(lanes, direction)
    writer = _Writer(lanes, "out" if direction == "forward" else "block")
    writer.forward() if direction == "forward" else writer.backward()
    body = writer.body
    if len(body.lines) > MOST_STATEMENTS:
        raise NotFusable(f"the {direction} has {len(body.lines)} statements, more than {MOST_STATEMENTS}")
    # Triton would compile again for sizes that are 1 or divisible by 16.
    head = f"@triton.jit(do_not_specialize={named.sizes!r})"
    arguments = ", ".join([*named.pointers, *named.sizes, *(f"{name}: tl.constexpr" for name in named.constants)])
    return "\n    ".join([f"{head}\ndef {direction}({arguments}):", *body.preamble(), *body.lines])


class _Writer:
    """Write the body of one kernel."""

    def __init__(self, lanes: Lanes, counted: str):
        self.lanes, self.program, self.geometry = lanes, lanes.program, lanes.geometry
        self.axes, self.counted = range(lanes.geometry.dims), counted
        self.real = "tl.float64" if lanes.dtype == torch.float64 else "tl.float32"
        self.body = Body(self.real)
        self.known: set[str] = set()  # names that are written when they are first used
        self.elements: dict[Sizes, str] = {}  # the elements that were read, by their place from the lane's first one
        self._lane()

    # -- where a lane is

    def _lane(self) -> None:
        """Return the coordinates of a lane: sample, channel, map, and its place p along each axis."""
        note, last = self.body.note, self.lanes.is_channels_last
        note("start", "tl.program_id(0).to(tl.int64) if IS_WIDE else tl.program_id(0)")
        note("rest", "start * GROUPS + tl.arange(0, GROUPS)[:, None]")
        note("is_lane", "rest < lanes")
        note("part", "tl.arange(0, VECTOR)[None, :]")
        if last:
            note("pack", self._remainder("packs", "packs"))
            note("channel", "pack * VECTOR + part")
        for axis in reversed(self.axes):
            note(f"p{axis}", self._remainder(f"{self.counted}{axis}", f"{self.counted}{axis}"))
        if last:
            note("sample", "rest")
            note("map", "sample * channels + channel")
        else:
            note("map", "rest + part")  # VECTOR is 1
            note("channel", self._remainder("channels", "channels"))
            note("sample", "rest")
        for axis in self.axes:
            g = self.geometry
            note(f"first{axis}", f"p{axis} * {g.stride[axis]} - {g.padding[axis]}")

    def _remainder(self, by: str, name: str) -> str:
        """Divide `rest` and return the expression of the remainder."""
        self.body.note("whole", "rest")
        self.body.note("rest", f"divided(whole, {by}, {name}_times, {name}_shift, IS_WIDE)")
        return f"whole - rest * {by}"

    def _place(self, places: list[str], sizes: str) -> str:
        """Return the offset in memory of a place in the map of a lane; `sizes` is the name of the map's sizes."""
        raster = "sample" if self.lanes.is_channels_last else "map"
        for axis, place in enumerate(places):
            raster = f"({raster} * {sizes}{axis} + {place})"
        return f"({raster} * packs + pack) * VECTOR + part" if self.lanes.is_channels_last else raster

    def _raster(self, places: list[str], sizes: str) -> str:
        """Return the number of a place, counted over all maps in the order (n, c, h, w)."""
        raster = "map"
        for axis, place in enumerate(places):
            raster = f"({raster} * {sizes}{axis} + {place})"
        return raster

    def _shift(self, place: Sizes) -> str:
        """Return how far an element is in memory from the lane's first one: the same for all lanes."""
        shift = str(place[0])
        for axis in self.axes[1:]:
            shift = f"({shift} * size{axis} + {place[axis]})"
        return f"{shift} * packs * VECTOR" if self.lanes.is_channels_last else shift

    def _inside(self, axis: int, place: int) -> str:
        """Return the flag of lanes whose element lies on the map along an axis; written once."""
        at = f"first{axis} + {place}"
        # Blocks and windows begin at minus the padding.
        low = "" if place >= self.geometry.padding[axis] else f"({at} >= 0) & "
        return self._once(f"inside{axis}_{place}".replace("-", "m"), f"{low}({at} < size{axis})")

    def _once(self, name: str, expression: str) -> str:
        """Return the name, which is given to the expression when it is first used."""
        if name not in self.known:
            self.known.add(self.body.note(name, expression))
        return name

    def _is_element(self, place: Sizes) -> str:
        return " & ".join(self._inside(axis, at) for axis, at in enumerate(place))

    # -- what a lane reads

    def _element(self, place: Sizes) -> str:
        """Return an element, read once."""
        if place not in self.elements:
            name = f"x{len(self.elements)}"
            mask = f"is_lane & {self._is_element(place)}"
            self.body.note(
                name, f"tl.load(x + (origin + {self._shift(place)}), mask={mask}, other=0.0).to({self.real})"
            )
            self.elements[place] = name
        return self.elements[place]

    def _taps(self, before: Sizes) -> Iterator[Sizes]:
        """Return the taps of the window that begins so many strides before the lane's first element."""
        g = self.geometry
        for place in product(*map(range, g.kernel_size)):
            yield tuple(k * g.dilation[a] - before[a] * g.stride[a] for a, k in enumerate(place))

    def _inputs(self, before: Sizes, prefix: str) -> list[str]:
        """Return what the program is given for a window."""
        taps = list(self._taps(before))
        given = [self._element(tap) for tap in taps]
        if self.program.is_masked:
            given += [self._is_real(tap, before, prefix) for tap in taps]
            given.append(self._count(before, prefix))
        windows = [f"(p{axis} - {before[axis]})" for axis in self.axes]
        for draw, kind in enumerate(self.program.draws):
            given += self._numbers(draw, kind, windows, taps, prefix)
        return given + [f"value{index}_" for index in range(self.program.values)]

    def _is_real(self, tap: Sizes, before: Sizes, prefix: str) -> str:
        """Return the flag of a tap; True where it is on the map in every window, so that no code needs it."""
        flags = [self._inside(a, at) for a, at in enumerate(tap) if not self._is_always_real(a, at, before)]
        if not flags:
            return self.body.literal(True)
        name = f"{prefix}real_{'_'.join(flags)}"
        return self._once(name, " & ".join(flags)) if len(flags) > 1 else flags[0]

    def _is_always_real(self, axis: int, place: int, before: Sizes) -> bool:
        g = self.geometry
        first = place + before[axis] * g.stride[axis]  # from the window's first tap
        return not g.ceil_mode and g.padding[axis] <= first < g.span(axis) - g.padding[axis]

    def _count(self, before: Sizes, prefix: str) -> str:
        """Return how many taps of the window are on the map: a product over the axes."""
        g, factors = self.geometry, []
        for axis in self.axes:
            places = [k * g.dilation[axis] - before[axis] * g.stride[axis] for k in range(g.kernel_size[axis])]
            open_ = [place for place in places if not self._is_always_real(axis, place, before)]
            counted = [f"{self._inside(axis, place)}.to({self.real})" for place in open_]
            factors.append(" + ".join([*counted, self.body.literal(float(len(places) - len(open_)))]))
        return self.body.note(f"{prefix}count", " * ".join(f"({factor})" for factor in factors))

    def _numbers(self, draw: int, kind: str, windows: list[str], taps: list[Sizes], prefix: str) -> list[str]:
        """Return the random numbers of a draw, at the places of `Windows.uniform` and `uniform_of_positions`."""
        step = f"tl.full((), {draw * STEP % 2**32}, tl.uint32)"
        if kind == "position":
            places = [self._raster([f"(first{a} + {tap[a]})" for a in self.axes], "size") for tap in taps]
        else:
            places = [{"window": self._raster(windows, "out"), "channel": "map", "sample": "sample"}[kind]]
        return [
            self.body.note(f"{prefix}u{draw}_{index}", f"uniform(seed_, {step}, {place}).to({self.real})")
            for index, place in enumerate(places)
        ]

    def _begin(self) -> None:
        note = self.body.note
        if self.program.draws:
            note("seed_", "tl.load(seed)")
        for index in range(self.program.values):
            note(f"value{index}_", f"tl.load(value{index} + channel, mask=is_lane, other=0.0)")
        note("origin", self._place([f"first{axis}" for axis in self.axes], "size"))

    # -- the kernels

    def forward(self) -> None:
        """Write the forward: each lane is a window."""
        self._begin()
        here = (0,) * self.geometry.dims
        (output,) = self.body.add(self.program.forward, self._inputs(here, "w"), [0], "v")
        place = self._place([f"p{axis}" for axis in self.axes], "out")
        self._store("y", place, output, "is_lane")

    def backward(self) -> None:
        """Write the backward: each lane is a block of elements and sums the gradients of all windows over it."""
        self._begin()
        steps = self.geometry.stride
        sums: dict[Sizes, str] = {}
        for number, before in enumerate(product(*(range(most + 1) for most in self.lanes.reach))):
            taps = list(self._taps(before))
            own = [n for n, tap in enumerate(taps) if all(0 <= at < step for at, step in zip(tap, steps, strict=True))]
            param_grads = self.program.values if not any(before) else 0
            if own or param_grads:
                given = self._window(before, number, own, param_grads)
                for n, gradient in zip(own, given, strict=True):
                    sums[taps[n]] = f"{sums[taps[n]]} + {gradient}" if taps[n] in sums else gradient
        for place in product(*map(range, steps)):
            gradient = sums.get(place, self.body.literal(0.0))  # an element between the windows
            mask = f"is_lane & {self._is_element(place)}"
            self._store("gradient", f"(origin + {self._shift(place)})", gradient, mask)

    def _window(self, before: Sizes, number: int, own: list[int], param_grads: int) -> list[str]:
        """Return the gradients of the own taps of one of the windows over a block; store those of its values."""
        note, prefix = self.body.note, f"w{number}_"
        windows = [f"(p{axis} - {before[axis]})" for axis in self.axes]
        there = [f"(p{a} < out{a} + {b})" + (f" & (p{a} >= {b})" if b else "") for a, b in enumerate(before)]
        valid = note(f"{prefix}valid", " & ".join(["is_lane", *there]))
        place = note(f"{prefix}place", self._place(windows, "out"))
        grad_output = note(
            f"{prefix}grad_output", f"tl.load(grad_output + {place}, mask={valid}, other=0.0).to({self.real})"
        )
        taps = self.program.taps
        wanted = [*own, *range(taps, taps + param_grads)]
        given = self.body.add(
            self.program.backward, [*self._inputs(before, prefix), grad_output], wanted, f"v{number}_"
        )
        for index, param_grad in enumerate(given[len(own) :]):
            at = f"{place} + total.to(tl.int64) * {index}"
            self._store("param_grads", at, param_grad, valid)
        zero = self.body.literal(0.0)
        return [
            note(f"{prefix}g{n}", f"tl.where({valid}, {value}, {zero})") for n, value in enumerate(given[: len(own)])
        ]

    def _store(self, to: str, place: str, value: str, mask: str) -> None:
        self.body.lines.append(f"tl.store({to} + ({place}), {value}, mask={mask})")
