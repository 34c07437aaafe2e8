"""Where the windows of a pooling lie: the geometry of `torch.nn.MaxPool2d`, checked before anything is computed."""

from collections.abc import Sequence
from dataclasses import dataclass

Pair = tuple[int, int]
IntOrPair = int | Sequence[int]


@dataclass(frozen=True)
class Geometry:
    """Kernel, stride, padding, dilation and ceil mode of a 2-d window, with torch's meanings.

    Raises:
        ValueError: all faults of the arguments at once, with what would be allowed.

    >>> Geometry.of("MaxPool2d", kernel_size=3, stride=2, padding=1).output_size(32, 33)
    (16, 17)
    """

    kernel_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    ceil_mode: bool

    @classmethod
    def of(
        cls,
        owner: str,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        ceil_mode: bool = False,
    ) -> "Geometry":
        """Check torch's arguments; `owner` is the class that a message names."""
        step = kernel_size if stride is None else stride
        pairs = (_pair(kernel_size), _pair(step), _pair(padding), _pair(dilation))
        faults = _faults(*pairs, ceil_mode)
        if faults:
            given = f"kernel_size={kernel_size!r}, stride={stride!r}, padding={padding!r}, dilation={dilation!r}"
            raise ValueError(f"{owner}({given}, ceil_mode={ceil_mode!r}): " + "; ".join(faults))
        return cls(*pairs, ceil_mode)

    @property
    def cells(self) -> int:
        """The number of taps of one window."""
        return self.kernel_size[0] * self.kernel_size[1]

    def span(self, axis: int) -> int:
        """The input cells from a window's first to its last tap."""
        return self.dilation[axis] * (self.kernel_size[axis] - 1) + 1

    def output_size(self, height: int, width: int) -> Pair:
        """The size that `nn.MaxPool2d` gives for this geometry; below 1 where no window fits."""
        return self._output_length(height, 0), self._output_length(width, 1)

    def _output_length(self, length: int, axis: int) -> int:
        stride, padding = self.stride[axis], self.padding[axis]
        free = length + 2 * padding - self.span(axis)
        out = (free + (stride - 1 if self.ceil_mode else 0)) // stride + 1
        # torch: in ceil mode the last window starts inside the input or its left padding, never beyond.
        if self.ceil_mode and (out - 1) * stride >= length + padding:
            out -= 1
        return out

    def __str__(self) -> str:
        """Torch's arguments, the defaults left out; an even pair as one number."""
        parts = [f"kernel_size={_short(self.kernel_size)}", f"stride={_short(self.stride)}"]
        parts += [f"padding={_short(self.padding)}"] if self.padding != (0, 0) else []
        parts += [f"dilation={_short(self.dilation)}"] if self.dilation != (1, 1) else []
        parts += ["ceil_mode=True"] if self.ceil_mode else []
        return ", ".join(parts)


def _pair(value: object) -> tuple:
    """(v, v) of a number, the two of a pair; anything else stays as it is, for the message."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        return tuple(value)
    return (value, value)


def _short(pair: Pair) -> str:
    return repr(pair[0] if pair[0] == pair[1] else pair)


def _faults(kernel_size: tuple, stride: tuple, padding: tuple, dilation: tuple, ceil_mode: object) -> list[str]:
    faults = []
    named = {"kernel_size": (kernel_size, 1), "stride": (stride, 1), "padding": (padding, 0), "dilation": (dilation, 1)}
    for name, (pair, least) in named.items():
        if not all(isinstance(v, int) and not isinstance(v, bool) and v >= least for v in pair):
            faults.append(f"{name} must be an int >= {least} or a pair of them, found {_short(pair)}")
    if not isinstance(ceil_mode, bool):
        faults.append(f"ceil_mode must be True or False, found {ceil_mode!r}")
    if not faults:
        most = (kernel_size[0] // 2, kernel_size[1] // 2)  # torch's own rule, whatever the dilation
        if padding[0] > most[0] or padding[1] > most[1]:
            faults.append(f"padding must be at most half of kernel_size, {_short(most)}, found {_short(padding)}")
    return faults
