import subprocess
import sys

import pytest
import torch

from poolab.data import Split, data_fingerprint, list_data, load_data
from poolab.data.fit import fit_channels, fit_size
from poolab.data.image_data import SMALLEST_STD, channel_statistics
from poolab.data.subsets import apportion, hold_out, limit
from poolab.errors import ConfigError, DataError, PoolabError


def rows(split):
    return {image.numpy().tobytes() for image in split.images}


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", seed=0)


def test_digits_are_ready_for_every_backbone(digits):
    assert (digits.image_size, digits.channels, digits.num_classes) == ((32, 32), 1, 10)
    assert digits.classes == tuple("0123456789")
    assert len(digits.train) + len(digits.val) + len(digits.test) == 1797
    assert 0.19 < len(digits.test) / 1797 < 0.21
    assert digits.train.images.dtype == torch.uint8
    assert digits.train.labels.dtype == torch.int64
    assert digits.train.images.max() == 255
    assert digits.fingerprint == data_fingerprint("digits")


def test_splits_share_no_image_and_are_stratified(digits):
    total = torch.bincount(torch.cat([part.labels for part in (digits.train, digits.val, digits.test)]))
    for part, share in ((digits.val, 0.08), (digits.test, 0.2)):
        counts = torch.bincount(part.labels, minlength=10)
        assert ((counts - total * share).abs() <= 1.5).all()
    raw = load_data("digits", image_size=8)  # enlarged digits that differ in one level could coincide
    assert not rows(raw.train) & rows(raw.val)
    assert not rows(raw.train) & rows(raw.test)


def test_the_seed_chooses_the_validation_split_and_nothing_else(digits):
    again, other = load_data("digits", seed=0), load_data("digits", seed=1)
    assert torch.equal(digits.val.images, again.val.images)
    assert torch.equal(digits.train.labels, again.train.labels)
    assert not torch.equal(digits.val.images, other.val.images)
    assert torch.equal(digits.test.images, other.test.images)
    assert rows(digits.train) | rows(digits.val) == rows(other.train) | rows(other.val)


def test_limits_are_the_same_for_every_seed_and_stratified():
    small, other = (load_data("digits", seed=seed, limit_train=100, limit_test=50, image_size=8) for seed in (0, 1))
    assert (len(small.train), len(small.val), len(small.test)) == (90, 10, 50)
    assert rows(small.train) | rows(small.val) == rows(other.train) | rows(other.val)
    assert rows(small.train) != rows(other.train)
    assert torch.equal(small.test.images, other.test.images)
    assert (torch.bincount(torch.cat([small.train.labels, small.val.labels])) - 10).abs().max() <= 1
    assert (torch.bincount(small.val.labels, minlength=10) == 1).all()


def test_statistics_belong_to_the_training_images_that_are_left(digits):
    pixels = digits.train.images.double() / 255
    assert digits.mean == pytest.approx([pixels.mean().item()])
    assert digits.std == pytest.approx([pixels.std(correction=0).item()])


def test_statistics_of_each_channel_and_of_a_constant_one():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 3, 4, 4), dtype=torch.uint8, generator=generator)
    images[:, 1] = 51
    mean, std = channel_statistics(images, chunk=7)
    pixels = images.double() / 255
    assert mean == pytest.approx(pixels.mean((0, 2, 3)).tolist())
    assert std[0] == pytest.approx(pixels[:, 0].std(correction=0).item())
    assert std[1] == SMALLEST_STD


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "cifr10"}, ["'cifr10'", "did you mean cifar10", "image_folder"]),
        ({"val_fraction": True}, ["val_fraction=True", "0.5"]),
        ({"val_fraction": 0.6}, ["val_fraction=0.6"]),
        ({"val_fraction": -0.1}, ["val_fraction=-0.1"]),
        ({"channels": 2}, ["channels=2", "1 (grey)", "3 (colour)"]),
        ({"image_size": 0}, ["image_size=0"]),
        ({"image_size": "big"}, ["image_size=big"]),
        ({"limit_train": 5}, ["limit_train=5", "10", "1433"]),
        ({"limit_test": 100_000}, ["limit_test=100000", "364"]),
    ],
)
def test_impossible_settings_are_named(settings, words):
    with pytest.raises(ConfigError) as caught:
        load_data(**{"name": "digits", **settings})
    assert all(word in str(caught.value) for word in words)


def test_a_limit_that_leaves_one_image_of_a_class_cannot_be_split():
    with pytest.raises(DataError, match=r"at least 2 .* class '0' has 1, .*limit_train"):
        load_data("digits", limit_train=10)


def test_a_colour_copy_and_a_size_of_its_own():
    data = load_data("digits", channels=3, image_size=(16, 24))
    assert (data.channels, data.image_size) == (3, (16, 24))
    assert torch.equal(data.test.images[:, 0], data.test.images[:, 2])
    assert len(data.mean) == len(data.std) == 3


def test_grey_is_pils_grey():
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    ours = fit_channels(torch.from_numpy(pixels).permute(2, 0, 1)[None], 1)[0, 0].numpy()
    assert np.array_equal(ours, np.asarray(Image.fromarray(pixels).convert("L")))


def test_resizing_is_bilinear_with_antialias():
    images = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8)
    assert fit_size(images, (8, 8)) is images
    assert fit_size(images, (1, 1)).item() in (31, 32)
    large = fit_size(images, (32, 32))
    assert (large[0, 0, 0, 0], large[0, 0, -1, -1]) == (0, 63)


@pytest.mark.parametrize("total", [3, 4, 7, 50, 111])
def test_shares_add_up_stay_in_proportion_and_leave_no_class_out(total):
    counts = [100, 10, 1]
    shares = apportion(counts, total)
    assert sum(shares) == total
    assert all(1 <= share <= count for share, count in zip(shares, counts, strict=True))


def test_every_class_keeps_an_image_in_both_splits():
    labels = torch.tensor([0] * 40 + [1] * 3 + [2] * 2)
    train, val = hold_out(Split(torch.zeros(45, 1, 2, 2, dtype=torch.uint8), labels), 0.5, ("a", "b", "c"), seed=0)
    assert len(train) + len(val) == 45
    assert torch.bincount(train.labels).min() >= 1
    assert torch.bincount(val.labels).min() >= 1


def test_no_limit_is_no_copy(split):
    assert limit(split, None, tuple("abcde"), "limit_train") is split


def test_names_and_configuration_files_are_the_same_list():
    from pathlib import Path

    import yaml

    folder = Path(__file__).parents[2] / "conf" / "data"
    files = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}
    assert sorted(files) == list_data()
    assert all(settings["name"] == name for name, settings in files.items())
    folders = {name for name, settings in files.items() if settings.pop("background", None) == "white"}
    assert folders == {"image_folder", "image_mask_folder"}, "only files can have transparency"
    assert len({tuple(settings) for settings in files.values()}) == 1, "the same keys everywhere"


def test_errors_are_the_projects_own():
    assert issubclass(DataError, PoolabError)


def test_importing_is_light():
    code = """
import sys
heavy = ["pytorch_lightning", "torchvision", "sklearn", "PIL"]
import poolab.data, poolab.data.bench
print([name for name in ["torch", *heavy] if name in sys.modules])
from poolab.data import EvalBatches, ImageData, Split, TrainBatches, list_data, load_data, prepare
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


def test_an_unknown_name_is_an_attribute_error():
    import poolab.data

    assert "load_data" in dir(poolab.data)
    with pytest.raises(AttributeError, match="attribute lod_data"):
        poolab.data.lod_data  # noqa: B018
