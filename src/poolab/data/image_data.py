"""A loaded data set: three splits of uint8 images, their labels, and the training split's statistics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from poolab.data.folder_summary import FolderSummary

# A constant channel has no deviation; one grey level is the least that an 8-bit image can differ by.
SMALLEST_STD = 1 / 255
PART_BYTES = 1 << 24


class Split:
    """Images (N, C, H, W) uint8 and their labels: (N,) int64, or masks (N, H, W) uint8.

    Arguments:
        images: the images; with `rows` those of a file that is mapped into memory and may be larger than memory.
        labels: a label an image, in the split's order; or masks, which lie as the images do.
        rows: which images of the file the split has, in its order; None where `images` has them and no others.

    Everything that goes over a whole split asks for some rows at a time, by `images_at` and `labels_at`. `images`, and
    `labels` where they are masks, copy a split that is mapped into memory each time.

    >>> split = Split(torch.zeros(9, 1, 8, 8, dtype=torch.uint8), torch.arange(4), rows=torch.tensor([8, 2, 1, 0]))
    >>> len(split), tuple(split.images.shape), tuple(split.images_at(slice(1, 3)).shape)
    (4, (4, 1, 8, 8), (2, 1, 8, 8))
    """

    def __init__(self, images: Tensor, labels: Tensor, rows: Tensor | None = None):
        self._images, self._labels, self._rows = images, labels, rows

    def __len__(self) -> int:
        return len(self._labels if self._rows is None else self._rows)

    @property
    def images(self) -> Tensor:
        """All images."""
        return self._images if self._rows is None else self._images.index_select(0, self._rows)

    @property
    def labels(self) -> Tensor:
        """All labels or masks."""
        return self._labels if self._rows is None or not self.masked else self._labels.index_select(0, self._rows)

    @property
    def mapped(self) -> bool:
        """True if the images are in a file that is mapped into memory."""
        return self._rows is not None

    @property
    def masked(self) -> bool:
        """True if each image has a mask as its label."""
        return self._labels.ndim > 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, channels, height, width = self._images.shape
        return channels, height, width

    def images_at(self, places: Tensor | slice) -> Tensor:
        """Return the images at these places of the split; a slice of a split in memory is a view."""
        return _at(self._images, places if self._rows is None else self._rows[places])

    def labels_at(self, places: Tensor | slice) -> Tensor:
        """Return the labels or masks at these places of the split."""
        return _at(self._labels, places if self._rows is None or not self.masked else self._rows[places])

    def take(self, places: Tensor) -> "Split":
        """Return the images at these places, in that order: a copy, or other rows of the same file."""
        if self._rows is None:
            return Split(self.images_at(places), self.labels_at(places))
        return Split(self._images, self._labels if self.masked else self._labels[places], self._rows[places])


def _at(column: Tensor, places: Tensor | slice) -> Tensor:
    return column[places] if isinstance(places, slice) else column.index_select(0, places)


@dataclass(frozen=True)
class ImageData:
    """A data set ready for use: its splits, class names and normalisation.

    `mean` and `std` belong to the training split without the validation images, one number a channel, in units
    of 0..1. `fingerprint` is the identity of the raw content (see `data_fingerprint`). Of an image folder, `summary`
    says how many images there are, which files were left out, and which are there twice.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    summary: "FolderSummary | None" = None

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self.train.image_shape[0]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.train.image_shape[1], self.train.image_shape[2]

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def task(self) -> str:
        """The task of the labels: one for each image (classification), or one for each pixel (segmentation)."""
        return "segmentation" if self.train.masked else "classification"


def channel_statistics(images: Tensor | Split, chunk: int = 4096) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and (population) standard deviation of each channel of uint8 images (N, C, H, W), in units of 0..1.

    They are computed from histograms of the 256 levels: exact, and the same for any number of threads. `chunk` is the
    largest number of images that are read together; of large images it is smaller.

    >>> channel_statistics(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    ((0.5,), (0.5,))
    """
    split = images if isinstance(images, Split) else Split(images, torch.zeros(len(images)))
    channels, height, width = split.image_shape
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    chunk = max(1, min(chunk, PART_BYTES // (channels * height * width)))
    for start in range(0, len(split), chunk):
        part = split.images_at(slice(start, start + chunk))
        for channel, row in enumerate(counts):
            row += torch.bincount(part[:, channel].reshape(-1), minlength=256)
    levels = torch.arange(256, dtype=torch.float64) / 255
    share = counts.double() / counts.sum(1, keepdim=True)
    mean = share @ levels
    std = (share * (levels - mean[:, None]) ** 2).sum(1).sqrt().clamp(min=SMALLEST_STD)
    return tuple(mean.tolist()), tuple(std.tolist())
