"""The request to a loader, and its result."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

if TYPE_CHECKING:
    from poolab.data.folder_summary import FolderSummary

# What a mask holds where no class is: such pixels take part neither in the loss nor in a figure.
IGNORED = 255


class Raw(NamedTuple):
    """A data set as it comes: uint8 images (N, C, H, W) and labels of both splits, and the class names.

    Labels are int64 (N,), one an image, or masks: uint8 (N, H, W), one a pixel, `IGNORED` where there is none.
    Where they are `stored`, images and masks lie in files of any size, at the size and with the channels that were
    asked for. Of a folder, the identity and the summary belong to the very files that were loaded.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    stored: bool = False
    fingerprint: str | None = None
    summary: "FolderSummary | None" = None


@dataclass(frozen=True)
class Request:
    """The checked arguments of `load_data`; a loader uses those that concern it."""

    name: str
    root: Path | None
    image_size: tuple[int, int] | None
    channels: int | None
    cache_dir: Path
    download: bool
    background: str = "white"
