"""torch's pooling functions: their names, their arguments, and which of two calls are the same."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_WINDOW = ("input", "kernel_size", "stride", "padding")
_MAX = (*_WINDOW, "dilation", "ceil_mode", "return_indices")
_AVG = (*_WINDOW, "ceil_mode", "count_include_pad")
_LP = ("input", "norm_type", "kernel_size", "stride", "ceil_mode")
_DIMS = (1, 2, 3)

# torch's pooling functions by the name that a mode and a graph know them under, and the names of their arguments.
FUNCTIONS: dict[str, tuple[str, ...]] = {
    **{f"max_pool{d}d": _MAX for d in _DIMS},
    **{f"max_pool{d}d_with_indices": _MAX for d in _DIMS},
    **{f"avg_pool{d}d": (*_AVG, "divisor_override") if d > 1 else _AVG for d in _DIMS},
    **{f"lp_pool{d}d": _LP for d in _DIMS},
    **{f"adaptive_avg_pool{d}d": ("input", "output_size") for d in _DIMS},
    **{f"adaptive_max_pool{d}d": ("input", "output_size", "return_indices") for d in _DIMS},
    "mean": ("input", "dim", "keepdim"),
    "amax": ("input", "dim", "keepdim"),
}
REDUCTIONS = ("mean", "amax")  # poolings of a map where they reduce its last two or three dimensions
WINDOW_FUNCTIONS = tuple(name for name in FUNCTIONS if FUNCTIONS[name][1] in ("kernel_size", "norm_type"))
_PLAIN = {"padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False, "count_include_pad": True,
          "keepdim": False}  # fmt: skip

_NUMPY_S = {"axis": "dim", "keepdims": "keepdim"}  # numpy's names, which torch takes too

# The functions themselves: one name may stand for several objects.
OBJECTS: dict[str, tuple[Any, ...]] = {
    name: tuple(getattr(place, name) for place in (F, torch, torch._C._nn, Tensor) if hasattr(place, name))
    for name in FUNCTIONS
}


def named_arguments(op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a pooling function by name, without those that are None.

    >>> named_arguments("max_pool2d", ("x", 3), {"stride": None, "padding": 1})
    {'input': 'x', 'kernel_size': 3, 'padding': 1}
    >>> named_arguments("mean", ("x",), {"axis": (2, 3), "keepdims": True})
    {'input': 'x', 'dim': (2, 3), 'keepdim': True}
    """
    named = {
        **dict(zip(FUNCTIONS[op], args, strict=False)),
        **{_NUMPY_S.get(name, name): kwargs[name] for name in kwargs},
    }
    return {name: value for name, value in named.items() if value is not None}


def dims_of(op: str) -> int | None:
    """Return the number of spatial dimensions in a function's name, None for a reduction.

    >>> dims_of("avg_pool3d"), dims_of("mean")
    (3, None)
    """
    return next((d for d in _DIMS if f"pool{d}d" in op), None)


def reduces_map(arguments: Mapping[str, Any], dims: int = 2) -> bool:
    """Return True if a reduction is over all spatial dimensions of a batch of maps with two or three of them.

    >>> reduces_map({"dim": (-2, -1)}), reduces_map({"dim": [2, 3]}), reduces_map({"dim": 1}), reduces_map({})
    (True, True, False, False)
    """
    dim = arguments.get("dim")
    if dims not in (2, 3) or not isinstance(dim, tuple | list):
        return False
    return sorted([each % (dims + 2) for each in dim if isinstance(each, int)]) == list(range(2, dims + 2))


def canonical(op: str, arguments: Mapping[str, Any], dims: int) -> dict[str, Any]:
    """Return arguments in the one form in which equal calls are equal: all sides of a window, no defaults.

    >>> canonical("max_pool2d", {"kernel_size": 3, "stride": (2, 2), "padding": 0}, 2)
    {'kernel_size': (3, 3), 'stride': (2, 2)}
    >>> canonical("avg_pool2d", {"kernel_size": [2, 2], "stride": 2, "ceil_mode": False}, 2)
    {'kernel_size': (2, 2)}
    """
    found = {}
    for name, value in arguments.items():
        if name == "dim":
            found[name] = tuple(sorted([each % (dims + 2) for each in value]))
        elif name in ("kernel_size", "stride", "padding", "dilation", "output_size"):
            plain = name in _PLAIN and sides(value, dims) == (_PLAIN[name],) * dims
            if not plain and not (name == "stride" and value in ([], ())):
                found[name] = sides(value, dims)
        elif name != "input" and not (name in _PLAIN and value == _PLAIN[name]):
            found[name] = value
    if found.get("stride") == found.get("kernel_size"):
        found.pop("stride", None)
    return found


def sides(value: Any, dims: int) -> tuple[Any, ...]:
    """Return torch's int, or one for each dimension, as one for each dimension.

    >>> sides(3, 2), sides((1, 2), 2), sides([5], 3)
    ((3, 3), (1, 2), (5, 5, 5))
    """
    given = tuple(value) if isinstance(value, tuple | list) else (value,)
    return given if len(given) == dims else given[:1] * dims
