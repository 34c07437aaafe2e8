"""Bring a batch of uint8 images to a wanted size and number of channels."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.errors import ConfigError

MOST_SIDE = 8192  # pixels; a colour image of that size takes 200 MB


def check_channels(channels: int | None) -> int | None:
    """Check that the number of channels is 1, 3 or None; raise ConfigError otherwise.

    >>> check_channels(3)
    3
    """
    if channels is not None and (type(channels) is not int or channels not in (1, 3)):
        raise ConfigError(f"data.channels={channels} is not possible: 1 (grey), 3 (colour) or null (as the images are)")
    return channels


def parse_size(image_size: object) -> tuple[int, int] | None:
    """Return height and width from one number, a pair, or None.

    >>> parse_size(32), parse_size([24, 32]), parse_size(None)
    ((32, 32), (24, 32), None)
    """
    if image_size is None:
        return None
    sides = [image_size, image_size] if isinstance(image_size, int) else image_size
    if isinstance(sides, Sequence) and len(sides) == 2 and all(_is_side(side) for side in sides):
        return sides[0], sides[1]
    raise ConfigError(
        f"data.image_size={image_size} is not possible: a number of pixels from 1 to {MOST_SIDE}, [height,width], or "
        "null for native"
    )


def _is_side(side: object) -> bool:
    return type(side) is int and 1 <= side <= MOST_SIDE


def fit_channels(images: Tensor, channels: int | None) -> Tensor:
    """Convert images (N, C, H, W) uint8 to `channels` channels: repeat grey, or take the luminance of colour (ITU-R
    601).

    >>> fit_channels(torch.full((1, 3, 2, 2), 7, dtype=torch.uint8), 1).unique()
    tensor([7], dtype=torch.uint8)
    """
    if channels in (None, images.shape[1]):
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1).contiguous()
    return _in_batches(_luminance, images)


def fit_size(images: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Resize images (N, C, H, W) uint8, bilinearly (with antialiasing where they shrink), rounded.

    >>> fit_size(torch.full((1, 1, 8, 8), 9, dtype=torch.uint8), (32, 32)).shape
    torch.Size([1, 1, 32, 32])
    """
    if size is None or tuple(images.shape[2:]) == size:
        return images

    def resize(part: Tensor) -> Tensor:
        resized = F.interpolate(part.float(), size=size, mode="bilinear", align_corners=False, antialias=True)
        return resized.round_().clamp_(0, 255).byte()

    return _in_batches(resize, images)


def fit_masks(masks: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Resize masks (N, H, W) uint8 as `fit_size` resizes their images; each pixel takes the nearest index.

    >>> fit_masks(torch.tensor([[[0, 255], [1, 2]]], dtype=torch.uint8), (2, 4))[0].tolist()
    [[0, 0, 255, 255], [1, 1, 2, 2]]
    """
    if size is None or tuple(masks.shape[1:]) == size:
        return masks
    return _in_batches(lambda part: F.interpolate(part[:, None], size=size, mode="nearest-exact")[:, 0], masks)


def _luminance(part: Tensor) -> Tensor:
    # PIL's integer weights, so that a data set made grey here equals one made grey file by file.
    weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32).view(1, 3, 1, 1)
    return (((part.int() * weights).sum(1, keepdim=True) + 0x8000) >> 16).byte()


def _in_batches(function: Callable[[Tensor], Tensor], images: Tensor, size: int = 2048) -> Tensor:
    # In parts: the float copy of a whole data set would be four times as large as the set.
    return torch.cat([function(part) for part in images.split(size)])
