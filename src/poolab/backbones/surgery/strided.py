"""A strided convolution that computes every pixel and leaves the choice among them to a pooling."""

import sys
from collections.abc import Callable
from functools import cache, partial, wraps
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from poolab.backbones.surgery.classes import below_parametrization, subclass

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


class FoldError(RuntimeError):
    """A normalisation would be folded into a convolution whose pooling stands between the two."""


def pool_after(conv: Convolution, pool: nn.Module) -> Callable[[], None]:
    """Set a convolution to stride 1 and let `pool` follow it; the convolution keeps its identity, name and weights.

    Returns:
        What undoes it.

    >>> import torch
    >>> conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
    >>> _ = pool_after(conv, nn.AvgPool2d(2))
    >>> conv(torch.zeros(1, 3, 8, 8)).shape, list(conv.state_dict()), isinstance(conv, nn.Conv2d)
    (torch.Size([1, 8, 4, 4]), ['weight', 'bias'], True)
    """
    kind, stride, methods = type(conv), conv.stride, _bound(conv)
    conv.stride = (1,) * len(stride)
    conv.pool = pool
    conv.__class__ = below_parametrization(kind, _pooled)
    for name, method in methods.items():  # what others took from it before, as accelerate does
        if getattr(kind, method.__name__, None) is method.__func__:
            conv.__dict__[name] = MethodType(getattr(type(conv), method.__name__), conv)
    return partial(_leave_alone, conv, kind, stride, methods)


def _leave_alone(conv: Any, kind: type, stride: tuple[int, ...], methods: dict[str, MethodType]) -> None:
    conv.__class__, conv.stride = kind, stride
    conv.__dict__.update(methods)
    del conv.pool


def _bound(conv: nn.Module) -> dict[str, MethodType]:
    values = vars(conv).items()
    return {name: value for name, value in values if isinstance(value, MethodType) and value.__self__ is conv}


@cache
def _pooled(base: Any) -> Any:
    def forward(self: Any, input: Tensor) -> Tensor:
        """Apply the convolution, then the pooling."""
        output: Tensor = self.pool(base.forward(self, input))
        return output

    def reduce(self: Any, protocol: Any) -> Any:
        _refuse_fold()
        return _blank, (base,), self.__getstate__()

    @wraps(base.__init__)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__class__ = base  # made anew from a convolution's class, as `type(conv)(...)`, it has no pooling
        self.__init__(*args, **kwargs)

    return subclass(base, {"__init__": init, "forward": forward, "__reduce_ex__": reduce})


def _refuse_fold() -> None:
    """Refuse a copy that `fuse_conv_bn_eval` asks for.

    It would fold the normalisation, which comes after the pooling, into the weights before it.
    """
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") == "copy":
        frame = frame.f_back
    if frame is not None and frame.f_code is torch.nn.utils.fusion.fuse_conv_bn_eval.__code__:
        raise FoldError(
            "swap_pooling put a pooling between this convolution and the normalisation behind it, so that the "
            "normalisation cannot be folded into the convolution's weights: leave the pair as it is, or fold before "
            "the poolings are swapped"
        )


def _blank(base: Any) -> nn.Conv2d:
    """Return the empty module that unpickling and copying start from."""
    kind = _pooled(base)
    made: nn.Conv2d = kind.__new__(kind)
    return made
