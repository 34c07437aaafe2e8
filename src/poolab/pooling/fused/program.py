"""A formula as a program over the cells of one window, forward and backward: what kernels are generated from.

The formula is run once on symbolic cells. Whatever it does to them is noted, with the backward that autograd makes of
it, as a graph of element-wise operations. So a method has one definition, and a user's own is fused as the library's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.cells import LANES, CellWindows, NotLocal, draws

# The rank formulas have 5 operations for each pair of cells: 7x7 windows are fused, 9x9 (and 20 s of compiling) not.
MOST_NODES = 12_000


class NotFusable(Exception):
    """No kernel can be made of the formula."""


@dataclass(frozen=True)
class Program:
    """The forward and the backward of one window as graphs over lanes.

    The placeholders are, in order: a cell for each tap; a flag for each tap (whether it is real) and the count, where
    the windows may be incomplete; the random numbers of each draw (one for each tap where it is for cells); each value;
    and in the backward the gradient of the output. The forward gives y, the backward a gradient for each tap and then
    for each value.
    """

    forward: fx.Graph
    backward: fx.Graph
    taps: int
    is_masked: bool
    draws: tuple[str, ...]
    values: int


def program(recipe: Recipe, *, is_masked: bool, dtype: torch.dtype) -> Program:
    """The program of a recipe, for complete windows or for those that may lack cells.

    Raises:
        NotFusable: the formula needs more than the cells, torch cannot trace it, or it is too long.
    """
    drawn, count = draws(recipe), recipe.geometry.cells
    if drawn is None:
        raise NotFusable("the formula looks at more than the cells of its window")
    numbers = sum(count if kind == "cell" else 1 for kind in drawn)

    def forward(cells: Any, real: Any, counts: Any, noise: Any, values: Sequence[Tensor]) -> Tensor:
        windows = CellWindows(cells, real, counts, _Given(noise, count), recipe.geometry)
        return recipe.formula(windows, **recipe.arguments(values)).to(dtype).expand(LANES)

    def backward(cells: Any, real: Any, counts: Any, noise: Any, values: Any, slope: Tensor) -> list[Tensor]:
        def of_leaves(*leaves: Tensor) -> Tensor:
            return forward(list(leaves[:count]), real, counts, noise, leaves[count:])

        _, pull = torch.func.vjp(of_leaves, *cells, *values)
        return list(pull(slope))

    def lanes(how_many: int, kind: torch.dtype = dtype) -> list[Tensor]:
        return [torch.ones(LANES, dtype=kind) for _ in range(how_many)]

    flags, counts = (lanes(count, torch.bool), lanes(1)[0]) if is_masked else (None, None)
    inputs = (lanes(count), flags, counts, lanes(numbers), lanes(recipe.values))
    try:
        graphs = [
            make_fx(torch.func.functionalize(run))(*given).graph
            for run, given in ((forward, inputs), (backward, (*inputs, lanes(1)[0])))
        ]
    except NotLocal as fault:
        raise NotFusable(str(fault)) from fault
    except Exception as fault:  # whatever torch says about an operation that it cannot trace
        raise NotFusable(f"torch cannot trace the formula over symbolic cells: {fault}") from fault
    for graph in graphs:
        graph.eliminate_dead_code()
    if (size := len(graphs[1].nodes)) > MOST_NODES:
        raise NotFusable(f"the backward of one window has {size} operations, more than {MOST_NODES}")
    return Program(graphs[0], graphs[1], count, is_masked, drawn, recipe.values)


class _Given:
    """Hands out the placeholders of the random numbers."""

    def __init__(self, numbers: Sequence[Tensor], cells: int):
        self.numbers, self.cells = iter(numbers), cells

    def __call__(self, shared: str) -> Any:
        return [next(self.numbers) for _ in range(self.cells)] if shared == "cell" else next(self.numbers)
