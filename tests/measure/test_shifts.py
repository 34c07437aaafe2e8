import numpy as np
import pytest
import torch

from poolab.errors import ConfigError, DataError
from poolab.measure import checked_max_shift, shift_accuracy, shift_consistency, shifted
from poolab.measure.predictions import predictions
from poolab.streams import derive_seed

# numpy's words for the three paddings
NUMPY = {"circular": {"mode": "wrap"}, "zero": {"mode": "constant"}, "reflect": {"mode": "reflect"}}
IMAGES = torch.randint(0, 256, (16, 3, 7, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def moved(image, down, right, padding, margin=6):
    """numpy's pad, then a window of it."""
    padded = np.pad(image, [(0, 0), (margin, margin), (margin, margin)], **NUMPY[padding])
    return padded[:, margin - down : margin - down + 7, margin - right : margin - right + 9]


@pytest.mark.parametrize("padding", NUMPY)
def test_each_image_is_moved_by_its_own_offsets(padding):
    offsets = torch.randint(-6, 7, (16, 2), generator=torch.Generator().manual_seed(1))
    expected = [moved(image.numpy(), *by.tolist(), padding) for image, by in zip(IMAGES, offsets, strict=True)]
    assert (shifted(IMAGES, offsets, padding).numpy() == np.stack(expected)).all()


def brightest_row(images):
    """A class for each row: where its mean is largest."""
    return images.float().mean((1, 3))


def test_consistency_is_the_share_of_equal_pairs():
    line = torch.zeros(4000, 1, 8, 8, dtype=torch.uint8)
    line[:, :, 4] = 255
    # Two of the rows 1 to 7 drawn evenly are the same in one of seven cases.
    assert shift_consistency(brightest_row, line, max_shift=3) == pytest.approx(1 / 7, abs=0.02)
    assert shift_consistency(lambda images: torch.ones(len(images), 2), line, max_shift=3) == 1.0


def test_accuracy_along_the_diagonal():
    line = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    line[0, :, 2], line[1, :, 6] = 255, 255
    labels = torch.tensor([4, 0])
    assert shift_accuracy(brightest_row, line, labels, max_shift=3) == {0: 0.0, 1: 0.0, 2: 1.0, 3: 0.0}
    with_edge = shift_accuracy(brightest_row, line, labels, max_shift=3, padding="zero")
    assert with_edge == {0: 0.0, 1: 0.0, 2: 1.0, 3: 0.5}, "the second line has left, and all rows are as dark"


@pytest.mark.parametrize("batch_size", [1, 5, 16])
def test_the_batch_size_changes_nothing(batch_size):
    noisy = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(189, 5)).double()
    found = [shift_consistency(lambda x: noisy(x.double()), IMAGES, batch_size=size) for size in (batch_size, 16)]
    assert found[0] == found[1]


def test_the_default_is_an_eighth_of_the_shorter_side():
    images = torch.zeros(1, 1, 32, 48, dtype=torch.uint8)
    assert list(shift_accuracy(brightest_row, images, torch.tensor([0]))) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_shift": 7}, "max_shift=7 is not possible for images of 7 pixels: 1 to 6, or null"),
        ({"max_shift": 0}, "max_shift=0 is not possible"),
        ({"padding": "circle"}, "no shift padding 'circle': did you mean circular"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        shift_consistency(brightest_row, IMAGES, **settings)


def test_images_that_are_normalised_already_are_refused():
    with pytest.raises(DataError, match=r"must be uint8 \(N, C, H, W\) with N >= 1, found torch.float32"):
        predictions(brightest_row, IMAGES.float())
    with pytest.raises(DataError, match=r"must give logits \(n, classes\): 16 images gave \(16, 3, 7, 9\)"):
        predictions(lambda images: images, IMAGES)


def test_each_image_has_its_own_pair_of_shifts_from_its_stream():
    """The pairs that the documentation promises: (seed, "shift"), rows and columns evenly from -most to most."""
    shown = []

    def predict(images):
        shown.append(images)
        return torch.zeros(len(images), 2)

    for seed in (0, 5):
        generator = torch.Generator().manual_seed(derive_seed(seed, "shift"))
        pairs = torch.randint(-3, 4, (16, 2, 2), generator=generator)
        assert not torch.equal(pairs[:, 0], pairs[:, 1])
        shift_consistency(predict, IMAGES, max_shift=3, padding="zero", **({"seed": seed} if seed else {}))
        assert torch.equal(shown[-2], shifted(IMAGES, pairs[:, 0], "zero"))
        assert torch.equal(shown[-1], shifted(IMAGES, pairs[:, 1], "zero"))


def test_circular_is_the_default_everywhere():
    shown = []
    predict = lambda images: shown.append(images) or torch.zeros(len(images), 2)  # noqa: E731
    shift_accuracy(predict, IMAGES, torch.zeros(16), max_shift=2)
    expected = [shifted(IMAGES, torch.full((16, 2), step), "circular") for step in range(3)]
    assert all(torch.equal(one, other) for one, other in zip(shown, expected, strict=True))
    assert torch.equal(shifted(IMAGES, torch.full((16, 2), 2)), expected[2])
    shift_consistency(predict, IMAGES, max_shift=2)
    first = shown[-2]
    shift_consistency(predict, IMAGES, max_shift=2, padding="circular")
    assert torch.equal(shown[-2], first)


def test_one_row_and_one_pixel():
    line = IMAGES[:, :, :1]
    assert torch.equal(shifted(line, torch.full((16, 2), 0), "reflect"), line)
    assert torch.equal(shifted(line, torch.tensor([[3, 0]]).expand(16, 2), "reflect"), line)
    assert checked_max_shift(None, IMAGES[:, :, :2, :2]) == 1
    assert checked_max_shift(None, torch.zeros(1, 1, 16, 24, dtype=torch.uint8)) == 2
    assert checked_max_shift(6, IMAGES) == 6


def test_images_stay_on_their_device():
    found = shifted(IMAGES.to("meta"), torch.zeros(16, 2, dtype=torch.int64, device="meta"), "zero")
    assert (found.device.type, found.shape, found.dtype) == ("meta", IMAGES.shape, torch.uint8)
