"""Read single images from anywhere (a file, a picture, an array) as a data set's own images were read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.data import pixels
from poolab.data.fit import fit_channels, fit_size
from poolab.errors import DataError
from poolab.text import one_line

if TYPE_CHECKING:
    from PIL import Image

ACCEPTED = "a path, a PIL image, a uint8 array (H, W) or (H, W, C), or a uint8 tensor (C, H, W)"


class ReadImage(NamedTuple):
    """An image as the network takes it, and where it lies in the picture that it was read from.

    Attributes:
        pixels: uint8 (C, H, W).
        size: height and width of the picture, upright.
        box: left, top, right and bottom of the part of the picture that `pixels` shows, in pixels of the picture.
    """

    pixels: Tensor
    size: tuple[int, int]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageReader:
    """Reads images of any size to one size, as the images of a data set were read.

    A picture is brought upright (EXIF) and laid on `background` where it is transparent. It is resized so that it
    covers the size, and its centre is kept.

    Args:
        channels: 1 (grey) or 3 (colour).
        image_size: height and width in pixels.
        from_files: resize with Pillow, as image folders are; if False, with torch, as data sets in memory are.
        background: "white", "black" or "grey".

    >>> reader = ImageReader(channels=1, image_size=(2, 2), from_files=False)
    >>> reader.read(np.full((6, 4, 3), 200, dtype=np.uint8)).pixels.tolist()
    [[[200, 200], [200, 200]]]
    """

    channels: int
    image_size: tuple[int, int]
    from_files: bool
    background: str = "white"

    def read(self, image: Any) -> ReadImage:
        """Read one image: a path, a PIL image, a uint8 array (H, W) or (H, W, C), or a uint8 tensor (C, H, W).

        Raises:
            DataError: it cannot be read, or is of another type, shape or range.
        """
        try:
            return self._read(image)
        except (OSError, ValueError) as fault:
            raise DataError(f"{name_of(image)} cannot be read: {getattr(fault, 'strerror', None) or fault}") from fault
        except MemoryError as fault:
            raise DataError(f"{name_of(image)} cannot be read: it does not fit into memory") from fault

    def _read(self, image: Any) -> ReadImage:
        if isinstance(image, np.ndarray | Tensor):
            image = _picture(image)
        elif isinstance(image, str | os.PathLike):
            image = Path(image).expanduser()
        elif not _is_picture(image) and not hasattr(image, "read"):
            raise DataError(f"an image of type {type(image).__name__} is not possible: give {ACCEPTED}")
        with pixels.opened(image, self.background) as picture:
            size = picture.height, picture.width
            box = pixels.covering(size, self.image_size)
            shown = self._from_file(picture) if self.from_files else self._in_memory(picture, box)
        return ReadImage(shown, size, box)

    def _from_file(self, picture: "Image.Image") -> Tensor:
        return torch.from_numpy(pixels.fitted_array(picture, self.channels, self.image_size).copy())

    def _in_memory(self, picture: "Image.Image", box: tuple[float, float, float, float]) -> Tensor:
        # In the order of `load_data`: one channel first where grey is wanted, then the size, then three channels.
        image = torch.from_numpy(pixels.array_of(picture))[None]
        image = fit_channels(image, 1 if self.channels == 1 else None)
        left, top, right, bottom = map(round, box)
        image = image[..., top : max(bottom, top + 1), left : max(right, left + 1)]
        return fit_channels(fit_size(image, self.image_size), self.channels)[0].contiguous()


def name_of(image: Any) -> str:
    """Return what a message calls an image.

    >>> name_of("cat.jpg"), name_of(np.zeros((2, 3)))
    ('cat.jpg', 'an array of shape (2, 3)')
    """
    if isinstance(image, str | os.PathLike):
        return one_line(os.fspath(image))
    if isinstance(image, np.ndarray | Tensor):
        return f"{'an array' if isinstance(image, np.ndarray) else 'a tensor'} of shape {tuple(image.shape)}"
    return f"an image of type {type(image).__name__}"


def back_to_picture(mask: Tensor, read: ReadImage, outside: int) -> Tensor:
    """Return a mask (H, W) at the size of the picture it was predicted for; what the network did not see is `outside`.

    >>> read = ReadImage(torch.zeros(1, 1, 1), (2, 4), (1, 0, 3, 2))
    >>> back_to_picture(torch.tensor([[7]], dtype=torch.uint8), read, 255).tolist()
    [[255, 7, 7, 255], [255, 7, 7, 255]]
    """
    left, top, right, bottom = map(round, read.box)
    size = max(bottom - top, 1), max(right - left, 1)
    whole = mask.new_full(read.size, outside)
    whole[top : top + size[0], left : left + size[1]] = F.interpolate(mask[None, None], size=size, mode="nearest-exact")
    return whole


def _is_picture(image: Any) -> bool:
    from PIL import Image

    return isinstance(image, Image.Image)


def _picture(array: "np.ndarray | Tensor") -> "Image.Image":
    """Return an array or a tensor as a picture.

    Raises:
        DataError: another type of numbers, or another shape.
    """
    from PIL import Image

    name = name_of(array)
    if isinstance(array, Tensor):
        if array.ndim != 3:
            raise DataError(f"{name} is not an image: a tensor has shape (C, H, W) with 1, 3 or 4 channels")
        kind, array = str(array.dtype).removeprefix("torch."), array.detach().cpu().permute(1, 2, 0).numpy()
    else:
        kind = str(array.dtype)
    if kind != "uint8":
        raise DataError(f"{name} has {kind} numbers: give levels from 0 to 255 as uint8")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise DataError(f"{name} is not an image: an array has shape (H, W), or (H, W, C) with 1, 3 or 4 channels")
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array))
