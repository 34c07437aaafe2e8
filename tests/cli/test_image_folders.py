"""`train.py` with a folder of images: what it says, and what it refuses."""

import pytest
from PIL import Image

from poolab.training.module import Classifier
from tests.cli.made import results


def test_a_run_of_an_image_folder(train, folder, tmp_path):
    code, _, err = train(*folder[1], "trainer.epochs=1")
    assert code == 0, err
    (result,) = results(tmp_path)
    assert result["metrics"]["test/samples"] == 8
    assert {"test/class_accuracy/cat", "test/class_accuracy/dog"} <= result["metrics"].keys()


def test_a_run_says_what_its_folder_holds(train, folder, tmp_path):
    root, tree = folder
    (root / "train" / "cat" / "notes.txt").write_text("none")
    _, out, _ = train(*tree, "trainer.epochs=1")
    lines = out.splitlines()
    assert lines[3] == "images: train 48 (cat 24, dog 24), test 8 (cat 4, dog 4)"
    assert lines[4] == "left out: 1 no image (train/cat/notes.txt)"
    assert lines[5].startswith("warning: 8 of 8 test images are training images too")


def test_swapped_class_folders_are_another_run(train, folder, tmp_path):
    root, tree = folder
    train(*tree, "trainer.epochs=1")
    for split in ("train", "test"):
        one, other, between = root / split / "cat", root / split / "dog", root / split / "between"
        one.rename(between)
        other.rename(one)
        between.rename(other)
    code, out, err = train(*tree, "trainer.epochs=1")
    assert code == 0, err
    assert "completed earlier" not in out
    first, second = results(tmp_path)
    assert first["signature"] != second["signature"]
    assert first["environment"]["data_fingerprint"] != second["environment"]["data_fingerprint"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.channels=0", "data.channels"),
        ("data.image_size=50000", "8192"),
        ("data.background=pink", "'white', 'black', 'grey'"),
        ("data.root=", "data.root must be a path"),
    ],
)
def test_impossible_settings_of_a_folder_are_told(train, folder, override, words):
    code, _, err = train(*folder[1], override)
    assert code == 2
    assert words in err
    assert "Traceback" not in err


def test_a_damaged_image_is_named(train, folder, tmp_path):
    (folder[0] / "train" / "cat" / "7.png").write_bytes(b"this is no image")
    code, _, err = train(*folder[1])
    assert code == 2
    assert "train/cat/7.png" in err
    assert not (tmp_path / "runs").exists()


def test_a_class_without_test_images_is_named(train, folder, tmp_path):
    (folder[0] / "train" / "bird").mkdir()
    code, _, err = train(*folder[1])
    assert code == 2
    assert "train/bird is there but test/bird is missing" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("channels", "fitted"), [(1, (1, 16, 16)), (3, (3, 16, 16))])
def test_images_of_another_number_of_channels_are_fitted(train, folder, tmp_path, channels, fitted):
    seen, step = [], Classifier.training_step

    def watched(module, batch, batch_idx):
        seen.append(tuple(batch["image"].shape[1:]))
        return step(module, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", watched)
        code, _, err = train(*folder[1], f"data.channels={channels}", "trainer.epochs=1")
    assert code == 0, err
    assert set(seen) == {fitted}


def test_images_of_another_size_are_one_clear_error(train, folder, tmp_path):
    Image.new("RGB", (9, 7)).save(folder[0] / "train" / "cat" / "odd.png")
    code, _, err = train(*folder[1])
    assert code == 2
    assert "data.image_size" in err
    assert not (tmp_path / "runs").exists()
