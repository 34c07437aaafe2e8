"""One call of a formula, taken apart into what a kernel is made for and what it is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from poolab.pooling.core.geometry import Geometry

Formula = Callable[..., Tensor]
CONSTANTS = (bool, int, float, str, type(None))
NOT_FIXED = ("generator",)  # the seed has been drawn from it


@dataclass(frozen=True)
class Recipe:
    """Hold a formula with its fixed arguments and geometry: all that decides what is computed of a window's taps.

    Attributes:
        formula: the method's formula.
        fixed: its arguments that are no tensors.
        learned: its arguments that are tensors, or tuples of so many tensors (None is one by itself).
        geometry: where the windows are.
    """

    formula: Formula
    fixed: tuple[tuple[str, Any], ...]
    learned: tuple[tuple[str, int | None], ...]
    geometry: Geometry
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash once: recipes are looked up at every call."""
        object.__setattr__(self, "_hash", hash((self.formula, self.fixed, self.learned, self.geometry)))

    def __hash__(self) -> int:
        """Return equal hashes for equal recipes."""
        return self._hash

    @property
    def values(self) -> int:
        """Return how many tensors the formula takes."""
        return sum(1 if count is None else count for _, count in self.learned)

    def arguments(self, values: Sequence[Tensor]) -> dict[str, Any]:
        """Return the formula's arguments again, with these tensors."""
        arguments, given = dict(self.fixed), iter(values)
        for name, count in self.learned:
            arguments[name] = next(given) if count is None else tuple(next(given) for _ in range(count))
        return arguments


def to_spec(
    formula: Formula, geometry: Geometry, arguments: Mapping[str, Any], channels: int
) -> tuple[Recipe, list[Tensor]] | None:
    """Split a call into its recipe and its tensors; None where an argument is neither constant nor one per channel."""
    fixed: list[tuple[str, Any]] = []
    learned: list[tuple[str, int | None]] = []
    tensors: list[Tensor] = []
    for name, value in arguments.items():
        if name in NOT_FIXED:
            continue
        if isinstance(value, CONSTANTS) or (
            isinstance(value, tuple) and all(isinstance(part, CONSTANTS) for part in value)
        ):
            fixed.append((name, value))
        elif isinstance(value, Tensor) or (
            isinstance(value, tuple) and all(isinstance(part, Tensor) for part in value)
        ):
            learned.append((name, len(value) if isinstance(value, tuple) else None))
            tensors += value if isinstance(value, tuple) else [value]
        else:
            return None
    if not all(_is_for_channels(tensor, channels, geometry.dims) for tensor in tensors):
        return None
    return Recipe(formula, tuple(fixed), tuple(learned), geometry), tensors


def _is_for_channels(tensor: Tensor, channels: int, dims: int) -> bool:
    """Return True if a tensor is one number, or one for each channel, laid out to be multiplied with a map."""
    return tensor.is_floating_point() and (tensor.dim() == 0 or tuple(tensor.shape) == (channels, *(1,) * dims))
