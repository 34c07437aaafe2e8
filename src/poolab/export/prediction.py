"""Predictions of a model: the class of an image, or of each of its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image

IGNORED = 255


@dataclass(frozen=True, eq=False)
class Prediction:
    """The probabilities of the classes for one image.

    Attributes:
        image: the name of the image, e.g. its path.
        classes: the names of the classes.
        probabilities: one number a class, float32 on the CPU; they add up to 1.

    >>> prediction = Prediction("cat.jpg", ("cat", "dog"), torch.tensor([0.75, 0.25]))
    >>> prediction.label, prediction.probability, prediction.top(1)
    ('cat', 0.75, [('cat', 0.75)])
    >>> prediction
    Prediction(cat.jpg: cat (75.0%))
    """

    image: str
    classes: tuple[str, ...]
    probabilities: Tensor = field(repr=False)

    @property
    def index(self) -> int:
        """The number of the most probable class."""
        return int(self.probabilities.argmax())

    @property
    def label(self) -> str:
        """The name of the most probable class."""
        return self.classes[self.index]

    @property
    def probability(self) -> float:
        """The probability of the most probable class."""
        return float(self.probabilities[self.index])

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the most probable classes and their probabilities, the most probable first."""
        values, places = self.probabilities.topk(min(count, len(self.classes)))
        return [(self.classes[place], value) for place, value in zip(places.tolist(), values.tolist(), strict=True)]

    def __repr__(self) -> str:
        return f"Prediction({self})"

    def to_json(self, count: int = 5) -> dict[str, Any]:
        """Return the image and its most probable classes as JSON has them."""
        return {
            "image": self.image,
            "predictions": [{"class": name, "probability": value} for name, value in self.top(count)],
        }

    def __str__(self) -> str:
        """Return the image, its class and the probability."""
        return f"{self.image}: {self.label} ({self.probability:.1%})"


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of each pixel of one image.

    Attributes:
        image: the name of the image, e.g. its path.
        classes: the names of the classes.
        mask: uint8 (H, W) at the size of the picture, upright: the number of each pixel's class, and 255 where the
            picture was cut off before the network saw it.
    """

    image: str
    classes: tuple[str, ...]
    mask: Tensor = field(repr=False)

    @property
    def shares(self) -> Mapping[str, float]:
        """The share of the pixels that each class has, of those that the network saw."""
        counts = torch.bincount(self.mask.flatten(), minlength=256)[: len(self.classes)]
        return dict(zip(self.classes, (counts / counts.sum().clamp(min=1)).tolist(), strict=True))

    def picture(self) -> "Image.Image":
        """Return the mask as a picture with a palette, whose pixels are the numbers of the classes."""
        from PIL import Image

        image = Image.fromarray(self.mask.numpy(), mode=None).convert("P")
        image.putpalette([level for index in range(256) for level in colour_of(index)])
        return image

    def save(self, path: str | Path) -> None:
        """Write the mask as a PNG file with a palette."""
        self.picture().save(path, format="PNG")

    def __repr__(self) -> str:
        return f"Segmentation({self})"

    def to_json(self, count: int = 5) -> dict[str, Any]:
        """Return the image and the classes with the largest shares as JSON has them."""
        largest = sorted(self.shares.items(), key=lambda share: -share[1])[:count]
        return {"image": self.image, "shares": [{"class": name, "share": value} for name, value in largest]}

    def __str__(self) -> str:
        """Return the image and its classes, the largest first."""
        found = sorted(self.shares.items(), key=lambda share: -share[1])
        return f"{self.image}: {', '.join(f'{name} {share:.1%}' for name, share in found if share)}"


def colour_of(index: int) -> tuple[int, int, int]:
    """Return a class's colour in a mask, as PASCAL VOC's development kit defines it (Everingham et al., 2012).

    The bits of the number are dealt to red, green and blue in turn, the lowest bit to the highest of the colour.

    >>> colour_of(0), colour_of(1), colour_of(15), colour_of(255)
    ((0, 0, 0), (128, 0, 0), (192, 128, 128), (224, 224, 192))
    """
    red = green = blue = 0
    for place in range(8):
        bits = index >> (3 * place)
        red |= (bits & 1) << (7 - place)
        green |= (bits >> 1 & 1) << (7 - place)
        blue |= (bits >> 2 & 1) << (7 - place)
    return red, green, blue
