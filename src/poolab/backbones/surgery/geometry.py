"""The window of a layer or function, in torch's words, whatever names its author used for them."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from poolab.backbones.surgery.calls import Shape

Pair = tuple[int, int]


def pair(value: Any) -> Pair:
    """Return torch's int or pair as a pair.

    >>> pair(3), pair((1, 2)), pair([5])
    ((3, 3), (1, 2), (5, 5))
    """
    sides = tuple(value) if isinstance(value, tuple | list) else (value,)
    return sides[0], sides[-1]


def window_of(layer: nn.Module | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return kernel size, stride, padding, dilation and ceil_mode of a layer, or of a function called with `arguments`.

    >>> window_of(nn.MaxPool2d(3, 2, padding=1), {})
    {'kernel_size': (3, 3), 'stride': (2, 2), 'padding': (1, 1), 'dilation': (1, 1), 'ceil_mode': False}
    """

    def said(key: str, otherwise: Any) -> Any:
        value = getattr(layer, key, None) if layer is not None else arguments.get(key)
        return otherwise if value is None or isinstance(value, str) or value == [] else value

    kernel = pair(said("kernel_size", None))
    return {
        "kernel_size": kernel,
        "stride": pair(said("stride", kernel)),
        "padding": pair(said("padding", 0)),
        "dilation": pair(said("dilation", 1)),
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
    kernel, stride, padding = (geometry[key] for key in ("kernel_size", "stride", "padding"))
    same = stride[0] == stride[1]
    text = f"{kernel[0]}x{kernel[1]}/{stride[0] if same else 'x'.join(map(str, stride))}"
    if any(padding):
        text += f" p{padding[0] if padding[0] == padding[1] else 'x'.join(map(str, padding))}"
    if max(geometry["dilation"]) > 1:
        text += f" d{geometry['dilation'][0]}"
    return text + (" ceil" if geometry["ceil_mode"] else "")


def _candidates(geometry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield geometry
    for padding in range(max(geometry["kernel_size"]) // 2 + 1):
        for ceil_mode in (False, True):
            yield {**geometry, "padding": (padding, padding), "ceil_mode": ceil_mode}


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
