"""The size of a pooling's output without a layer; and what Keras' `padding="same"` is in torch's arguments."""

from collections.abc import Sequence
from typing import NamedTuple, overload

from poolab.pooling.core.geometry import Geometry, IntOrSizes, Padding, Sizes
from poolab.pooling.core.options import is_whole
from poolab.pooling.core.padding_words import PaddingWord

OWNER = "output_size"


@overload
def output_size(  # type: ignore[overload-overlap]
    input_size: int,
    kernel_size: int,
    stride: int | None = ...,
    padding: int | PaddingWord = ...,
    dilation: int = ...,
    ceil_mode: bool = ...,
) -> int: ...
@overload
def output_size(
    input_size: IntOrSizes,
    kernel_size: IntOrSizes,
    stride: IntOrSizes | None = ...,
    padding: Padding = ...,
    dilation: IntOrSizes = ...,
    ceil_mode: bool = ...,
) -> Sizes: ...
def output_size(
    input_size: IntOrSizes,
    kernel_size: IntOrSizes,
    stride: IntOrSizes | None = None,
    padding: Padding = 0,
    dilation: IntOrSizes = 1,
    ceil_mode: bool = False,
) -> int | Sizes:
    """Return the size of what a pooling gives: floor((n + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1.

    It is what `torch.nn.MaxPool1d`, `MaxPool2d` and `MaxPool3d` give, and what every window method of poolab gives. In
    ceil mode the size is rounded up, but no window starts behind the map and its left padding.

    Args:
        input_size: the side of the map in elements, or its sides: (length,), (height, width), (depth, height, width).
        kernel_size: the size of the window, an int or one for each side; so are the next three.
        stride: the step from one window to the next; None means `kernel_size`.
        padding: elements on each side, at most half of `kernel_size`; or "valid", or "same" at stride 1. For other
            strides the message says what to write in place of Keras' `padding="same"`.
        dilation: the step between the taps of one window.
        ceil_mode: round the size up instead of down.

    Returns:
        An int where every size is given as an int; else a tuple with one for each side.

    Raises:
        ValueError: a wrong argument, or a map that is too small for a window; with what is allowed.

    Example:
        >>> from poolab.pooling import output_size
        >>> output_size(32, 2), output_size(28, kernel_size=3, stride=2, padding=1)
        (16, 14)
        >>> output_size((224, 320), kernel_size=3, stride=2, ceil_mode=True)
        (112, 160)

    Reference: the documentation of `torch.nn.MaxPool2d`, https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """
    given = (input_size, kernel_size, stride, padding, dilation)
    dims = _dimensions(given)
    sides = _sides(input_size, dims)
    try:
        geometry = Geometry.of(OWNER, kernel_size, stride, padding, dilation, ceil_mode, dims)
    except ValueError:
        if padding != "same":
            raise
        raise ValueError(_in_place_of_same(sides, kernel_size, stride, dilation)) from None
    out = geometry.output_size(*sides)
    if min(out) < 1:
        least = [max(1, geometry.span(axis) - 2 * geometry.padding[axis]) for axis in range(dims)]
        raise ValueError(
            f"{OWNER}: a map of {_times(sides)} is too small for {geometry}: it must be at least {_times(least)}, or "
            "the kernel smaller"
        )
    is_one = not any(isinstance(one, Sequence) and not isinstance(one, str) for one in given)
    return out[0] if is_one else out


class Same(NamedTuple):
    """Hold the arguments of torch that give what Keras' `padding="same"` gives."""

    padding: int | Sizes
    ceil_mode: bool

    def __str__(self) -> str:
        """Return them as they are written in a call."""
        return f"padding={self.padding}" + (", ceil_mode=True" if self.ceil_mode else "")


def same_padding(sides: Sizes, kernel_size: Sizes, stride: Sizes, dilation: Sizes) -> Same | None:
    """Return what takes the place of Keras' `padding="same"` for a map of these sides; None where nothing does.

    Keras gives ceil(n / stride) windows and puts the smaller half of the missing elements before the map. torch pads
    both sides alike; in ceil mode the last window may reach beyond the map, as over the element that Keras adds at the
    end.

    >>> print(same_padding((32,), (3,), (1,), (1,)), same_padding((33,), (2,), (2,), (1,)), sep="; ")
    padding=1; padding=0, ceil_mode=True
    """
    before, more = [], False
    for side, kernel, step, spread in zip(sides, kernel_size, stride, dilation, strict=True):
        wanted = -(-side // step)
        missing = max((wanted - 1) * step + spread * (kernel - 1) + 1 - side, 0)
        before.append(missing // 2)
        more = more or missing % 2 == 1
    found = Same(before[0] if len(set(before)) == 1 else tuple(before), more)
    try:
        geometry = Geometry.of(OWNER, kernel_size, stride, found.padding, dilation, more, len(sides))
    except ValueError:  # padding of more than half a window, which torch does not have
        return None
    return (
        found if geometry.output_size(*sides) == tuple(-(-n // s) for n, s in zip(sides, stride, strict=True)) else None
    )


def _in_place_of_same(sides: Sizes, kernel_size: IntOrSizes, stride: IntOrSizes | None, dilation: IntOrSizes) -> str:
    geometry = Geometry.of(OWNER, kernel_size, stride, 0, dilation, False, len(sides))
    text = f"{OWNER}: padding='same' is for stride=1 and an odd kernel_size"
    found = same_padding(sides, geometry.kernel_size, geometry.stride, geometry.dilation)
    if found is None:
        return (
            f"{text}: none gives what 'same' gives here, since both sides get the same padding, at most half of "
            "kernel_size: take an odd kernel_size, or pad the map before (torch.nn.functional.pad, with "
            "value=-torch.inf for max pooling)"
        )
    return f"{text}: for a map of {_times(sides)} with {geometry} write {found}"


def _dimensions(given: Sequence[object]) -> int:
    counts = {len(one) for one in given if isinstance(one, Sequence) and not isinstance(one, str)}
    if len(counts) > 1 or not counts <= {1, 2, 3}:
        found = ", ".join(repr(one) for one in given if isinstance(one, Sequence))
        raise ValueError(f"{OWNER}: every tuple must have a size for each of one to three sides, found {found}")
    return counts.pop() if counts else 1


def _sides(input_size: IntOrSizes, dims: int) -> Sizes:
    sides = tuple(input_size) if isinstance(input_size, Sequence) else (input_size,) * dims
    if not all(is_whole(side) and side >= 1 for side in sides):
        raise ValueError(f"{OWNER}: input_size must be an int >= 1 or one for each side, found {input_size!r}")
    return tuple(map(int, sides))


def _times(sides: Sequence[int]) -> str:
    return "x".join(map(str, sides))
