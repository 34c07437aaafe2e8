"""The photograph that the pictures show the methods on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from poolab.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 128  # small enough that single pixels show, large enough that the thing is known again
FLOWER = (153, 62, 463, 372)  # left, top, right, bottom of the blossom in scikit-learn's sample image
LUMINANCE = (0.299, 0.587, 0.114)


def photograph(file: str | Path | None = None, side: int = SIDE) -> "Tensor":
    """Load a square photograph (1, 3, side, side) with values in [0, 1]: the middle of a file, or scikit-learn's
    flower.

    Raises:
        ConfigError: the file is not there or no image.

    >>> photograph(side=32).shape
    torch.Size([1, 3, 32, 32])
    """
    import numpy as np
    import torch

    image = _flower() if file is None else _opened(file)
    small = image.resize((side, side), _lanczos(), box=FLOWER if file is None else _middle(*image.size))
    return torch.from_numpy(np.array(small, dtype=np.float32) / 255).permute(2, 0, 1)[None]


def grey(image: "Tensor") -> "Tensor":
    """Return the luminance (1, 1, H, W) of a photograph."""
    return (image * image.new_tensor(LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)


def features(image: "Tensor", side: int) -> "Tensor":
    """Return eight maps (1, 8, side, side) like those of a first layer: edges of eight directions, without negative
    values.
    """
    import math

    import torch
    import torch.nn.functional as F

    down = torch.tensor([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]])
    angles = [index * math.pi / 4 for index in range(8)]
    filters = torch.stack([math.cos(angle) * down.T + math.sin(angle) * down for angle in angles])[:, None]
    small = F.interpolate(grey(image), (side, side), mode="area")
    return F.conv2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), filters).relu()


def _flower() -> Any:
    from PIL import Image
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image("flower.jpg"))


def _opened(file: str | Path) -> Any:
    from PIL import Image

    try:
        return Image.open(file).convert("RGB")
    except FileNotFoundError:
        raise ConfigError(f"--image {file}: there is no such file") from None
    except OSError as fault:
        raise ConfigError(f"--image {file}: it cannot be read as an image: {fault}") from None


def _middle(width: int, height: int) -> tuple[float, float, float, float]:
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _lanczos() -> Any:
    from PIL import Image

    return Image.Resampling.LANCZOS
