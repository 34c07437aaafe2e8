"""The window of a layer or function, in torch's words, whatever names its author used for them."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from poolab.backbones.surgery.calls import Shape, dims_of_layer
from poolab.backbones.surgery.functions import sides


def window_of(layer: nn.Module | None, arguments: Mapping[str, Any], dims: int | None = None) -> dict[str, Any]:
    """Return kernel size, stride, padding, dilation and ceil_mode of a layer, or of a function called with `arguments`.

    Without `dims` it has the spatial dimensions of the layer, or two.

    >>> window_of(nn.MaxPool2d(3, 2, padding=1), {})
    {'kernel_size': (3, 3), 'stride': (2, 2), 'padding': (1, 1), 'dilation': (1, 1), 'ceil_mode': False}
    """

    dims = dims or dims_of_layer(layer) or 2

    def said(key: str, otherwise: Any) -> Any:
        value = getattr(layer, key, None) if layer is not None else arguments.get(key)
        return otherwise if value is None or isinstance(value, str) or value == [] else value

    kernel = sides(said("kernel_size", None), dims)
    return {
        "kernel_size": kernel,
        "stride": sides(said("stride", kernel), dims),
        "padding": sides(said("padding", 0), dims),
        "dilation": sides(said("dilation", 1), dims),
        "ceil_mode": bool(said("ceil_mode", False)),
    }


def fitting(geometry: dict[str, Any], input: Shape | None, output: Shape | None) -> dict[str, Any]:
    """Return the geometry with the padding and ceil_mode that turn `input` into `output`.

    A layer that pads as TensorFlow does ("same": as much as the map needs, the odd pixel at the end) says no padding.
    What it computes on such a map is a window with half of that padding, and ceil_mode where the total is odd.

    >>> window = window_of(nn.MaxPool2d(3, 2), {})
    >>> [fitting(window, (1, 1, n, n), (1, 1, -(-n // 2), -(-n // 2)))["padding"] for n in (7, 8)]
    [(1, 1), (0, 0)]
    """
    if input is None or output is None:
        return geometry
    for candidate in _candidates(geometry):
        if _output(candidate, input[2:]) == tuple(output[2:]):
            return candidate
    return geometry


def words(geometry: Mapping[str, Any]) -> str:
    """Describe a window in short.

    >>> words(window_of(nn.MaxPool2d(3, 2, padding=1), {}))
    '3x3/2 p1'
    """
    kernel, stride, padding, dilation = (geometry[key] for key in ("kernel_size", "stride", "padding", "dilation"))
    text = f"{'x'.join(map(str, kernel))}/{_short(stride)}"
    if any(padding):
        text += f" p{_short(padding)}"
    if max(dilation) > 1:
        text += f" d{_short(dilation)}"
    return text + (" ceil" if geometry["ceil_mode"] else "")


def _short(each: tuple[int, ...]) -> str:
    return str(each[0]) if len(set(each)) == 1 else "x".join(map(str, each))


def _candidates(geometry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield geometry
    for padding in range(max(geometry["kernel_size"]) // 2 + 1):
        for ceil_mode in (False, True):
            # A side is padded by at most half of its window, as torch has it.
            padded = tuple(min(padding, kernel // 2) for kernel in geometry["kernel_size"])
            yield {**geometry, "padding": padded, "ceil_mode": ceil_mode}


def _output(geometry: dict[str, Any], size: Shape) -> Shape:
    """Compute the output size by torch's rule: with ceil_mode, a last window counts if it starts in the map or in its
    front padding.
    """
    sides = []
    for axis, n in enumerate(size):
        k, s, p, d = (geometry[key][axis] for key in ("kernel_size", "stride", "padding", "dilation"))
        room = n + 2 * p - d * (k - 1) - 1
        count = (-(-room // s) if geometry["ceil_mode"] else room // s) + 1
        if geometry["ceil_mode"] and (count - 1) * s >= n + p:
            count -= 1
        sides.append(count)
    return tuple(sides)
