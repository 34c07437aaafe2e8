"""Five of the common corruptions of Hendrycks & Dietterich 2019 (arXiv:1903.12261), each in five severities."""

import math
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from poolab.errors import ConfigError, nearest
from poolab.measure.predictions import Predict, accuracy, check_images, predictions
from poolab.streams import derive_seed

if TYPE_CHECKING:
    import numpy as np

SEVERITIES = (1, 2, 3, 4, 5)
# The authors' amounts (github.com/hendrycks/robustness): for the 32 pixels of CIFAR-10-C, for the 224 of ImageNet-C.
SMALL = {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),  # standard deviation, in units of 0..1
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1.0),  # standard deviation, in pixels
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),  # the factor of each pixel's distance from its channel's mean
    "jpeg": (80, 65, 58, 50, 40),  # quality
    "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),  # the share of the sides that is left between
}
LARGE = {
    "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "gaussian_blur": (1.0, 2.0, 3.0, 4.0, 6.0),
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
    "jpeg": (25, 18, 15, 10, 7),
    "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),
}
CORRUPTIONS = tuple(SMALL)
BORDER = math.isqrt(32 * 224)  # 84: up to here a shorter side is nearer to 32 than to 224, as ratios go


def corruption_accuracy(
    predict: Predict,
    images: Tensor,
    labels: Tensor,
    *,
    corruptions: Sequence[str] = CORRUPTIONS,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    **how: Any,
) -> dict[str, dict[int, float]]:
    """Compute the accuracy under each corruption at each severity.

    Args:
        predict: uint8 images (n, C, H, W) to logits (n, classes).
        images, labels: uint8 (N, C, H, W) and int64 (N,).
        corruptions: some of `CORRUPTIONS`.
        severities: some of 1 to 5.
        seed: of the noise; it belongs to an image's place in `images`, whatever the batch size (see `corrupted`).
        **how: `batch_size` and `device`, as `predictions` takes them.

    >>> is_bright = lambda images: torch.stack([images.float().mean((1, 2, 3)), torch.full((len(images),), 99.5)], 1)
    >>> grey = torch.full((2, 1, 8, 8), 100, dtype=torch.uint8)
    >>> corruption_accuracy(is_bright, grey, torch.tensor([0, 1]), corruptions=["contrast"], severities=[1, 5])
    {'contrast': {1: 0.5, 5: 0.5}}
    """

    def under(kind: str, severity: int) -> float:
        def change(batch: Tensor, place: Tensor) -> Tensor:
            return corrupted(batch, kind, severity, place=place, seed=seed)

        return accuracy(predictions(predict, images, change=change, **how), labels)

    return {kind: {severity: under(kind, severity) for severity in severities} for kind in corruptions}


def corrupted(images: Tensor, kind: str, severity: int, *, place: Tensor | None = None, seed: int = 0) -> Tensor:
    """Apply one corruption to images; return uint8 (rounded, where the authors' code truncates).

    Images whose shorter side is at most 84 pixels get the amounts of CIFAR-10-C, larger ones those of ImageNet-C. All
    corruptions are computed on the images' device, except JPEG, which is Pillow's on the CPU: a GPU's codec gives other
    results, and every machine must see the same images. The noise of an image comes from the CPU stream (`seed`,
    "gaussian_noise", severity, place).

    Args:
        images: uint8 (N, C, H, W), grey or colour.
        kind: one of `CORRUPTIONS`.
        severity: 1 to 5.
        place: the images' places in their set, int64 (N,); None is 0 to N - 1.
        seed: of the noise.

    Raises:
        ConfigError: an unknown kind or severity; or JPEG of images with neither 1 nor 3 channels.

    >>> ramp = torch.arange(0, 256, 4, dtype=torch.uint8).view(1, 1, 8, 8)
    >>> [int(corrupted(ramp, "contrast", severity).max()) for severity in (1, 5)]
    [220, 145]
    """
    check_images(images)
    if kind not in SMALL:
        raise ConfigError(
            f"there is no corruption {kind!r}: {nearest(str(kind), list(CORRUPTIONS))}"
            f"choose from {', '.join(CORRUPTIONS)}"
        )
    if severity not in SEVERITIES:
        raise ConfigError(f"severity={severity!r} is not possible: 1 (weak) to 5 (strong)")
    amount = (SMALL if min(images.shape[2:]) <= BORDER else LARGE)[kind][severity - 1]
    if kind == "gaussian_noise":
        place = torch.arange(len(images)) if place is None else place
        return _as_uint8(images + 255 * amount * _noise(images, place, severity, seed))
    return CORRUPT[kind](images, amount)


