"""The bases of the poolings without windows: heads, and methods across channels or at the same size."""

from typing import Any

import torch
from torch import Tensor

from poolab.pooling.core.base import Pool, check_floating, memory_format
from poolab.pooling.core.tracing import is_proxy, traced
from poolab.pooling.core.windows import compute_dtype


class MapPool2d(Pool):
    """Pool a whole map (N, C, H, W) or (C, H, W), without windows: the base of heads and of methods across channels.

    The formula gets the batched map (N, C, H, W); what it gives for the first dimension N is squeezed away again for an
    unbatched map. Output of the input's dtype and, where it is a map too, of its memory format.

    Args:
        channels: the number of channels of the input.
        options: the method's own.

    Raises:
        ValueError: a wrong option (at construction); an input with a wrong number of dimensions or of channels, or an
            empty map (at call). One message names all faults and what is allowed.
        TypeError: an input that is no tensor of a floating dtype.
    """

    def __init__(self, *, channels: int | None = None, **options: Any):
        super().__init__()
        self._take(options, None, channels)

    def forward(self, input: Tensor) -> Tensor:
        """Pool (N, C, H, W) or (C, H, W)."""
        if is_proxy(input):
            return traced(self, input)
        self.check(input)
        return self.compute(input, **self.arguments())

    def check(self, input: Tensor) -> None:
        """Refuse what the formula is not defined on, and channels that the parameters were not made for."""
        check_map(type(self).__name__, input)
        self.check_channels(input)

    @classmethod
    def compute(cls, input: Tensor, **arguments: Any) -> Tensor:
        """Compute the formula on a checked input: what the module and its function share."""
        check_map(cls.__name__, input)
        is_batch = input.dim() == 4
        batched = input if is_batch else input.unsqueeze(0)
        output = cls.formula(batched, **arguments)
        if output.dim() == 4 and memory_format(batched) is not torch.contiguous_format:
            output = output.contiguous(memory_format=memory_format(batched))
        if compute_dtype(input.dtype) != input.dtype:  # else leave the dtype that autocast chose for a projection
            output = output.to(input.dtype)
        return output if is_batch else output.squeeze(0)


class HeadPool2d(MapPool2d):
    """Pool a whole map to a size that does not depend on it, (N, C, h, w) or (N, F): the base of the heads."""

    role = "global"
    output_shape = "(N, C, 1, 1)"


def check_map(owner: str, input: Tensor) -> None:
    """Refuse what is no map, or an empty one."""
    check_floating(owner, input)
    if 0 in input.shape[-2:]:
        raise ValueError(f"{owner}: the map of input {tuple(input.shape)} is empty; it must be at least 1x1")
