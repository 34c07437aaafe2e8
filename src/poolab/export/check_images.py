"""Images that an exported file is compared on, and those that an 8-bit file is scaled by."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from poolab.data import ImageData, Split, load_data
from poolab.errors import ConfigError, PoolabError
from poolab.export.trained import Trained
from poolab.run_config import RunConfig
from poolab.text import one_line

MOST, LEAST = 512, 64  # images that are compared, if there are so many
PIXELS = 1 << 24  # about so many numbers are compared: 512 images of CIFAR-10's size, 111 of 224x224
RANDOM = 64


class CheckImages(NamedTuple):
    """uint8 images (N, C, H, W), their labels or masks where they are known, and what they are in words.

    `calibration` are images that are not among them, for int8.
    """

    pixels: Tensor
    source: str
    labels: Tensor | None = None
    calibration: Tensor | None = None


def check_images(model: Trained, given: Tensor | None = None, calibrate: bool = False) -> CheckImages:
    """Return the images that a file is compared on: those that are given, else test images, else random ones.

    Args:
        given: uint8 images (N, C, H, W); with `calibrate`, every other one is for the calibration.
        calibrate: choose images for int8 too: training images, never test images.

    Raises:
        ConfigError: too few images are given, or the training images are needed and not at hand.
    """
    if given is not None:
        return _given(given, calibrate)
    data, reason = _data(model)
    if data is not None:
        return _from_data(data, model.record.config["data"]["name"], calibrate)
    if calibrate:
        raise ConfigError(
            f"int8 needs images to scale by, and the training images are not at hand: {reason}; "
            "give others like them: images=[...], or --images FOLDER"
        )
    shape = (model.facts.channels, *model.facts.image_size)
    return CheckImages(random_pixels(RANDOM, shape), f"random images (the test images are not at hand: {reason})")


def random_pixels(count: int, shape: tuple[int, int, int]) -> Tensor:
    """Return random images (count, *shape): noise of every pixel, and smooth noise, of any contrast and brightness."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, shape[0], 4, 4, generator=generator)
    fine = torch.rand(count, *shape, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=shape[1:], mode="bilinear", align_corners=False)
    mixed = torch.where((torch.arange(count) % 2 == 0).view(-1, 1, 1, 1), fine, smooth)
    contrast, level = (torch.rand(count, 1, 1, 1, generator=generator) for _ in range(2))
    return ((mixed * contrast + level * (1 - contrast)) * 255).round().to(torch.uint8)


def _given(pixels: Tensor, calibrate: bool) -> CheckImages:
    least = 2 if calibrate else 1
    if len(pixels) < least:
        raise ConfigError(f"images: {len(pixels)} is too few, at least {least} are needed")
    if not calibrate:
        return CheckImages(pixels, "images that were given")
    return CheckImages(pixels[1::2], "images that were given", calibration=pixels[::2])


def _data(model: Trained) -> tuple[ImageData | None, str]:
    """Return the run's data, or None and why it is not at hand. Nothing is downloaded."""
    config = RunConfig.from_tree(model.record.config)
    settings = config.data
    if hasattr(settings, "download"):
        settings = replace(settings, download=False)
    try:
        data = load_data(**settings.reading, seed=config.seed)
    except (PoolabError, OSError) as fault:
        return None, one_line(str(fault).splitlines()[0])
    trained = model.facts.data_fingerprint
    if trained and data.fingerprint != trained:
        return None, f"data={settings.name} here is not what the network was trained on"
    return data, ""


def _from_data(data: ImageData, name: str, calibrate: bool) -> CheckImages:
    chosen = _spread(data.test, data)
    calibration = data.train.images_at(_spread(data.train, data)) if calibrate else None
    return CheckImages(
        data.test.images_at(chosen), f"test images of {one_line(name)}", data.test.labels_at(chosen), calibration
    )


def _spread(split: Split, data: ImageData) -> Tensor:
    """Return the places of images spread evenly over a split."""
    height, width = data.image_size
    wanted = max(LEAST, min(MOST, PIXELS // (data.channels * height * width)))
    return torch.arange(len(split)) if len(split) <= wanted else torch.linspace(0, len(split) - 1, wanted).long()


def in_batches(pixels: Tensor, size: int) -> Sequence[Tensor]:
    """Return the first image alone, then the others in batches: a file must take any number of images.

    >>> [len(batch) for batch in in_batches(torch.zeros(9, 1), 4)]
    [1, 4, 4]
    """
    return [pixels[:1], *(pixels[1:].split(size) if len(pixels) > 1 else ())]