def _noise(images: Tensor, place: Tensor, severity: int, seed: int) -> Tensor:
    """Draw standard normal numbers for each image. Seeding a generator costs 3.5 us, the numbers of 3x32x32 pixels 15
    us.
    """
    generator, shape = torch.Generator(), images.shape[1:]
    drawn = torch.empty(images.shape)
    for row, index in zip(drawn, place.tolist(), strict=True):
        generator.manual_seed(derive_seed(seed, "gaussian_noise", severity, index))
        torch.randn(shape, generator=generator, out=row)
    return drawn.to(images.device)


def _gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur along both axes as scipy's gaussian_filter: edge pixels repeat, the filter ends at four deviations."""
    rows, columns = (_blur(length, sigma).to(images.device) for length in images.shape[2:])
    return _as_uint8(rows @ (images.float() @ columns.T))


def _blur(length: int, sigma: float) -> Tensor:
    """Return the blur along one axis as a matrix (length, length)."""
    radius = int(4 * sigma + 0.5)
    reach = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (reach.double() / sigma) ** 2)
    source = (torch.arange(length)[:, None] + reach).clamp(0, length - 1)
    blur = torch.zeros(length, length, dtype=torch.float64)
    return blur.scatter_add_(1, source, (weights / weights.sum()).expand_as(source)).float()


def _contrast(images: Tensor, factor: float) -> Tensor:
    # The sum of integers is exact, so the mean does not depend on the batch.
    pixels = images.shape[2] * images.shape[3]
    mean = images.sum((2, 3), keepdim=True, dtype=torch.int64).float() / pixels
    return _as_uint8((images - mean) * factor + mean)


def _jpeg(images: Tensor, quality: float) -> Tensor:
    """Compress by Pillow, as the authors do; torchvision's codec gave the same bits, and is deprecated."""
    if images.shape[1] not in (1, 3):
        raise ConfigError(f"JPEG holds images of 1 or 3 channels, found {images.shape[1]}: leave this corruption out")
    import numpy as np  # the benchmark imports this room and needs torch alone

    arrays = images.cpu().permute(0, 2, 3, 1).contiguous().numpy()
    read = np.stack(
        [_through_jpeg(array.squeeze(-1) if array.shape[-1] == 1 else array, int(quality)) for array in arrays]
    )
    return torch.from_numpy(read).view(arrays.shape).permute(0, 3, 1, 2).contiguous().to(images.device)


def _through_jpeg(array: "np.ndarray", quality: int) -> "np.ndarray":
    import numpy as np
    from PIL import Image

    file = BytesIO()
    Image.fromarray(array).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file, formats=["JPEG"]))


def _pixelate(images: Tensor, share: float) -> Tensor:
    height, width = images.shape[2:]
    small = _box(images, max(1, int(height * share)), max(1, int(width * share)))
    return _box(small, height, width).byte()


def _box(images: Tensor, height: int, width: int) -> Tensor:
    """Resize as Pillow's box filter does, to the bit: columns first, each pass rounded to whole numbers."""
    columns, rows = _boxes(images.shape[3], width).to(images.device), _boxes(images.shape[2], height).to(images.device)
    images = _mean(images.float() @ columns.T, columns.sum(1))
    return _mean(rows @ images, rows.sum(1)[:, None])


def _boxes(source: int, target: int) -> Tensor:
    """Return 1 where a pixel's centre is in the box of a new pixel, (target, source)."""
    scale = source / target
    support = max(scale, 1.0) / 2
    boxes = torch.zeros(target, source)
    for new in range(target):
        centre = (new + 0.5) * scale
        boxes[new, max(0, int(centre - support + 0.5)) : min(source, int(centre + support + 0.5))] = 1
    return boxes


def _mean(sums: Tensor, counts: Tensor) -> Tensor:
    """Divide whole numbers by whole numbers, rounded half up: exact in float32."""
    return ((2 * sums + counts) / (2 * counts)).floor()


def _as_uint8(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).byte()


CORRUPT: dict[str, Callable[[Tensor, float], Tensor]] = {
    "gaussian_blur": _gaussian_blur,
    "contrast": _contrast,
    "jpeg": _jpeg,
    "pixelate": _pixelate,
}
