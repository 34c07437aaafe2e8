"""A formula run on the taps of one window: whether it needs anything else, and how many random numbers it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import torch
from torch import Tensor

from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.windows import Windows
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.recorder import QuietMode, in_clean_thread

LANES = 5  # how many windows the symbolic taps stand for; the number means nothing

Draw = Callable[[str], Any]  # what to draw for: see TapWindows


class NotLocal(Exception):
    """Tell that the formula asks for more than the taps of its window."""


class TapWindows(Windows):
    """Give a formula its windows where each tap is a row of LANES numbers instead of a view of a map.

    Args:
        taps: the taps.
        real: for each tap, in which windows it is a real tap; None where the windows are complete.
        counts: the number of real taps of each window; None where the windows are complete.
        draw: gives the random numbers: "window", "channel" and "sample" one for each lane, "position" one for each tap.
        geometry: of which the kernel size counts.
    """

    def __init__(
        self, taps: list[Tensor], real: list[Tensor] | None, counts: Tensor | None, draw: Draw, geometry: Geometry
    ):
        self._given, self._real, self._counts, self._draw = taps, real, counts, draw
        self.geometry, self.dims = geometry, geometry.dims
        self.uses_taps = False  # to the formula itself, beside maxima, minima and means

    def __getattr__(self, name: str) -> Any:
        """Refuse: there is no map, and it has no sizes."""
        raise NotLocal(f"the formula reads windows.{name}")

    @property
    def dtype(self) -> torch.dtype:
        """Return the taps' dtype."""
        return self._given[0].dtype

    @property
    def device(self) -> torch.device:
        """Return the taps' device."""
        return self._given[0].device

    @property
    def complete(self) -> bool:
        """Return True if these windows lie wholly on the map."""
        return self._real is None

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Windows:
        """Return the same windows over function(tap)."""
        return TapWindows([function(tap) for tap in self._given], self._real, self._counts, self._draw, self.geometry)

    def taps(self, fill: float) -> list[Tensor]:
        """Return the taps, or `fill` where one is missing."""
        self.uses_taps = True
        return self._taps(fill)

    def _taps(self, fill: float) -> list[Tensor]:
        if self._real is None:
            return list(self._given)
        return [torch.where(real, tap, fill) for real, tap in zip(self._real, self._given, strict=True)]

    def real(self) -> list[Tensor] | None:
        """Return which taps are there."""
        return self._real

    def counts(self, count_include_pad: bool = False) -> Tensor | int:
        """Return how many taps are there."""
        if count_include_pad and self.geometry.is_padded:
            if self.geometry.ceil_mode:
                raise NotLocal("padded zeros count as taps, and those that ceil mode adds do not")
            return self.geometry.taps
        return self.geometry.taps if self._counts is None else self._counts

    def maximum(self) -> Tensor:
        """Return the first largest tap; NaN wins. Not torch.maximum, which splits the gradient of a tie."""
        return self._extreme(-torch.inf, torch.gt)

    def minimum(self) -> Tensor:
        """Return the first smallest tap; NaN wins."""
        return self._extreme(torch.inf, torch.lt)

    def _extreme(self, fill: float, is_beyond: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return the first tap that no other is beyond, or the last NaN: what torch's max pooling takes.

        The first real tap is taken even if it is no better than `fill`, so that its gradient is not lost.
        """
        best, *others = self._taps(fill)
        found = None if self._real is None else self._real[0]
        for place, tap in enumerate(others, start=1):
            is_better = is_beyond(tap, best) | tap.isnan()
            if self._real is not None and found is not None:
                is_better = is_better | (self._real[place] & ~found)
                found = found | self._real[place]
            best = torch.where(is_better, tap, best)
        return best

    def mean(self, count_include_pad: bool = False) -> Tensor:
        """Return the mean of the taps that are there."""
        return reduce(torch.add, self._taps(0.0)) / self.counts(count_include_pad)

    def padded(self, fill: float) -> Tensor:
        """Refuse: there is no map."""
        raise NotLocal("the formula reads the map itself")

    def has_nan(self) -> Tensor:
        """Return which windows hold NaN."""
        return reduce(torch.logical_or, [tap.isnan() for tap in self.taps(0.0)])

    def by_rank(self, rank: Tensor, values: Sequence[Tensor | float]) -> Tensor:
        """Return values[rank], by a chain of choices."""
        last = values[-1]
        chosen = last if isinstance(last, Tensor) else torch.full_like(rank, last)
        for place in range(len(values) - 2, -1, -1):
            chosen = torch.where(rank == place, values[place], chosen)
        return chosen

    def uniform(self, generator: torch.Generator | None = None, shared: str = "window") -> Tensor:
        """Return the window's next random number, or that of its channel or its sample."""
        number: Tensor = self._draw(shared)
        return number

    def uniform_of_positions(self, generator: torch.Generator | None = None) -> list[Tensor]:
        """Return for each tap the next random number of its position."""
        numbers: list[Tensor] = self._draw("position")
        return numbers


@dataclass(frozen=True)
class FormulaTraits:
    """Tell what a local formula asks of its windows.

    Attributes:
        draws: what it draws for, one word for each map of numbers.
        uses_taps: whether it looks at the taps, beside their maximum, minimum and mean.
    """

    draws: tuple[str, ...]
    uses_taps: bool


@cache
def formula_traits(recipe: Recipe) -> FormulaTraits | None:
    """Return what the formula asks of its windows; None where it is not local.

    Local is a formula that computes each window of each channel from the taps of that window alone, element by
    element: so torch tags its operations. Only such a formula can be run on parts of a map, or in a kernel.
    """
    return in_clean_thread(lambda: _formula_traits(recipe))


def _formula_traits(recipe: Recipe) -> FormulaTraits | None:
    asked: list[str] = []

    def draw(shared: str) -> Any:
        asked.append(shared)
        return taps if shared == "position" else taps[0]

    taps = [torch.full((LANES,), 0.5) for _ in range(recipe.geometry.taps)]
    windows = TapWindows(taps, None, None, draw, recipe.geometry)
    values = [torch.full((LANES,), 0.5) for _ in range(recipe.values)]
    try:
        with torch.no_grad(), _OnlyElementwise():
            output = recipe.formula(windows, **recipe.arguments(values))
    except Exception:  # whatever it needs, it is computed on the whole map, where a true fault is told as it is
        return None
    is_local = isinstance(output, Tensor) and output.shape in ((), (LANES,))
    return FormulaTraits(tuple(asked), windows.uses_taps) if is_local else None


class _OnlyElementwise(QuietMode):
    """Refuse what is not element by element."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.pointwise not in func.tags and func.overloadpacket not in HARMLESS:
            raise NotLocal(f"{func} is not element by element")
        return func(*args, **(kwargs or {}))


aten = torch.ops.aten
HARMLESS = {
    aten.alias, aten.clone, aten.copy_, aten.detach, aten.empty, aten.empty_like, aten.expand, aten.fill_,
    aten.full, aten.full_like, aten.lift_fresh, aten.lift_fresh_copy, aten.new_full, aten.new_zeros, aten.ones,
    aten.ones_like, aten.scalar_tensor, aten.view, aten.zeros, aten.zeros_like, aten._to_copy, aten.new_ones,
}  # fmt: skip
