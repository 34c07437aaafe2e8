"""A formula as a program over the taps of one window, forward and backward: what kernels are generated from.

The formula is run once on a few taps. Whatever it does to them is noted, and what autograd then does for its gradient,
as a graph of element-wise operations. So a method has one definition, and a user's own is fused as the library's; a
formula must be a function of its arguments, since what else it reads is what that was when it was recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx

from poolab.pooling.core.geometry import Geometry
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.recorder import NotFusable, Recorder, in_clean_thread, part
from poolab.pooling.fused.taps import LANES, NotLocal, TapWindows, formula_traits

# The rank formulas have 5 operations for each pair of taps: 7x7 windows are fused, 9x9 (and 20 s of compiling) not.
MOST_NODES = 12_000


@dataclass(frozen=True)
class Program:
    """Hold the forward and the backward of one window as graphs over lanes.

    The placeholders are, in order: the value of each tap; a flag for each tap (whether it is real) and the count, where
    the windows may be incomplete; the random numbers of each draw (one for each tap where positions have their own);
    each value; and in the backward the gradient of the output. The forward gives y, the backward a gradient for each
    tap and then for each value, None where it is always 0.
    """

    forward: fx.Graph
    backward: fx.Graph
    taps: int
    is_masked: bool
    draws: tuple[str, ...]
    values: int


def program(recipe: Recipe, *, is_masked: bool, dtype: torch.dtype) -> Program:
    """Return the program of a recipe, for complete windows or for those that may lack taps.

    Raises:
        NotFusable: the formula needs more than the taps, or it is too long.
    """
    g, one = recipe.geometry, (1,) * recipe.geometry.dims
    # Stride, dilation and ceil mode are for the loops; without them, more recipes share a program.
    geometry = Geometry(g.kernel_size, g.kernel_size, g.padding, one, False)
    return _program(Recipe(recipe.formula, recipe.fixed, recipe.learned, geometry), is_masked, dtype)


@cache
def _program(recipe: Recipe, is_masked: bool, dtype: torch.dtype) -> Program:
    return in_clean_thread(lambda: _recorded(recipe, is_masked, dtype))


def _recorded(recipe: Recipe, is_masked: bool, dtype: torch.dtype) -> Program:
    traits, count = formula_traits(recipe), recipe.geometry.taps
    if traits is None:
        raise NotFusable("the formula looks at more than the taps of its window")
    recorder = Recorder()
    given = _Inputs(recorder, dtype)
    taps = given.numbers("tap", count)
    flags, counts = (given.flags(count), given.numbers("count", 1)[0]) if is_masked else (None, None)
    noise = given.numbers("noise", sum(count if kind == "position" else 1 for kind in traits.draws))
    values = given.numbers("value", recipe.values)
    leaves = [leaf.requires_grad_() for leaf in (*taps, *values)]
    try:
        with recorder, torch.enable_grad():
            windows = TapWindows(taps, flags, counts, _Given(noise, count), recipe.geometry)
            output = recipe.formula(windows, **recipe.arguments(values)).to(dtype).expand(LANES)
            forward = part(recorder.graph, [recorder.of(output)])
            grad_output = given.numbers("grad_output", 1)[0]
            found = (
                torch.autograd.grad(output, leaves, grad_output, allow_unused=True) if output.requires_grad else [None]
            )
            backward = part(recorder.graph, [recorder.of(gradient) for gradient in found])
    except NotLocal as fault:
        raise NotFusable(str(fault)) from fault
    if (size := len(backward.nodes)) > MOST_NODES:
        raise NotFusable(f"the backward of one window has {size} operations, more than {MOST_NODES}")
    return Program(forward, backward, count, is_masked, traits.draws, recipe.values)


def passes_on(program: Program) -> bool:
    """Return True if each tap's gradient is that of the output or 0, as in max pooling."""
    *_, grad_output = [node for node in program.backward.nodes if node.op == "placeholder"]
    *_, output = program.backward.nodes
    sources: list[Any] = list(output.args[0][: program.taps])
    seen = set()
    while sources:
        source = sources.pop()
        if source is None or source == 0 or source is grad_output or source in seen:
            continue
        seen.add(source)
        if getattr(source.target, "overloadpacket", None) is torch.ops.aten.where:
            sources += source.args[1:]
        elif any(isinstance(given, fx.Node) for given in source.args) or source.meta["val"].any():
            return False
    return not program.values


@cache
def uses(recipe: Recipe, dtype: torch.dtype) -> tuple[bool, ...]:
    """Return which of its values the formula uses, in complete windows or in others."""
    used = set()
    for is_masked in (False, True):
        *_, output = program(recipe, is_masked=is_masked, dtype=dtype).backward.nodes
        param_grads = output.args[0][recipe.geometry.taps :]
        used |= {index for index, param_grad in enumerate(param_grads) if param_grad is not None}
    return tuple(index in used for index in range(recipe.values))


class _Inputs:
    """Make the placeholders, with values that are valid for any formula."""

    def __init__(self, recorder: Recorder, dtype: torch.dtype):
        self.recorder, self.dtype = recorder, dtype

    def numbers(self, name: str, how_many: int) -> list[Tensor]:
        return [
            self.recorder.input(f"{name}{index}", torch.linspace(0.3, 0.7, LANES, dtype=self.dtype) + index / 64)
            for index in range(how_many)
        ]

    def flags(self, how_many: int) -> list[Tensor]:
        return [self.recorder.input(f"real{n}", torch.ones(LANES, dtype=torch.bool)) for n in range(how_many)]


class _Given:
    """Hand out the placeholders of the random numbers."""

    def __init__(self, numbers: Sequence[Tensor], taps: int):
        self.numbers, self.taps = iter(numbers), taps

    def __call__(self, shared: str) -> Any:
        return [next(self.numbers) for _ in range(self.taps)] if shared == "position" else next(self.numbers)
