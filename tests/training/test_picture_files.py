"""Pictures are drawn from the files of a run's folder, when somebody looks."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.cli import main
from poolab.data import ImageData, Split
from poolab.records import RunFolder
from poolab.training.launcher import launch
from poolab.training.model_facts import ModelFacts
from poolab.training.picture_files import draw_pictures
from poolab.training.samples import LONGEST, classified, write_samples

ALL = {"curves.png", "samples.png", "confusion.png"}


def pictures(folder):
    return {path.name for path in folder.glob("*.png")}


@pytest.fixture(scope="module")
def undrawn(configured, tmp_path_factory):
    """The record and the folder of a run as a study makes it."""
    record, folder, _ = launch(configured(tmp_path_factory.mktemp("undrawn"), "trainer.epochs=1"), pictures=False)
    return record, folder


def test_a_run_of_a_study_draws_no_picture_and_the_verb_draws_them_all(undrawn, capsys):
    _, folder = undrawn
    assert pictures(folder) == set()
    assert main(["pictures", str(folder), str(folder.parent / "studies")]) == 0
    assert pictures(folder) == ALL
    assert set(capsys.readouterr().out.split()) == {str(folder / name) for name in ALL}
    before = (folder / "curves.png").stat().st_mtime_ns
    assert main(["pictures", str(folder)]) == 0
    assert "has its pictures" in capsys.readouterr().out
    assert (folder / "curves.png").stat().st_mtime_ns == before
    assert main(["pictures", str(folder), "--again"]) == 0
    assert (folder / "curves.png").stat().st_mtime_ns > before


def test_what_is_no_run_is_named_and_the_others_are_drawn(undrawn, capsys):
    _, folder = undrawn
    (folder / "curves.png").unlink(missing_ok=True)
    assert main(["pictures", str(folder.parent / "gone"), str(folder)]) == 1
    assert "gone is not a folder: name the folder of a run" in capsys.readouterr().err
    assert (folder / "curves.png").exists()


def test_a_picture_whose_data_is_missing_is_left_out(undrawn, tmp_path):
    record, folder = undrawn
    kept = tmp_path / folder.name
    kept.mkdir()
    (kept / "history.jsonl").write_bytes((folder / "history.jsonl").read_bytes())
    assert [path.name for path in draw_pictures(kept, record)] == ["curves.png"]


def test_the_reliability_diagram_is_drawn_of_a_calibrated_run(undrawn):
    record, folder = undrawn
    record.metrics["calibration/ece"] = 0.1
    (path,) = [one for one in draw_pictures(folder, record, again=True) if one.name == "reliability.png"]
    with Image.open(path) as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_large_images_are_kept_at_the_size_that_is_shown(tmp_path):
    images = torch.zeros(3, 3, 600, 300, dtype=torch.uint8)
    images[:, :, :300] = 200
    split = Split(images, torch.zeros(3, dtype=torch.int64))
    data = ImageData("x", ("cat", "dog"), split, split, split, (0.5,) * 3, (0.2,) * 3, "x-1")
    index = torch.arange(3)
    kept = classified(data, {"index": index, "label": index * 0, "predicted": index % 2})
    assert kept["image"].shape == (3, 3, LONGEST, LONGEST // 2)
    assert kept["image"][0, 0, :, 0].tolist() == [200] * (LONGEST // 2) + [0] * (LONGEST // 2)
    write_samples(RunFolder(tmp_path, ".").make(), kept)
    assert (tmp_path / "samples.npz").stat().st_size < 400_000


def test_facts_of_an_unknown_version_are_told(undrawn, capsys):
    _, folder = undrawn
    text = (folder / "model.json").read_text()
    try:
        (folder / "model.json").write_text(json.dumps({**json.loads(text), "version": 99}))
        assert main(["pictures", str(folder), "--again"]) == 1
        assert "its version is 99" in capsys.readouterr().err
    finally:
        (folder / "model.json").write_text(text)
    assert ModelFacts.read(folder) is not None
