"""Decode the bytes of an image file to uint8 pixels: formats, orientation, transparency, depth, size."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

# Part of the identity of an image folder and of the cache's key: raise it whenever decoding gives other pixels.
# 2: EXIF orientation, transparency on a background, one resize of the part that is kept.
VERSION = 2

# What files are opened as, whatever they are called. Pillow knows more, some of which start other programs (EPS).
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM")
BACKGROUNDS = {"white": 255, "black": 0, "grey": 128}
GREY_MODES = ("1", "L", "LA", "La")

# EXIF's orientation: what brings the stored picture upright (https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf).
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_ORIENTATION = 0x0112

ImageFile = Path | IO[bytes]


def is_image(path: Path) -> bool:
    """Return whether a file holds one of the formats; only its header is read. Raises OSError where it is not let."""
    from PIL import Image

    with path.open("rb") as file:
        try:
            Image.open(file, formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            return True
        except Exception:  # a text that begins as a PPM does raises errors of many kinds
            return False
    return True


def read_header(source: ImageFile) -> tuple[tuple[int, int], bool]:
    """Return height and width of an image as it is shown, and whether it is grey, without decoding it."""
    with _opened(source) as image:
        height, width = image.height, image.width
        turned = _orientation(image) >= 5
        return (width, height) if turned else (height, width), image.mode in GREY_MODES


def is_turned(source: ImageFile) -> bool:
    """Return whether the image is shown otherwise than it is stored."""
    with _opened(source) as image:
        return _orientation(image) != 1


def decode(source: ImageFile, channels: int, size: tuple[int, ...], background: str = "white") -> np.ndarray:
    """Return one image as (C, H, W) uint8: upright, on the background, resized to fit, and cropped to the centre."""
    with opened(source, background) as image:
        return fitted_array(image, channels, size)


@contextmanager
def opened(source: "ImageFile | Image.Image", background: str = "white") -> Iterator["Image.Image"]:
    """Open an image as it is shown, upright and on the background; a picture that was given stays open.

    Raises:
        OSError, ValueError: it cannot be read, with the reason in words.
    """
    stored = _opened(source)
    with nullcontext(stored) if stored is source else stored:
        yield _opaque(_upright(stored), BACKGROUNDS[background])


def array_of(image: "Image.Image") -> np.ndarray:
    """Return an image as (C, H, W) uint8 at its own size, with one channel or three."""
    grey = image.mode in GREY_MODES
    array = np.array(image.convert("L" if grey else "RGB"))
    return array.reshape(image.height, image.width, 1 if grey else 3).transpose(2, 0, 1)


def fitted_array(image: "Image.Image", channels: int, size: tuple[int, ...]) -> np.ndarray:
    """Return an image as (C, H, W) uint8, resized to cover the size, and cropped to the centre."""
    from PIL import Image

    image = image.convert("L" if channels == 1 else "RGB")
    fitted = np.asarray(_fitted(image, size, Image.Resampling.BILINEAR))
    return fitted.reshape(*size, channels).transpose(2, 0, 1)


def decode_mask(source: ImageFile, channels: int, size: tuple[int, ...], background: str = "white") -> np.ndarray:
    """Return one mask as (1, H, W) uint8, resized and cropped as its image: each pixel takes the index nearest to it.

    `channels` and `background` say nothing here; they make it callable as `decode` is.
    """
    from PIL import Image

    indices = Image.fromarray(read_mask(source))
    return np.asarray(_fitted(indices, size, Image.Resampling.NEAREST))[None]


def read_mask(source: ImageFile) -> np.ndarray:
    """Return the indices (H, W) uint8 of one mask, upright: a grey image's levels, or a palette's places."""
    with _opened(source) as opened:
        if opened.mode not in ("L", "P", "1"):
            raise ValueError(
                f"it is in colour (mode {opened.mode}), and a mask is one index a pixel, grey or of a palette"
            )
        return np.asarray(_upright(opened)).astype(np.uint8)


def read_whole(source: ImageFile) -> tuple[tuple[int, int], bool]:
    """Return what `read_header` returns, and decode the image, so that damage shows."""
    size, grey = read_header(source)
    if not isinstance(source, Path):
        source.seek(0)
    decode(source, 3, size)
    return size, grey


def _opened(source: "ImageFile | Image.Image") -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    try:
        image = source if isinstance(source, Image.Image) else Image.open(source, formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"its content is none of {', '.join(FORMATS)}, or its header is damaged") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"it has more pixels than Pillow decodes ({error}); make it smaller before training") from None
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"it has more than 8 bits a channel (mode {image.mode}), convert it to 8 bits")
    return image


def _orientation(image: "Image.Image") -> int:
    """Return EXIF's orientation, or 1 if there is none that can be read. Pillow itself handles that of TIFF."""
    if image.format == "TIFF":
        return 1
    if image.format == "PNG":
        image.load()  # `getexif` would, and a damaged picture would pass: the second load of one raises nothing
    try:
        value = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF: viewers show the picture as it is stored
        return 1
    return value if value in _UPRIGHT else 1


def _upright(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    orientation = _orientation(image)
    return image if orientation == 1 else image.transpose(Image.Transpose[_UPRIGHT[orientation]])


def _opaque(image: "Image.Image", level: int) -> "Image.Image":
    """Return the image over a background of one grey level where it is transparent: alpha, palettes and PNG's tRNS."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    straight = {"RGBa": "RGBA", "La": "LA"}.get(image.mode)  # colours that were multiplied with their alpha
    image = (image.convert(straight) if straight else image).convert("RGBA")
    ground = Image.new("RGBA", image.size, (level, level, level, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _fitted(image: "Image.Image", size: tuple[int, ...], resampling: "Image.Resampling") -> "Image.Image":
    """Return the image resized so that it covers the size, and cropped to its centre.

    Only what is kept is computed: resizing all of a picture of 1 x 60000 to the height of 32 would give 1.9 million
    columns.
    """
    height, width = size
    if (image.height, image.width) == (height, width):
        return image
    return image.resize((width, height), resampling, box=covering((image.height, image.width), (height, width)))


def covering(stored: tuple[int, int], size: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return the part of an image (left, top, right, bottom) that a size shows: of its centre, as much as fits.

    >>> covering((60, 40), (32, 32))
    (0.0, 10.0, 40.0, 50.0)
    """
    height, width = size
    scale = max(height / stored[0], width / stored[1])
    around = max(height, round(stored[0] * scale)), max(width, round(stored[1] * scale))
    top, left = (around[0] - height) // 2, (around[1] - width) // 2
    down, across = stored[0] / around[0], stored[1] / around[1]  # pixels of the image for one of the result
    return left * across, top * down, (left + width) * across, (top + height) * down
