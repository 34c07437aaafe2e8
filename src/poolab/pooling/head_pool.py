"""The base of the heads: a whole map to a size that does not depend on it."""

from typing import Any

from torch import Tensor

from poolab.pooling.base import Pool, check_floating
from poolab.pooling.options import checked


class HeadPool2d(Pool):
    """A pooling of a whole map: (N, C, H, W) or (C, H, W) to (..., C, h, w), whatever H and W.

    Args:
        options: the method's own.

    Raises:
        ValueError: a wrong option (at construction), an empty map or one not 3-d or 4-d (at call).
        TypeError: an input that is not floating.
    """

    role = "global"

    def __init__(self, **options: Any):
        super().__init__()
        for name, value in checked(type(self).__name__, self.options, options, None).items():
            setattr(self, name, value)

    def forward(self, input: Tensor) -> Tensor:
        """Pool (N, C, H, W) or (C, H, W)."""
        return self.compute(input, **self.arguments())

    @classmethod
    def compute(cls, input: Tensor, **arguments: Any) -> Tensor:
        """The formula on a checked input: what the module and its functional twin share."""
        check_floating(cls.__name__, input)
        if 0 in input.shape[-2:]:
            raise ValueError(f"{cls.__name__}: the map of input {tuple(input.shape)} is empty; it must be at least 1x1")
        return cls.formula(input, **arguments)
