"""Measure how predictions change when the picture is shifted by a few pixels (Zhang 2019, arXiv:1904.11486)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from poolab.errors import ConfigError, nearest
from poolab.measure.predictions import Predict, accuracy, check_images, predictions
from poolab.streams import derive_seed


def shift_consistency(
    predict: Predict,
    images: Tensor,
    *,
    max_shift: int | None = None,
    padding: str = "circular",
    seed: int = 0,
    **how: Any,
) -> float:
    """Compute the share of images whose predicted class, right or wrong, is the same under two random shifts.

    Each image gets one pair of shifts; rows and columns are drawn evenly from -max_shift to max_shift, from the stream
    (`seed`, "shift"). The pair belongs to the image's place in `images`: no batch size, network or run changes it.

    Args:
        predict: uint8 images (n, C, H, W) to logits (n, classes).
        images: uint8 (N, C, H, W).
        max_shift: pixels; None is an eighth of the shorter side (4 of 32, 28 of 224).
        padding: what comes in at the edge, see `shifted`.
        seed: of the shifts.
        **how: `batch_size` and `device`, as `predictions` takes them.

    Raises:
        ConfigError: a shift as large as the picture, or an unknown padding.

    >>> brightest = lambda images: images.float().flatten(1)  # its class is the place of the brightest pixel
    >>> dot = torch.zeros(64, 1, 8, 8, dtype=torch.uint8)
    >>> dot[:, :, 3, 3] = 255
    >>> shift_consistency(brightest, dot, max_shift=1) < 0.3  # two of nine places are the same once in nine times
    True
    """
    most = checked_max_shift(max_shift, images)
    generator = torch.Generator().manual_seed(derive_seed(seed, "shift"))
    pairs = torch.randint(-most, most + 1, (len(images), 2, 2), generator=generator)

    def moved(which: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda batch, place: shifted(batch, pairs[place, which], padding)

    first, second = (predictions(predict, images, change=moved(which), **how) for which in (0, 1))
    return accuracy(first, second)


def shift_accuracy(
    predict: Predict,
    images: Tensor,
    labels: Tensor,
    *,
    max_shift: int | None = None,
    padding: str = "circular",
    **how: Any,
) -> dict[int, float]:
    """Compute the accuracy on all images moved down and right by s pixels, for each s from 0 to `max_shift`.

    Args and errors: as for `shift_consistency`, and the `labels`, int64 (N,).

    >>> brightest = lambda images: images.float().flatten(1)
    >>> dot = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    >>> dot[:, :, 3, 3] = 255
    >>> shift_accuracy(brightest, dot, torch.tensor([3 * 8 + 3]))
    {0: 1.0, 1: 0.0}
    """
    steps = range(checked_max_shift(max_shift, images) + 1)

    def along_diagonal(step: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda batch, place: shifted(batch, torch.full((len(place), 2), step), padding)

    return {s: accuracy(predictions(predict, images, change=along_diagonal(s), **how), labels) for s in steps}


def shifted(images: Tensor, offsets: Tensor, padding: str = "circular") -> Tensor:
    """Move each image (N, C, H, W) down and right by its own `offsets`, int64 (N, 2) in pixels.

    What comes in at the edge is what left at the other one (circular: nothing is lost and nothing invented), black
    (zero: what a padded crop shows in training), or the mirrored picture (reflect, without the edge pixel twice).

    >>> row = torch.tensor([[[[1, 2, 3, 4]]]], dtype=torch.uint8)
    >>> [shifted(row, torch.tensor([[0, 1]]), padding).flatten().tolist() for padding in SHIFT_PADDINGS]
    [[4, 1, 2, 3], [0, 1, 2, 3], [2, 1, 2, 3]]
    """
    if padding not in SHIFT_PADDINGS:
        raise ConfigError(
            f"there is no shift padding {padding!r}: {nearest(str(padding), list(SHIFT_PADDINGS))}"
            f"choose from {', '.join(SHIFT_PADDINGS)}"
        )
    device = images.device
    count, channels, height, width = images.shape
    lines = [
        torch.arange(length, device=device) - offset[:, None]
        for length, offset in zip((height, width), offsets.to(device).unbind(1), strict=True)
    ]
    sources = [SHIFT_PADDINGS[padding](line, size) for line, size in zip(lines, (height, width), strict=True)]
    image = torch.arange(count, device=device)[:, None, None, None]
    channel = torch.arange(channels, device=device)[:, None, None]
    moved = images[image, channel, sources[0][:, None, :, None], sources[1][:, None, None, :]]
    if padding != "zero":
        return moved
    inside = [(line >= 0) & (line < size) for line, size in zip(lines, (height, width), strict=True)]
    return moved * (inside[0][:, None, :, None] & inside[1][:, None, None, :])


def _reflected(line: Tensor, length: int) -> Tensor:
    period = max(1, 2 * (length - 1))
    line = line % period
    return torch.where(line < length, line, period - line)


# From the places in the unbounded plane that a row or column comes from, to those in the picture.
SHIFT_PADDINGS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "circular": lambda line, length: line % length,
    "zero": lambda line, length: line.clamp(0, length - 1),
    "reflect": _reflected,
}


def checked_max_shift(max_shift: int | None, images: Tensor) -> int:
    """Return the largest shift for these images; None is an eighth of the shorter side, and at least one pixel."""
    check_images(images)
    side = min(images.shape[2:])
    if max_shift is None:
        return max(1, side // 8)
    if not 0 < max_shift < side:
        raise ConfigError(
            f"max_shift={max_shift} is not possible for images of {side} pixels: 1 to {side - 1}, or null"
        )
    return max_shift
