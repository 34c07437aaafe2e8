"""`poolab predict` on files, folders and what is neither."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from poolab.cli import main


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos/b.png", "photos/a.jpg", "photos/deep/c.bmp", "photos/.hidden.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_table_of_a_folder(whole_run, photos, capsys):
    assert main(["predict", str(whole_run[1]), "photos"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["photos/a.jpg", "photos/b.png", "photos/deep/c.bmp"]
    assert all(line.endswith("%") for line in lines)
    assert main(["predict", str(whole_run[1]), "photos/a.jpg"]) == 0
    said = capsys.readouterr().err
    assert re.search(r"poolab: \w+ with pooling=\w+, trained on data=\w+ with seed \d+; 10 classes: .*, \.\.\.$", said)
    assert main(["predict", str(whole_run[1]), "photos/a.jpg", "--top", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_json_and_a_bad_picture_among_good_ones(whole_run, photos, capsys):
    (photos / "photos" / "bad.png").write_bytes(b"nothing")
    assert main(["predict", str(whole_run[1]), "photos", "gone.png", "--json", "--top", "20", "--batch-size", "2"]) == 1
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert [one["image"] for one in found] == [
        *("photos/a.jpg", "photos/b.png", "photos/bad.png", "photos/deep/c.bmp", "gone.png")
    ]
    good = [one for one in found if "error" not in one]
    assert [len(one["predictions"]) for one in good] == [10, 10, 10]
    assert sum(one["probability"] for one in good[0]["predictions"]) == pytest.approx(1, abs=1e-5)
    assert "gone.png cannot be read: No such file" in told.err
    assert "2 of 5 pictures could not be read" in told.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["photos", "--top", "0"], "--top 0: it must be at least 1"),
        (["photos", "--batch-size", "0"], "--batch-size 0: it must be at least 1"),
        (["photos", "--device", "nowhere"], "--device nowhere is not possible here"),
        (["photos", "--out", "masks"], "--out is for the masks of a segmentation network"),
        (["empty"], "empty has no pictures"),
    ],
)
def test_wrong_words(whole_run, photos, capsys, words, told):
    (photos / "empty").mkdir()
    assert main(["predict", str(whole_run[1]), *words]) == 2
    assert told in capsys.readouterr().err


def test_masks_of_two_pictures_of_one_name(launched, photos, tmp_path, capsys):
    words = ("task=segmentation", "backbone=unet", "data=shapes", "trainer.epochs=1", "data.image_size=16")
    _, folder, _ = launched(tmp_path / "runs", *words)
    Image.new("RGB", (9, 7)).save(photos / "photos" / "deep" / "b.png")
    capsys.readouterr()
    assert main(["predict", str(folder), "photos", "--out", "found/masks"]) == 0
    assert sorted(path.name for path in (photos / "found" / "masks").iterdir()) == [
        "a.png",
        "b-2.png",
        "b.png",
        "c.png",
    ]
    with Image.open(photos / "found" / "masks" / "b-2.png") as mask:
        assert mask.size == (9, 7)
    assert "mask of photos/deep/b.png: found/masks/b-2.png" in capsys.readouterr().out
