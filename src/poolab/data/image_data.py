"""What a loaded data set is: three splits of uint8 images, their labels, and the training split's statistics."""

from dataclasses import dataclass

import torch
from torch import Tensor

# A constant channel has no deviation; one grey level is the least that an 8-bit image can differ by.
SMALLEST_STD = 1 / 255


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) uint8, perhaps memory-mapped, and their labels: (N,) int64, or masks (N, H, W) uint8.

    >>> len(Split(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.arange(4)))
    4
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageData:
    """A data set ready for use: its splits, class names and normalisation.

    `mean` and `std` belong to the training split without the validation images, one number a channel, in units
    of 0..1. `fingerprint` is the identity of the raw content (see `data_fingerprint`).
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self.train.images.shape[1]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.train.images.shape[2], self.train.images.shape[3]

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @property
    def task(self) -> str:
        """What the labels are for: one an image (classification), or one a pixel (segmentation)."""
        return "classification" if self.train.labels.ndim == 1 else "segmentation"


def channel_statistics(images: Tensor, chunk: int = 4096) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and (population) standard deviation of each channel of uint8 images (N, C, H, W), in units of 0..1.

    Counted from histograms of the 256 levels, so the result is exact and the same for any number of threads.

    >>> channel_statistics(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    ((0.5,), (0.5,))
    """
    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64)
    for part in images.split(chunk):
        for channel, row in enumerate(counts):
            row += torch.bincount(part[:, channel].reshape(-1), minlength=256)
    levels = torch.arange(256, dtype=torch.float64) / 255
    share = counts.double() / counts.sum(1, keepdim=True)
    mean = share @ levels
    std = (share * (levels - mean[:, None]) ** 2).sum(1).sqrt().clamp(min=SMALLEST_STD)
    return tuple(mean.tolist()), tuple(std.tolist())
