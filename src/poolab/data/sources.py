"""All data sets that poolab knows, in the dict at the end.

To add one: write a loader here (or in a file beside this) that takes a `Request` and returns `Raw`, name it in
`SOURCES`, and add conf/data/<name>.yaml. Splits, limits, sizes, statistics, batches and augmentation then come along.
A loader that returns masks for labels says so there: `task="segmentation"`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from poolab.data import drawn_shapes, image_folder, image_mask_folder, mask_pairs, torchvision_sets
from poolab.data.raw import Raw, Request
from poolab.streams import derive_seed


class ImageShape(NamedTuple):
    """The properties of a data set that a network depends on."""

    channels: int
    image_size: tuple[int, int]
    num_classes: int


GREY_28 = ImageShape(1, (28, 28), 10)
COLOUR_32 = ImageShape(3, (32, 32), 10)


class DataSource(NamedTuple):
    """A loader, the version of what it returns (part of a run's identity), and the default size of its images.

    `native` is the form of the images as they come, where it is known without loading them; `identify` gives the
    identity of content that differs from user to user; `task` is what the labels are for, and known without loading;
    `classes` and `tests` count the classes and the test images of a folder without reading its files.
    """

    load: Callable[[Request], Raw]
    native: ImageShape | None = None
    version: int = 1
    image_size: int | None = None
    identify: Callable[[Path | None], str] | None = None
    task: str = "classification"
    classes: Callable[[Path | None], int] | None = None
    tests: Callable[[Path | None], int] | None = None


def load_digits(request: Request) -> Raw:
    """Load scikit-learn's 1,797 handwritten digits, 8x8 grey, which are part of the package.

    The set has no test split of its own: every fifth image of each class, in a fixed random order, is its test split.
    """
    from sklearn.datasets import load_digits as embedded

    bunch = embedded()
    # The levels 0..16 become 0..255.
    images = torch.from_numpy(bunch.images).mul(255 / 16).round().byte().unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    test = _every_fifth(labels)
    classes = tuple(str(name) for name in bunch.target_names)
    return Raw(images[~test], labels[~test], images[test], labels[test], classes)


def _every_fifth(labels: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(derive_seed(0, "digits", "test"))
    order = torch.randperm(len(labels), generator=generator)
    test = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        test[order[labels[order] == label][::5]] = True
    return test


SOURCES: dict[str, DataSource] = {
    "cifar10": DataSource(torchvision_sets.load_cifar10, COLOUR_32),
    "cifar100": DataSource(torchvision_sets.load_cifar100, COLOUR_32._replace(num_classes=100)),
    "digits": DataSource(load_digits, ImageShape(1, (8, 8), 10), image_size=32),
    "fashion_mnist": DataSource(torchvision_sets.load_fashion_mnist, GREY_28),
    "image_folder": DataSource(
        image_folder.load_image_folder,
        identify=image_folder.folder_fingerprint,
        classes=image_folder.folder_classes,
        tests=image_folder.folder_tests,
    ),
    "image_mask_folder": DataSource(
        image_mask_folder.load_image_mask_folder, identify=mask_pairs.pairs_fingerprint, task="segmentation"
    ),
    "mnist": DataSource(torchvision_sets.load_mnist, GREY_28),
    "shapes": DataSource(drawn_shapes.load_shapes, ImageShape(3, (64, 64), 4), task="segmentation"),
    "svhn": DataSource(torchvision_sets.load_svhn, COLOUR_32),
}
