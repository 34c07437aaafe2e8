"""Batch normalisation inside a window method."""

from typing import Any

from torch import Tensor, nn

BATCH_NORM: dict[int, Any] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def normalised(owner: str, map: Tensor, norm: nn.Module) -> Tensor:
    """Normalise a map in the name of the pooling `owner`.

    Raises:
        ValueError: in training, a map with one value for each channel: it has no deviation.
    """
    if norm.training and map.shape[0] == 1 and all(size == 1 for size in map.shape[2:]):
        raise ValueError(
            f"{owner}: in training its batch normalisation needs more than one value per channel, found "
            f"{tuple(map.shape)} behind the pooling; use a larger batch or map, or eval()"
        )
    return norm(map)
