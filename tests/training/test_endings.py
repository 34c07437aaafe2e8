"""What becomes of a run: made once, made again, diverged, failed."""

import json
import math
import os
from pathlib import Path

import pytest

from poolab.data import data_fingerprint
from poolab.errors import PoolabError
from poolab.records import RunFolder, signature
from poolab.training.metrics import ClassificationMetrics
from poolab.training.module import Classifier


@pytest.fixture
def steps(monkeypatch):
    """The training steps that are made while the test runs."""
    made, step = [], Classifier.training_step

    def counted(module, batch, batch_idx):
        made.append(batch_idx)
        return step(module, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", counted)
    return made


@pytest.fixture(scope="module")
def diverged(launched, tmp_path_factory):
    record, folder, _ = launched(tmp_path_factory.mktemp("diverged"), "optim.lr=1e30")
    return record, folder


def raising(fault):
    def step(*_):
        raise fault

    return step


def test_a_finished_run_is_not_made_again(launched, steps, tmp_path):
    first, folder, fresh = launched(tmp_path)
    assert (fresh, len(steps)) == (True, 10)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again, same_folder, fresh = launched(tmp_path, "trainer.progress_bar=false")
    assert (again, same_folder, fresh) == (first, folder, False)
    assert len(steps) == 10
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_force_makes_it_again_in_an_emptied_folder(launched, steps, tmp_path):
    first, folder, _ = launched(tmp_path)
    (folder / "left-over.txt").write_text("of the first time")
    again, same_folder, fresh = launched(tmp_path, "force=true")
    assert (fresh, same_folder, len(steps)) == (True, folder, 20)
    assert not (folder / "left-over.txt").exists()
    assert again.metrics["test/loss"] == first.metrics["test/loss"]
    assert len((folder / "history.jsonl").read_text().splitlines()) == 2


def test_a_run_that_diverges_leaves_a_record_that_says_so(diverged):
    record, folder = diverged
    assert record.status == "diverged"
    assert record.reason.startswith("the training loss became ")
    assert "in epoch 1, step" in record.reason
    assert not (folder / "error.txt").exists()
    assert not (folder / "last.ckpt").exists()  # nobody should go on from weights that are no numbers
    assert "test/accuracy" not in record.metrics
    assert RunFolder(folder.parent, folder.name).finished


def test_what_is_not_finite_is_null(diverged):
    record, _ = diverged
    assert record.metrics["speed/train_images_per_s"] is None  # not one epoch was timed
    assert all(value is None or math.isfinite(value) for value in record.metrics.values())


def test_a_diverged_run_is_not_made_again(diverged, launched, steps):
    record, folder = diverged
    again, _, fresh = launched(folder.parent, "optim.lr=1e30")
    assert (again, fresh, steps) == (record, False, [])


def test_a_validation_loss_that_is_no_number_leaves_strict_json(launched, monkeypatch, tmp_path):
    count = ClassificationMetrics.update

    def spoilt(metrics, loss, logits, labels):
        count(metrics, loss if loss.requires_grad else loss * math.nan, logits, labels)

    monkeypatch.setattr(ClassificationMetrics, "update", spoilt)
    record, folder, _ = launched(tmp_path)
    assert (record.status, record.metrics["val/loss"]) == ("completed", None)
    for line in (folder / "history.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_run_that_fails_says_why_raises_and_is_made_again(launched, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", raising(RuntimeError("the device fell off")))
        with pytest.raises(RuntimeError, match="the device fell off"):
            launched(tmp_path)
    (folder,) = (path for path in Path(tmp_path).iterdir())
    result = RunFolder(tmp_path, folder.name).result
    assert (result.status, result.reason) == ("failed", "RuntimeError: the device fell off")
    assert "Traceback" in (folder / "error.txt").read_text()
    assert not RunFolder(tmp_path, folder.name).finished
    record, same_folder, fresh = launched(tmp_path)
    assert (record.status, fresh, same_folder) == ("completed", True, folder)
    assert not (folder / "error.txt").exists()


def test_a_second_ctrl_c_leaves_a_record_too(launched, monkeypatch, tmp_path):
    monkeypatch.setattr(Classifier, "training_step", raising(KeyboardInterrupt()))
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        launched(tmp_path)
    (folder,) = (path for path in Path(tmp_path).iterdir())
    assert RunFolder(tmp_path, folder.name).result.status == "interrupted"


def test_two_processes_never_make_one_run(launched, configured, steps, tmp_path):
    name = signature(configured(tmp_path), data_fingerprint("digits"))
    folder = RunFolder(tmp_path, name).make()
    with folder.claimed(), pytest.raises(PoolabError, match="another process is making this run"):
        launched(tmp_path)
    assert steps == []
    assert os.listdir(folder.path) == [".lock"]


def test_an_infinite_option_is_recorded(launched, tmp_path):
    record, folder, _ = launched(tmp_path, "pooling=lp", "pooling.p=inf", "trainer.epochs=1")
    assert record.status == "completed"
    assert json.loads((folder / "config.json").read_text())["pooling"]["p"] == "inf"
    again, _, fresh = launched(tmp_path, "pooling=lp", "pooling.p=inf", "trainer.epochs=1")
    assert (again.signature, fresh) == (record.signature, False)
