"""A look at the training images, for what is computed from them before training."""

from collections.abc import Iterator

import torch
from torch import Tensor

from poolab.data.augment import prepare
from poolab.data.image_data import ImageData

COUNT = 5000  # as many as airbench94 computes its whitening from
PART = 500  # images at a time


def training_sample(data: ImageData, count: int = COUNT) -> Iterator[Tensor]:
    """Yield normalised images of the training split in batches (N, C, H, W): `count` of them, evenly spaced, or all.

    Evenly spaced and not the first: in a folder the images lie class by class. They depend on the split alone, so
    that all arms of a seed see the same ones. Nothing is read before the first batch is asked for.

    >>> from poolab.data import load_data
    >>> [tuple(batch.shape) for batch in training_sample(load_data("digits"), count=600)]
    [(500, 1, 32, 32), (100, 1, 32, 32)]
    """
    size = len(data.train)
    index = torch.arange(min(count, size)) * size // min(count, size)
    for part in index.split(PART):
        yield prepare(data.train.images_at(part), data.mean, data.std)
