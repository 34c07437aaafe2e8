"""Against PIL and scipy, as Hendrycks & Dietterich's code calls them, written again here."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage, stats

from poolab.errors import ConfigError
from poolab.measure import corrupted, corruption_accuracy
from poolab.measure.corruptions import CORRUPTIONS, LARGE, SEVERITIES, SMALL

SIZES = [(32, 32), (48, 40), (96, 112)]  # two get CIFAR-10-C's amounts, one ImageNet-C's


def photographs(channels, size, count=2):
    """Smooth pictures with some grain, which is what JPEG is made for."""
    generator = np.random.default_rng(sum(size))
    rough = ndimage.zoom(generator.uniform(0, 255, (count, channels, 5, 5)), (1, 1, size[0] / 5, size[1] / 5), order=1)
    grain = generator.normal(0, 12, rough.shape)
    return torch.from_numpy((rough + grain).clip(0, 255).astype(np.uint8))


def in_pil(images, change):
    def each(image):
        array = image.permute(1, 2, 0).numpy().squeeze()
        told = np.asarray(change(Image.fromarray(array)))
        return told[None] if told.ndim == 2 else told.transpose(2, 0, 1)

    return np.stack([each(image) for image in images])


def as_jpeg(quality):
    def change(image):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return change


def pixelated(share):
    def change(image):
        width, height = image.size
        small = image.resize((int(width * share), int(height * share)), Image.BOX)
        return small.resize((width, height), Image.BOX)

    return change


def blurred(images, sigma):
    """As skimage.filters.gaussian does: scipy's filter with the edge repeated."""
    return ndimage.gaussian_filter(images.numpy() / 255.0, (0, 0, sigma, sigma), mode="nearest", truncate=4) * 255


def contrasted(images, factor):
    scaled = images.numpy() / 255.0
    mean = scaled.mean((2, 3), keepdims=True)
    return np.clip((scaled - mean) * factor + mean, 0, 1) * 255


REFERENCES = {
    "gaussian_blur": blurred,
    "contrast": contrasted,
    "jpeg": lambda images, quality: in_pil(images, as_jpeg(quality)),
    "pixelate": lambda images, share: in_pil(images, pixelated(share)),
}


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", REFERENCES)
def test_it_is_the_authors_corruption(kind, channels, size, severity):
    images = photographs(channels, size)
    amount = (LARGE if size == (96, 112) else SMALL)[kind][severity - 1]
    found, expected = corrupted(images, kind, severity), REFERENCES[kind](images, amount)
    assert found.dtype == torch.uint8
    if expected.dtype == np.uint8:
        assert (found.numpy() == expected).all()
    else:
        assert np.abs(found.numpy() - expected).max() < 0.5 + 1e-3, "the nearest whole number"


@pytest.mark.parametrize(("size", "amounts"), [
    ((84, 84), SMALL), ((84, 300), SMALL), ((300, 84), SMALL),
    ((85, 85), LARGE), ((85, 300), LARGE), ((300, 85), LARGE),
])  # fmt: skip
def test_a_shorter_side_of_84_pixels_is_the_last_that_has_the_amounts_of_cifar(size, amounts):
    """84 is nearer to 32 than to 224 by its ratio, 85 is not: 84 / 32 < 224 / 84 and 85 / 32 > 224 / 85."""
    images = photographs(1, size)
    expected = contrasted(images, amounts["contrast"][2])
    assert np.abs(corrupted(images, "contrast", 3).numpy() - expected).max() < 0.5 + 1e-3


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_noise_is_normal_and_as_strong_as_it_says(severity):
    grey = torch.full((200, 1, 32, 32), 128, dtype=torch.uint8)
    noise = (corrupted(grey, "gaussian_noise", severity).double() - 128).flatten()
    amount = 255 * SMALL["gaussian_noise"][severity - 1]
    assert noise.std().item() == pytest.approx(amount, rel=0.01)
    assert abs(noise.mean().item()) < 0.3
    dithered = noise + torch.rand(noise.shape, generator=torch.Generator().manual_seed(0)) - 0.5
    assert stats.kstest(dithered[::17].numpy() / amount, "norm").pvalue > 0.01


