"""Pictures of any kind are read as the data set's own were."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import ImageReader, back_to_picture, load_data
from poolab.errors import DataError


@pytest.fixture(params=[True, False], ids=["from_files", "in_memory"])
def reader(request):
    return ImageReader(3, (8, 8), from_files=request.param)


def levels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (1, 20), (3, 8), (3, 5)])
def test_the_test_images_of_an_image_folder_are_read_to_the_last_bit(tmp_path, channels, side):
    for split in ("train", "test"):
        for label in "ab":
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for i in range(4):
                Image.fromarray(levels(9 + i, 12, 3, seed=i)).save(folder / f"{i}.png")
    data = load_data("image_folder", root=tmp_path, image_size=side, channels=channels, cache_dir=tmp_path / "cache")
    reader = ImageReader(channels, (side, side), from_files=data.train.mapped)
    files = sorted((tmp_path / "test").rglob("*.png"))
    assert torch.equal(torch.stack([reader.read(file).pixels for file in files]), data.test.images)


@pytest.mark.parametrize(("channels", "side"), [(None, None), (3, 20), (1, 8)])
def test_the_test_images_of_a_set_in_memory_are_read_to_the_last_bit(channels, side):
    raw = load_data("digits", image_size=8).test.images[:20]
    data = load_data("digits", image_size=side, channels=channels)
    reader = ImageReader(data.channels, data.image_size, from_files=data.train.mapped)
    pictures = [Image.fromarray(image[0].numpy()) for image in raw]
    assert torch.equal(torch.stack([reader.read(picture).pixels for picture in pictures]), data.test.images[:20])


def test_a_file_a_picture_an_array_and_a_tensor_are_the_same_image(reader, tmp_path):
    array = levels(11, 17, 3)
    Image.fromarray(array).save(tmp_path / "x.png")
    stream = io.BytesIO((tmp_path / "x.png").read_bytes())
    picture = Image.fromarray(array)
    forms = [
        tmp_path / "x.png",
        str(tmp_path / "x.png"),
        stream,
        picture,
        array,
        torch.from_numpy(array).permute(2, 0, 1),
    ]
    first, *others = (reader.read(form) for form in forms)
    assert first.pixels.shape == (3, 8, 8)
    assert all(torch.equal(other.pixels, first.pixels) for other in others)
    assert first.size == (11, 17)
    assert picture.getpixel((0, 0)) == tuple(array[0, 0])  # it was not closed


def test_grey_transparent_and_turned_pictures(reader, tmp_path):
    grey = levels(8, 8)
    assert torch.equal(reader.read(grey).pixels, torch.from_numpy(grey).expand(3, 8, 8))
    assert torch.equal(reader.read(grey[..., None]).pixels, reader.read(grey).pixels)
    clear = np.zeros((8, 8, 4), dtype=np.uint8)
    assert reader.read(clear).pixels.unique().tolist() == [255]
    black = ImageReader(3, (8, 8), reader.from_files, background="black")
    assert black.read(clear).pixels.unique().tolist() == [0]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(levels(8, 8, 3)).save(tmp_path / "turned.jpg", exif=exif, quality=100)
    turned = reader.read(tmp_path / "turned.jpg").pixels
    stored = torch.from_numpy(np.asarray(Image.open(tmp_path / "turned.jpg")).copy()).permute(2, 0, 1)
    assert torch.equal(turned, stored.rot90(-1, (1, 2)))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("missing.png", "missing.png cannot be read: No such file"),
        (np.zeros((4, 4)), "has float64 numbers: give levels from 0 to 255 as uint8"),
        (np.zeros((4, 4, 2), np.uint8), "an array has shape (H, W), or (H, W, C) with 1, 3 or 4 channels"),
        (np.zeros((0, 4), np.uint8), "is not an image"),
        (torch.zeros(4, 4, dtype=torch.uint8), "a tensor has shape (C, H, W)"),
        (7, "an image of type int is not possible: give a path"),
        (io.BytesIO(b"nothing"), "cannot be read: its content is none of JPEG"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(reader, image, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        reader.read(image)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(8, 8), (30, 11), (7, 40), (1, 1)])
def test_a_mask_goes_back_to_where_the_network_looked(reader, size):
    read = reader.read(levels(*size, 3))
    mask = back_to_picture(torch.full((8, 8), 3, dtype=torch.uint8), read, 255)
    assert tuple(mask.shape) == size
    seen = (mask == 3).sum().item() / mask.numel()
    assert seen == pytest.approx(min(size) / max(size), abs=0.1)
    assert ((mask == 3) | (mask == 255)).all()
