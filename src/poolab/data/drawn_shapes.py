"""Discs, squares and triangles on a textured ground with the mask of each image: drawn by code, nothing to download."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from poolab.data.augment import one_thread
from poolab.data.raw import Raw, Request
from poolab.streams import derive_seed

CLASSES = ("background", "disc", "square", "triangle")
TRAIN, TEST = 1000, 200
SIDE = 64  # pixels
MOST = 3  # shapes of an image
RADII = (6.0, 14.0)  # of the disc of the same area
NOISE = 0.05  # standard deviation of a pixel's noise, where 1 is white
GRAIN, PERIOD = 0.2, 6.0  # of a shape's surface: its height, and pixels from crest to crest
PART = 100  # images drawn at a time; the numbers depend on it


def load_shapes(request: Request) -> Raw:
    """Draw 1,000 training and 200 test images of 64x64 in colour, with masks of four classes (background, disc, square,
    triangle), from a fixed seed.

    An image has one to three shapes of random place, size, angle and colour, the later ones in front. All kinds have
    the same areas and colours. Outline and grain (discs are smooth, squares striped, triangles dotted) tell them apart:
    by outlines alone a small U-Net learns in ten epochs to find shapes, and not to name them.
    """
    generator = torch.Generator().manual_seed(derive_seed(0, "shapes"))
    with one_thread():
        parts = [draw(PART, generator) for _ in range((TRAIN + TEST) // PART)]
    images, masks = (torch.cat(column) for column in zip(*parts, strict=True))
    return Raw(images[:TRAIN], masks[:TRAIN], images[TRAIN:], masks[TRAIN:], CLASSES)


def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw images (count, 3, 64, 64) uint8 and their masks (count, 64, 64) uint8.

    >>> images, masks = draw(2, torch.Generator().manual_seed(0))
    >>> images.shape, masks.shape, masks.max() < len(CLASSES)
    (torch.Size([2, 3, 64, 64]), torch.Size([2, 64, 64]), tensor(True))
    """
    images = _texture(count, generator)
    ground = images.mean((2, 3))
    masks = torch.zeros(count, SIDE, SIDE, dtype=torch.uint8)
    shapes = torch.randint(1, MOST + 1, (count,), generator=generator)
    for number in range(MOST):
        kind = torch.randint(1, len(CLASSES), (count,), generator=generator)
        inside, grain = _shape(kind, generator)
        inside &= (number < shapes)[:, None, None]
        masks = torch.where(inside, kind[:, None, None], masks).byte()
        images = torch.where(inside[:, None], _colour(ground, generator)[:, :, None, None] + grain[:, None], images)
    images = images + NOISE * torch.randn(images.shape, generator=generator)
    return images.clamp(0, 1).mul(255).round().byte(), masks


def _texture(count: int, generator: torch.Generator) -> Tensor:
    """Draw soft blotches of colour, (count, 3, SIDE, SIDE), around a mean colour for each image."""
    mean = _uniform((count, 3, 1, 1), 0.3, 0.7, generator)
    coarse = mean + _uniform((count, 3, 9, 9), -0.12, 0.12, generator)
    return F.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear", align_corners=True)


def _colour(ground: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a colour for each image, (count, 3), that differs from its ground in all channels, lighter or darker."""
    sign = torch.randint(0, 2, ground.shape, generator=generator) * 2 - 1
    return ground + sign * _uniform(tuple(ground.shape), 0.15, 0.3, generator)


def _shape(kind: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw a disc (kind 1), square (2) or triangle (3) of random place, size and angle. Return its pixels, (count,
    SIDE, SIDE), and the grain of its surface, (count, SIDE, SIDE): none, stripes or dots.
    """
    count = (len(kind), 1, 1)
    kind = kind.view(count)
    radius = _uniform(count, *RADII, generator)
    angle = _uniform(count, 0.0, 2 * math.pi, generator)
    row, column = (_uniform(count, 8.0, SIDE - 8.0, generator) for _ in range(2))
    y, x = torch.arange(SIDE)[:, None] + 0.5 - row, torch.arange(SIDE) + 0.5 - column
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    # Half the side of the square, and the distance of the triangle's sides, that have the disc's area.
    half, apothem = radius * math.sqrt(math.pi) / 2, radius * math.sqrt(math.pi / math.sqrt(27))
    slant = math.sqrt(3) / 2
    stripes = GRAIN * (u * (2 * math.pi / PERIOD)).sin()
    dots = stripes * (v * (2 * math.pi / PERIOD)).sin()
    grain = torch.where(kind == 2, stripes, torch.where(kind == 3, dots, 0.0))
    triangle = torch.maximum(v, slant * u.abs() - v / 2) < apothem
    square = torch.maximum(u.abs_(), v.abs_()) < half
    disc = x.square_() + y.square_() < radius**2
    return torch.where(kind == 1, disc, torch.where(kind == 2, square, triangle)), grain


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)
