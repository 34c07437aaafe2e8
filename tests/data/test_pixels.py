"""From files of any meant kind to pixels: transparency, orientation, depth, formats, size."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from poolab.data import load_data, pixels
from poolab.data.pixels import decode, read_header, read_mask
from poolab.errors import ConfigError, DataError

LEVELS = {"white": 255, "black": 0, "grey": 128}


def saved(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    file.seek(0)
    return file


def pixel(image, channels=3, background="white", format="PNG", **options):
    """The top left pixel of an image that was saved and decoded."""
    height, width = image.size[1], image.size[0]
    found = decode(saved(image, format, **options), channels, (height, width), background)[:, 0, 0]
    return tuple(map(int, found))


def transparent(mode):
    """An image whose first pixel is transparent, and would be black without its alpha, and how it is saved."""
    rgba = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    rgba.putpixel((3, 3), (200, 100, 50, 255))
    if mode == "RGBA":
        return rgba, {}
    if mode == "LA":
        return rgba.convert("LA"), {}
    if mode == "P, one index":
        image = Image.new("P", (4, 4), 0)
        image.putpalette([0, 0, 0, 200, 100, 50])
        return image, {"transparency": 0}
    if mode == "P, an alpha for each":
        image = Image.new("P", (4, 4), 0)
        image.putpalette([0, 0, 0, 200, 100, 50])
        return image, {"transparency": bytes([0, 255])}
    if mode == "L, one level":
        return Image.new("L", (4, 4), 0), {"transparency": 0}
    if mode == "RGB, one colour":
        return Image.new("RGB", (4, 4), 0), {"transparency": (0, 0, 0)}
    assert mode == "1, one level"
    return Image.new("1", (4, 4), 0), {"transparency": 0}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("background", LEVELS)
@pytest.mark.parametrize(
    "mode", ["RGBA", "LA", "P, one index", "P, an alpha for each", "L, one level", "RGB, one colour", "1, one level"]
)
def test_what_is_transparent_shows_the_background(mode, background, channels):
    image, options = transparent(mode)
    assert pixel(image, channels, background, **options) == (LEVELS[background],) * channels


@pytest.mark.parametrize("format", ["WEBP", "GIF", "TIFF"])
def test_transparency_of_other_formats(format):
    image, _ = transparent("RGBA")
    options = {"lossless": True} if format == "WEBP" else {}
    assert pixel(image, 3, "white", format, **options) == (255, 255, 255)


def test_half_transparency_is_a_mixture():
    assert pixel(Image.new("RGBA", (2, 2), (100, 0, 200, 128)), 3, "white") == (177, 127, 227)
    assert pixel(Image.new("RGBA", (2, 2), (100, 0, 200, 128)), 3, "black") == (50, 0, 100)
    assert pixel(Image.new("LA", (2, 2), (100, 128)), 1, "black") == (50,)
    assert pixel(Image.new("RGBA", (2, 2), (9, 8, 7, 255)), 3, "black") == (9, 8, 7)


def test_colours_that_were_multiplied_with_their_alpha():
    image = Image.new("RGBA", (2, 2), (200, 100, 0, 128)).convert("RGBa")
    assert image.mode == "RGBa"
    reds = np.asarray(pixels._opaque(image, 0))[0, 0]
    assert abs(int(reds[0]) - 100) <= 1
    assert abs(int(reds[1]) - 50) <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
@pytest.mark.parametrize("background", LEVELS)
def test_the_background_says_nothing_of_what_is_opaque(mode, background):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)).convert(mode)
    assert np.array_equal(decode(saved(image), 3, (8, 8), background), decode(saved(image), 3, (8, 8)))
    assert np.array_equal(decode(saved(image), 3, (8, 8)).transpose(1, 2, 0), np.asarray(image.convert("RGB")))


def test_a_palette_with_alpha_of_its_own():
    image = Image.new("PA", (2, 2))
    image.putpalette([0, 0, 0, 250, 0, 0])
    image.putdata([(0, 0), (1, 255), (0, 255), (1, 0)])
    flat = np.asarray(pixels._opaque(image, 255))
    assert flat.tolist() == [[[255] * 3, [250, 0, 0]], [[0] * 3, [255] * 3]]


def photograph(orientation, format="JPEG", mode="RGB"):
    """A 6x10 picture (height x width) with a bright upper left corner as it is shown, stored turned."""
    shown = Image.new(mode, (32, 16))
    shown.paste("white", (0, 0, 8, 8))
    stored = shown
    if orientation != 1:
        undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        stored = shown.transpose(undo.get(orientation, Image.Transpose[pixels._UPRIGHT[orientation]]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return shown, saved(stored, format, exif=exif)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright(orientation, format):
    shown, file = photograph(orientation, format)
    assert read_header(file)[0] == (16, 32)
    file.seek(0)
    found = decode(file, 3, (16, 32))
    assert np.abs(found.transpose(1, 2, 0).astype(int) - np.asarray(shown).astype(int)).max() < 60
    file.seek(0)
    assert np.array_equal(
        found, np.asarray(ImageOps.exif_transpose(Image.open(file)).convert("RGB")).transpose(2, 0, 1)
    )


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_that_does_not_exist_turns_nothing(value):
    exif = Image.Exif()
    exif[0x0112] = value
    file = saved(Image.new("RGB", (4, 2)), "JPEG", exif=exif)
    assert read_header(file)[0] == (2, 4)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_damaged_exif_turns_nothing(exif):
    file = saved(Image.new("RGB", (4, 2), (9, 9, 9)), "JPEG", exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow tells of the damage
        assert read_header(file)[0] == (2, 4)
        file.seek(0)
        assert decode(file, 3, (2, 4)).shape == (3, 2, 4)


def test_a_mask_is_upright_as_its_image():
    _, file = photograph(6, "PNG", "L")
    assert read_mask(file).shape == (16, 32)
    file.seek(0)
    assert read_mask(file)[0, 0] == 255


@pytest.mark.parametrize(
    ("image", "format", "right"),
    [
        (Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG", (255, 255, 255)),
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (Image.new("1", (8, 8), 1), "PNG", (255, 255, 255)),
        (Image.new("1", (8, 8), 1), "TIFF", (255, 255, 255)),
        (Image.new("1", (8, 8), 1), "PPM", (255, 255, 255)),
        (Image.new("YCbCr", (8, 8), (128, 128, 128)), "JPEG", (128, 128, 128)),
        (Image.new("L", (8, 8), 77), "BMP", (77, 77, 77)),
        (Image.new("LAB", (8, 8), (128, 128, 128)), "TIFF", (119, 119, 119)),
    ],
)
def test_other_kinds_are_right(image, format, right):
    assert pixel(image, 3, "white", format) == pytest.approx(right, abs=2)


def sixteen_bit_colour_png(levels):
    """A PNG of 1x1 with 16 bits a channel, which Pillow cannot write."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + struct.pack(f">{len(levels)}H", *levels)
    header = struct.pack(">IIBBBBB", 1, 1, 16, {2: 4, 3: 2, 4: 6}[len(levels)], 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + parts)


