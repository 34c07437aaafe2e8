"""The bases of the poolings without windows: heads, and methods across channels or at the same size."""

from typing import Any

from torch import Tensor

from poolab.pooling.base import Pool, check_floating


class MapPool2d(Pool):
    """A pooling of a whole map (N, C, H, W) or (C, H, W), without windows.

    The formula gets the batched map (N, C, H, W); what it gives for the first dimension N is squeezed away again for an
    unbatched map.

    Args:
        channels: the number of channels, for the methods that need it.
        options: the method's own.

    Raises:
        ValueError: a wrong option (at construction), an empty map or one not 3-d or 4-d (at call).
        TypeError: an input that is not floating.
    """

    def __init__(self, *, channels: int | None = None, **options: Any):
        super().__init__()
        self._take(options, None, channels)

    def forward(self, input: Tensor) -> Tensor:
        """Pool (N, C, H, W) or (C, H, W)."""
        return self.compute(input, **self.arguments())

    @classmethod
    def compute(cls, input: Tensor, **arguments: Any) -> Tensor:
        """The formula on a checked input: what the module and its functional twin share."""
        check_floating(cls.__name__, input)
        if 0 in input.shape[-2:]:
            raise ValueError(f"{cls.__name__}: the map of input {tuple(input.shape)} is empty; it must be at least 1x1")
        output = cls.formula(input if input.dim() == 4 else input.unsqueeze(0), **arguments)
        return output if input.dim() == 4 else output.squeeze(0)


class HeadPool2d(MapPool2d):
    """A pooling of a whole map to a size that does not depend on it: (N, C, h, w), or features (N, F).

    Args:
        channels: the number of channels, for the methods that need it.
        options: the method's own.
    """

    role = "global"


def check_channels(owner: str, input: Tensor, channels: int | None) -> None:
    """Refuse a map whose channels are not those that the layer was made for."""
    if channels is not None and input.shape[1] != channels:
        raise ValueError(
            f"{owner}: made for channels={channels}, found {input.shape[1]} channels in {tuple(input.shape)}"
        )
