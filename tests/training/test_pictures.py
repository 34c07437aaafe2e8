import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import ImageData, Split
from poolab.training.pictures import confusion_matrix, learning_curves, sample_grid
from poolab.training.samples import classified


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("history", [[], [{"epoch": 1, "train/loss": 2.0, "val/loss": float("nan")}]])
def test_curves_of_hardly_any_history(history, tmp_path):
    learning_curves(history, tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (408, 1080, 3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 5])
def test_a_grid_of_fewer_images_than_places(channels, count, tmp_path):
    images = torch.randint(0, 256, (count, channels, 8, 8), dtype=torch.uint8)
    split = Split(images, torch.zeros(count, dtype=torch.int64))
    data = ImageData("x", ("a$b$", "dollar$"), split, split, split, (0.5,) * channels, (0.2,) * channels, "x-1")
    index = torch.arange(count)
    examples = {"index": index, "label": torch.zeros_like(index), "predicted": index % 2}
    sample_grid(classified(data, examples), data.classes, tmp_path / "samples.png", rows=1, columns=5)
    shown = pixels(tmp_path / "samples.png")
    assert shown.shape == (192, 810, 3)
    assert shown[:, :100].std() > 5
    blank = shown[:, -100:].std() < 1
    assert blank is np.bool_(count < 5)


def test_what_is_wrong_is_red(tmp_path):
    split = Split(torch.full((1, 1, 8, 8), 128, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    data = ImageData("x", ("cat", "dog"), split, split, split, (0.5,), (0.2,), "x-1")
    one = torch.zeros(1, dtype=torch.int64)
    colours = []
    for predicted in (one, one + 1):
        examples = {"index": one, "label": one, "predicted": predicted}
        sample_grid(classified(data, examples), data.classes, tmp_path / "samples.png", rows=1, columns=1)
        red, green, _ = pixels(tmp_path / "samples.png").astype(int).reshape(-1, 3).T
        colours.append((int((red - green).max()) > 60, int((green - red).max()) > 60))
    assert colours == [(False, True), (True, False)]


@pytest.mark.parametrize("count", [2, 40, 100])
def test_a_confusion_matrix_is_dark_on_its_diagonal(count, tmp_path):
    counts = torch.eye(count, dtype=torch.int64) * 7
    counts[0] = 0  # a class without a test image
    confusion_matrix(counts, [f"a${number}$" for number in range(count)], tmp_path / "confusion.png")
    shown = pixels(tmp_path / "confusion.png").astype(int)
    dark = (shown[..., 2] - shown[..., 0] > 60).sum()  # of the map "Blues"
    assert 0 < dark < shown[..., 0].size / 2


def test_rows_of_a_confusion_matrix_are_true_classes(tmp_path):
    counts = torch.tensor([[0, 9], [0, 9]])  # everything is said to be the second class
    confusion_matrix(counts, ["cat", "dog"], tmp_path / "confusion.png")
    shown = pixels(tmp_path / "confusion.png").astype(int)
    columns = (shown[..., 2] - shown[..., 0] > 60).sum(0)
    assert columns[columns.size * 2 // 3 :].sum() > 20 * columns[: columns.size // 3].sum()