def test_sixteen_bit_colour_and_alpha_become_eight():
    assert decode(sixteen_bit_colour_png((65535, 32768, 257)), 3, (1, 1))[:, 0, 0].tolist() == [255, 128, 1]
    assert decode(sixteen_bit_colour_png((0, 0, 0, 0)), 3, (1, 1))[:, 0, 0].tolist() == [255, 255, 255]
    assert decode(sixteen_bit_colour_png((0, 65535)), 1, (1, 1))[:, 0, 0].tolist() == [0]
    assert decode(sixteen_bit_colour_png((0, 0)), 1, (1, 1), "grey")[:, 0, 0].tolist() == [128]


def deep(format):
    return saved(Image.fromarray(np.full((4, 4), 40_000, np.uint16)), format)


@pytest.mark.parametrize(
    "file",
    [
        deep("PNG"),
        deep("TIFF"),
        saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"),
        saved(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "TIFF"),
        io.BytesIO(b"P5\n2 2\n65535\n" + bytes(8)),
        io.BytesIO(b"Pf\n2 2\n-1.0\n" + bytes(16)),
    ],
    ids=["PNG 16", "TIFF 16", "TIFF float", "TIFF 32", "PGM 16", "PFM"],
)
def test_more_than_eight_bits_of_grey_are_refused(file):
    for read in (read_header, read_mask, lambda file: decode(file, 3, (4, 4))):
        file.seek(0)
        with pytest.raises(ValueError, match=r"more than 8 bits a channel .*convert it to 8 bits"):
            read(file)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    "content",
    [
        EPS,
        b"\xc5\xd0\xd3\xc6" + bytes(28) + EPS,
        b"\0\0\1\0\1\0\10\10\0\0\1\0\40\0" + bytes(60),  # ICO
        b"%PDF-1.4\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"MZ" + bytes(100),
        b"GIF8",
    ],
    ids=["EPS", "EPS with a preview", "ICO", "PDF", "SVG", "EXE", "a cut GIF"],
)
def test_only_the_meant_formats_are_opened(content, tmp_path, monkeypatch):
    import subprocess

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started a program"))
    with pytest.raises(ValueError, match="its content is none of JPEG, PNG"):
        decode(io.BytesIO(content), 3, (8, 8))
    (tmp_path / "x").write_bytes(content)
    assert not pixels.is_image(tmp_path / "x")


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_counts(format):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    options = {"lossless": True} if format == "WEBP" else {}
    file = saved(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert decode(file, 3, (8, 8))[:, 0, 0] == pytest.approx([250, 0, 0], abs=2)


def resized_then_cropped(image, size):
    """What `decode` did before: the whole picture resized, then cropped."""
    height, width = size
    scale = max(height / image.height, width / image.width)
    around = max(height, round(image.height * scale)), max(width, round(image.width * scale))
    image = image.resize((around[1], around[0]), Image.Resampling.BILINEAR)
    top, left = (around[0] - height) // 2, (around[1] - width) // 2
    return np.asarray(image.crop((left, top, left + width, top + height)))


@pytest.mark.parametrize("given", [(20, 30), (64, 64), (7, 5), (1, 9), (300, 31)])
@pytest.mark.parametrize("wanted", [(8, 8), (32, 20), (5, 40)])
def test_what_is_kept_has_the_pixels_of_the_whole_resized(given, wanted):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*given, 3), dtype=np.uint8))
    found = decode(saved(image), 3, wanted).transpose(1, 2, 0)
    assert np.abs(found.astype(int) - resized_then_cropped(image, wanted).astype(int)).max() <= 1


