"""Measure how the accuracy depends on the size at which a picture is shown."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from poolab.errors import ConfigError, nearest
from poolab.measure.predictions import Predict, accuracy, check_images, predictions

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5)
SCALE_MODES = ("canvas", "size")


def scale_accuracy(
    predict: Predict,
    images: Tensor,
    labels: Tensor,
    *,
    scales: Sequence[float] = SCALES,
    mode: str = "canvas",
    **how: Any,
) -> dict[float, float]:
    """Compute the accuracy on enlarged and reduced images, for each factor.

    Args:
        predict: uint8 images (n, C, H, W) to logits (n, classes).
        images, labels: uint8 (N, C, H, W) and int64 (N,).
        scales: factors of the sides.
        mode: "canvas" or "size", see `rescaled`; "size" needs a network that takes any size.
        **how: `batch_size` and `device`, as `predictions` takes them.

    >>> import torch
    >>> is_filled = lambda images: torch.stack([(images < 255).sum((1, 2, 3)), (images == 255).sum((1, 2, 3))], 1)
    >>> white = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    >>> scale_accuracy(is_filled, white, torch.tensor([1]))  # a quarter of the canvas, then 36 of 64 pixels, then all
    {0.5: 0.0, 0.75: 1.0, 1.0: 1.0, 1.25: 1.0, 1.5: 1.0}
    """

    def at(factor: float) -> float:
        told = predictions(predict, images, change=lambda batch, _: rescaled(batch, factor, mode), **how)
        return accuracy(told, labels)

    return {factor: at(factor) for factor in scales}


def rescaled(images: Tensor, factor: float, mode: str = "canvas") -> Tensor:
    """Resize images (N, C, H, W) uint8 to `factor` times their sides, bilinearly with antialiasing, rounded.

    "canvas" brings them back to H x W around the middle: a larger image is cropped, a smaller one is padded with
    black, as padded crops show in training. "size" keeps the new size.

    Raises:
        ConfigError: a factor that is not above 0, or an unknown mode.

    >>> import torch
    >>> white = torch.full((1, 1, 4, 4), 255, dtype=torch.uint8)
    >>> rescaled(white, 0.5)[0, 0].tolist()
    [[0, 0, 0, 0], [0, 255, 255, 0], [0, 255, 255, 0], [0, 0, 0, 0]]
    >>> rescaled(white, 1.5, "size").shape
    torch.Size([1, 1, 6, 6])
    """
    check_images(images)
    if mode not in SCALE_MODES:
        hint = nearest(str(mode), list(SCALE_MODES))
        raise ConfigError(f"there is no scale mode {mode!r}: {hint}choose from {', '.join(SCALE_MODES)}")
    if not factor > 0:
        raise ConfigError(f"a scale of {factor!r} is not possible: a factor above 0, e.g. 0.5 for half as large")
    height, width = images.shape[2:]
    size = tuple(max(1, round(side * factor)) for side in (height, width))
    if size != (height, width):
        larger = F.interpolate(images.float(), size=size, mode="bilinear", align_corners=False, antialias=True)
        images = larger.round_().clamp_(0, 255).byte()
    if mode == "size":
        return images
    missing = width - size[1], height - size[0]  # torch pads from the last axis on; a negative margin crops
    return F.pad(images, [part for length in missing for part in (length // 2, length - length // 2)])