def test_images_and_severities_have_noise_of_their_own():
    grey = torch.full((2, 3, 16, 16), 128, dtype=torch.uint8)
    shown = [corrupted(grey, "gaussian_noise", severity).double().flatten(1) - 128 for severity in (1, 5)]
    columns = torch.cat(shown)
    correlations = torch.corrcoef(columns) - torch.eye(4)
    assert correlations.abs().max() < 0.15


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_looks_the_same_in_any_batch(kind, channels):
    images = photographs(channels, (32, 32), count=9)
    whole = corrupted(images, kind, 3)
    parts = [corrupted(images[i : i + 4], kind, 3, place=torch.arange(i, min(i + 4, 9))) for i in (0, 4, 8)]
    assert torch.equal(whole, torch.cat(parts))
    assert not torch.equal(whole, images)


def test_the_amounts_are_the_authors():
    """make_cifar_c.py and make_imagenet_c.py of github.com/hendrycks/robustness, whose contrast of 1 is no change."""
    assert SMALL == {
        "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),
        "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1.0),
        "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
        "jpeg": (80, 65, 58, 50, 40),
        "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),
    }
    assert LARGE == {
        "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
        "gaussian_blur": (1, 2, 3, 4, 6),
        "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
        "jpeg": (25, 18, 15, 10, 7),
        "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),
    }


def test_all_five_corruptions_in_five_severities_by_default():
    images = photographs(1, (32, 32))
    found = corruption_accuracy(lambda images: torch.zeros(len(images), 2), images, torch.zeros(2))
    names = ["gaussian_noise", "gaussian_blur", "contrast", "jpeg", "pixelate"]
    assert found == {name: dict.fromkeys((1, 2, 3, 4, 5), 1.0) for name in names}


def test_the_noise_has_the_seed_that_is_asked_for_and_0_by_default():
    grey = torch.full((2, 1, 16, 16), 128, dtype=torch.uint8)
    first = corrupted(grey, "gaussian_noise", 3)
    assert torch.equal(first, corrupted(grey, "gaussian_noise", 3, seed=0))
    assert not torch.equal(first, corrupted(grey, "gaussian_noise", 3, seed=1))
    assert not torch.equal(first[0], first[1])
    shown = []
    predict = lambda images: shown.append(images) or torch.zeros(len(images), 2)  # noqa: E731
    for seed in ({}, {"seed": 0}, {"seed": 1}):
        corruption_accuracy(predict, grey, torch.zeros(2), corruptions=["gaussian_noise"], severities=[3], **seed)
    assert torch.equal(shown[0], first)
    assert torch.equal(shown[1], first)
    assert torch.equal(shown[2], corrupted(grey, "gaussian_noise", 3, seed=1))


@pytest.mark.parametrize("kind", ["pixelate", "gaussian_blur"])
def test_tiny_images_stay_what_they_can_be(kind):
    for size in ((1, 1), (1, 5), (2, 3)):
        assert corrupted(photographs(1, (32, 32))[:, :, : size[0], : size[1]], kind, 5).shape == (2, 1, *size)


def test_the_accuracy_of_a_judge_of_noise():
    """A judge that says 1 where neighbours differ much: right on grey pictures until the noise is too strong."""
    grey = torch.full((6, 1, 32, 32), 128, dtype=torch.uint8)
    roughness = lambda images: images.float().diff(dim=3).abs().mean((1, 2, 3))  # noqa: E731
    # The mean difference of two normal numbers is 2 / sqrt(pi) deviations: 11.5 at severity 1, 23 at 3.
    predict = lambda images: torch.stack([torch.full((len(images),), 17.0), roughness(images)], 1)  # noqa: E731
    found = corruption_accuracy(
        predict, grey, torch.zeros(6), corruptions=["gaussian_noise", "jpeg"], severities=[1, 3], batch_size=4
    )
    assert found == {"gaussian_noise": {1: 1.0, 3: 0.0}, "jpeg": {1: 1.0, 3: 1.0}}


@pytest.mark.parametrize(
    ("kind", "severity", "channels", "message"),
    [
        ("noise", 1, 3, "no corruption 'noise': .*choose from gaussian_noise, gaussian_blur"),
        ("jpeg", 0, 3, r"severity=0 is not possible: 1 \(weak\) to 5"),
        ("jpeg", 1, 2, "1 or 3 channels, found 2"),
    ],
)
def test_what_is_refused(kind, severity, channels, message):
    with pytest.raises(ConfigError, match=message):
        corrupted(torch.zeros(1, channels, 8, 8, dtype=torch.uint8), kind, severity)