@pytest.mark.parametrize("size", [(60_000, 1), (1, 60_000), (1, 1), (2, 30_000)])
def test_very_long_and_very_small_pictures(size):
    image = Image.new("RGB", size, (10, 20, 30))
    found = decode(saved(image), 3, (32, 32))
    assert (found == np.array([10, 20, 30]).reshape(3, 1, 1)).all()
    assert pixels.decode_mask(saved(image.convert("L")), 1, (32, 32)).shape == (1, 32, 32)


@pytest.mark.parametrize("warns", [True, False])
def test_a_picture_above_pillows_limit_is_named(make_tree, monkeypatch, warns):
    root = make_tree()
    Image.new("L", (20, 10)).save(root / "train" / "cat" / "vast.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150 if warns else 90)
    for settings in ({}, {"image_size": 8, "channels": 3}):
        with pytest.raises(DataError, match=r"vast.png .*more pixels than Pillow decodes.*make it smaller"):
            load_data("image_folder", root=root, **settings)


@pytest.mark.parametrize(("name", "first"), [("image_folder", "train/cat"), ("image_mask_folder", "train/images")])
def test_the_background_is_a_setting(make_tree, tmp_path, name, first):
    root = make_tree(classes=("cat", "dog"), size=(8, 8))
    if name == "image_mask_folder":
        for split in ("train", "test"):
            (root / split / "cat").rename(root / split / "images")
            (root / split / "dog").rename(root / split / "masks")
            for number, path in enumerate((root / split / "masks").iterdir()):
                Image.new("L", (8, 8), number % 2).save(path)
    for path in (root / first).iterdir():
        Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(path)
    for settings, level in (({}, 255), ({"background": "black"}, 0), ({"background": "grey"}, 128)):
        data = load_data(name, root=root, val_fraction=0.2, **settings)
        images = data.train.images[data.train.labels == 0] if name == "image_folder" else data.train.images
        assert (images == level).all()
    with pytest.raises(ConfigError, match=r"data.background=pink is not possible: choose from white, black, grey"):
        load_data(name, root=root, background="pink")


@pytest.mark.parametrize("background", ["white", "black", "pink"])
def test_other_data_sets_have_no_background(background):
    with pytest.raises(ConfigError, match=r"data.background=.* a setting of image_folder and image_mask_folder"):
        load_data("digits", background=background)


def test_a_mask_that_fits_the_stored_picture_and_not_the_shown_one_is_told_why(tmp_path):
    for split in ("train", "test"):
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
        for i in range(4):
            (tmp_path / split / "images" / f"{i}.jpg").write_bytes(photograph(6)[1].read())
            mask = np.zeros((16, 32), np.uint8)
            mask[:8, :8] = 1
            Image.fromarray(mask).save(tmp_path / split / "masks" / f"{i}.png")
    data = load_data("image_mask_folder", root=tmp_path, val_fraction=0.25)
    assert data.image_size == (16, 32)
    assert ((data.test.images[:, 0] > 128) == (data.test.labels == 1)).float().mean() > 0.95
    Image.new("L", (16, 32)).save(tmp_path / "train" / "masks" / "0.png")
    with pytest.raises(DataError, match=r"train/images/0.jpg is 16x32 as EXIF turns it, and its mask 32x16"):
        load_data("image_mask_folder", root=tmp_path)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("what", ["flip", "zero"])
def test_a_png_with_damaged_pixels_is_refused(tmp_path, place, what):
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(noise).save(path)
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    content[at : at + 8] = bytes(8) if what == "zero" else bytes(value ^ 0xFF for value in content[at : at + 8])
    path.write_bytes(content)
    with pytest.raises((OSError, ValueError, SyntaxError)):
        decode(path, 3, (24, 24))
