import numpy as np
import pytest
import torch
from PIL import Image

from poolab.errors import ConfigError
from poolab.measure import rescaled, scale_accuracy

IMAGES = torch.randint(0, 256, (3, 3, 24, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def in_pil(image, factor):
    """Pillow's bilinear resize, put on black or cut to 24 x 32 around the middle."""
    size = round(32 * factor), round(24 * factor)
    large = Image.fromarray(image.permute(1, 2, 0).numpy()).resize(size, Image.BILINEAR)
    left, top = (size[0] - 32) // 2, (size[1] - 24) // 2
    return np.asarray(large.crop((left, top, left + 32, top + 24))).transpose(2, 0, 1)


@pytest.mark.parametrize("factor", [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0])
def test_it_is_pillows_resize_in_the_middle(factor):
    found = rescaled(IMAGES, factor).int().numpy()
    expected = np.stack([in_pil(image, factor) for image in IMAGES]).astype(int)
    assert found.shape == IMAGES.shape
    assert np.abs(found - expected).max() <= 1  # Pillow rounds between the axes


def test_a_factor_of_one_is_the_image_itself():
    assert torch.equal(rescaled(IMAGES, 1.0), IMAGES)


def test_the_size_is_that_of_the_factor_where_the_network_takes_it():
    assert rescaled(IMAGES, 1.5, "size").shape == (3, 3, 36, 48)
    assert rescaled(IMAGES, 0.01, "size").shape == (3, 3, 1, 1)
    sizes = []
    scale_accuracy(
        lambda images: sizes.append(images.shape[2:]) or torch.zeros(len(images), 2),
        IMAGES,
        torch.zeros(3),
        scales=[0.5, 2],
        mode="size",
    )
    assert sizes == [(12, 16), (48, 64)]


@pytest.mark.parametrize(
    ("factor", "mode", "message"),
    [(0, "canvas", "a scale of 0 is not possible"), (1, "canvass", "no scale mode 'canvass': did you mean canvas")],
)
def test_what_is_refused(factor, mode, message):
    with pytest.raises(ConfigError, match=message):
        rescaled(IMAGES, factor, mode)


def test_the_default_factors_on_the_canvas():
    shown = []
    predict = lambda images: shown.append(images) or torch.zeros(len(images), 2)  # noqa: E731
    found = scale_accuracy(predict, IMAGES, torch.zeros(3))
    assert found == {0.5: 1.0, 0.75: 1.0, 1.0: 1.0, 1.25: 1.0, 1.5: 1.0}
    assert all(torch.equal(one, rescaled(IMAGES, factor)) for one, factor in zip(shown, found, strict=True))
    assert torch.equal(rescaled(IMAGES, 1.5), rescaled(IMAGES, 1.5, "canvas"))


def test_an_odd_margin_is_larger_below_and_to_the_right():
    white = torch.full((1, 1, 5, 5), 255, dtype=torch.uint8)
    found = rescaled(white, 0.4)[0, 0]
    assert [row.tolist() for row in found] == [[0] * 5, [0, 255, 255, 0, 0], [0, 255, 255, 0, 0], [0] * 5, [0] * 5]


@pytest.mark.parametrize("factor", [-0.5, 0.0, float("nan")])
def test_only_a_factor_above_zero(factor):
    with pytest.raises(ConfigError, match="a factor above 0"):
        rescaled(IMAGES, factor)


def test_a_larger_picture_is_cut_to_its_middle():
    picture = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    picture[..., 4, 4] = 255
    found = rescaled(picture, 3.0)
    assert found.shape == (1, 1, 9, 9)
    assert found[0, 0, 4, 4] == found.max() == 255
    assert torch.equal(found, found.flip(-1))
    assert torch.equal(found, found.flip(-2))
