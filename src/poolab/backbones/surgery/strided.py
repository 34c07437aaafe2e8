"""A strided convolution that computes every pixel and leaves the choice among them to a pooling."""

from functools import cache
from typing import Any

from torch import Tensor, nn


def pool_after(conv: nn.Conv2d, pool: nn.Module) -> None:
    """Set a convolution to stride 1 and let `pool` follow it; the convolution keeps its identity, name and weights.

    >>> import torch
    >>> conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
    >>> pool_after(conv, nn.AvgPool2d(2))
    >>> conv(torch.zeros(1, 3, 8, 8)).shape, list(conv.state_dict()), isinstance(conv, nn.Conv2d)
    (torch.Size([1, 8, 4, 4]), ['weight', 'bias'], True)
    """
    conv.stride = (1, 1)
    conv.pool = pool
    kind: Any = type(conv)
    conv.__class__ = _pooled(kind)


def leave_alone(conv: nn.Conv2d, kind: type[nn.Conv2d], stride: tuple[int, ...]) -> None:
    """Undo `pool_after`."""
    conv.__class__, conv.stride = kind, stride
    del conv.pool


@cache
def _pooled(base: Any) -> Any:
    def forward(self: Any, input: Tensor) -> Tensor:
        """Apply the convolution, then the pooling."""
        output: Tensor = self.pool(base.forward(self, input))
        return output

    def reduce(self: Any, protocol: Any) -> Any:
        return _blank, (base,), self.__getstate__()

    body = {"forward": forward, "__reduce_ex__": reduce, "__module__": base.__module__, "__doc__": base.__doc__}
    return type(base.__name__, (base,), body)


def _blank(base: Any) -> nn.Conv2d:
    """Return the empty module that unpickling and copying start from."""
    kind = _pooled(base)
    made: nn.Conv2d = kind.__new__(kind)
    return made
