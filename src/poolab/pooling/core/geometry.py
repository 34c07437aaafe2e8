"""The positions of a pooling's windows: the geometry of `torch.nn.MaxPool2d`, checked before anything is computed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from poolab.pooling.core.options import is_whole
from poolab.pooling.core.padding_words import PaddingWord, padding_sizes

Sizes = tuple[int, ...]
IntOrSizes = int | Sequence[int]
Padding = IntOrSizes | PaddingWord
SIZE_TYPES = {1: int | tuple[int], 2: int | tuple[int, int], 3: int | tuple[int, int, int]}
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True)
class Geometry:
    """Describe windows in one, two or three dimensions: kernel, stride, padding, dilation and ceil mode, as in torch.

    Raises:
        ValueError: all faults of the arguments at once, with what would be allowed.

    >>> Geometry.of("MaxPool2d", kernel_size=3, stride=2, padding=1).output_size(32, 33)
    (16, 17)
    """

    kernel_size: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    ceil_mode: bool

    @classmethod
    def of(
        cls,
        owner: str,
        kernel_size: IntOrSizes,
        stride: IntOrSizes | None = None,
        padding: Padding = 0,
        dilation: IntOrSizes = 1,
        ceil_mode: bool = False,
        dims: int = 2,
    ) -> "Geometry":
        """Check torch's arguments; `owner` is the class that a message names."""
        step = kernel_size if stride is None else stride
        margin: object = 0 if isinstance(padding, str) else padding
        sizes = tuple(_sizes(value, dims) for value in (kernel_size, step, margin, dilation))
        faults = _faults(sizes, ceil_mode, dims)
        if isinstance(padding, str) and not faults:
            kernel, steps, _, spread = sizes
            margin, fault = padding_sizes(padding, kernel, steps, spread)
            sizes, faults = (kernel, steps, margin, spread), [fault] if fault else []
        if faults:
            given = f"kernel_size={kernel_size!r}, stride={stride!r}, padding={padding!r}, dilation={dilation!r}"
            raise ValueError(f"{owner}({given}, ceil_mode={ceil_mode!r}): " + "; ".join(faults))
        kernel, steps, margins, spread = (tuple(map(int, given)) for given in sizes)
        return cls(kernel, steps, margins, spread, ceil_mode)

    @property
    def dims(self) -> int:
        """Return the number of spatial dimensions."""
        return len(self.kernel_size)

    @property
    def taps(self) -> int:
        """Return the number of taps of one window."""
        return math.prod(self.kernel_size)

    @property
    def cells(self) -> int:
        """Return `taps`, for formulas of users that know it by its first name."""
        return self.taps

    @property
    def is_dilated(self) -> bool:
        """Return True if the taps of a window lie apart."""
        return any(step > 1 for step in self.dilation)

    @property
    def is_padded(self) -> bool:
        """Return True if windows may begin before the map."""
        return any(self.padding)

    def span(self, axis: int) -> int:
        """Return how many elements of the map a window spans, from its first tap to its last."""
        return self.dilation[axis] * (self.kernel_size[axis] - 1) + 1

    def output_size(self, *lengths: int) -> Sizes:
        """Return the size that torch's max pooling gives for this geometry; below 1 where no window fits."""
        return tuple(self._output_length(length, axis) for axis, length in enumerate(lengths))

    def reach(self, axis: int) -> int:
        """Return how many elements after the map the windows may reach, whatever its size.

        With so many filled in, as many windows fit into the map as torch counts.
        In ceil mode the last window may begin up to stride - 1 elements later, but inside the map or its left padding.
        """
        padding, last = self.padding[axis], self.span(axis) - 1
        return min(padding + self.stride[axis] - 1, last) if self.ceil_mode else padding

    def _output_length(self, length: int, axis: int) -> int:
        # Without a question about the length, which an exporter may leave open.
        return (self.padding[axis] + length + self.reach(axis) - self.span(axis)) // self.stride[axis] + 1

    def __str__(self) -> str:
        """Return torch's arguments, the defaults left out; equal sizes as one number."""
        parts = [f"kernel_size={_short(self.kernel_size)}", f"stride={_short(self.stride)}"]
        parts += [f"padding={_short(self.padding)}"] if self.is_padded else []
        parts += [f"dilation={_short(self.dilation)}"] if self.is_dilated else []
        parts += ["ceil_mode=True"] if self.ceil_mode else []
        return ", ".join(parts)


def _sizes(value: object, dims: int) -> tuple:
    """Repeat a number, or return one for each dimension; anything else stays as it is, for the message."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == dims:
        return tuple(value)
    return (value,) * dims


def _short(sizes: tuple) -> str:
    return repr(sizes[0] if len(set(map(repr, sizes))) == 1 else sizes)


def _faults(sizes: tuple[tuple, ...], ceil_mode: object, dims: int) -> list[str]:
    faults = []
    several = {1: "a list of one", 2: "a pair of them", 3: "a triple of them"}[dims]
    named = ("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1)
    for (name, least), given in zip(named, sizes, strict=True):
        if not _whole(given, least):
            faults.append(f"{name} must be an int >= {least} or {several}, found {_short(given)}")
    if not isinstance(ceil_mode, bool):
        faults.append(f"ceil_mode must be True or False, found {ceil_mode!r}")
    kernel_size, _, padding, _ = sizes
    if _whole(kernel_size, 1) and _whole(padding, 0):
        most = tuple(k // 2 for k in kernel_size)  # torch's own rule, whatever the dilation
        if any(p > limit for p, limit in zip(padding, most, strict=True)):
            faults.append(f"padding must be at most half of kernel_size, {_short(most)}, found {_short(padding)}")
    return faults


def _whole(values: tuple, least: int) -> bool:
    return all(is_whole(value) and value >= least for value in values)
