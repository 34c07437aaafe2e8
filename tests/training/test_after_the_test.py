"""What comes after the test costs no record: measures, pictures, and a run that is made again and killed."""

import json
import signal

import numpy as np
import pytest

from poolab.errors import PoolabError
from poolab.records import RunFolder, read_record
from poolab.training import evaluation
from poolab.training.launcher import launch
from poolab.training.module import Classifier
from tests.warm import WarmProcess


def failing(fault):
    def fail(*_, **__):
        raise fault

    return fail


@pytest.mark.parametrize(
    "fault", [MemoryError("23 GB"), RuntimeError("CUDA out of memory"), OSError(28, "No space left"), ValueError("x")]
)
def test_a_measure_that_fails_is_a_note(launched, monkeypatch, tmp_path, fault):
    monkeypatch.setattr(evaluation, "run_costs", failing(fault))
    with pytest.warns(UserWarning, match="cost and speed not measured: .*the record is complete without"):
        record, folder, _ = launched(tmp_path, "trainer.epochs=1")
    assert record.status == "completed"
    assert record.notes["cost"].startswith(f"not measured: {type(fault).__name__}")
    assert record.metrics["test/accuracy"] > 0
    assert RunFolder(tmp_path, folder.name).finished


def test_one_measure_of_measure_full_that_fails_leaves_the_others(launched, monkeypatch, tmp_path):
    monkeypatch.setattr("poolab.measure.full_report.scale_accuracy", failing(MemoryError("the canvas is too large")))
    record, _, _ = launched(tmp_path, "trainer.epochs=1", "measure=full", "measure.seconds=0.01", "measure.images=20")
    assert record.status == "completed"
    assert record.notes["robust/scale"] == "not measured: MemoryError: the canvas is too large"
    assert "robust/shift_consistency" in record.metrics
    assert "calibration/ece" in record.metrics


def test_the_record_is_there_while_the_measures_run(launched, monkeypatch, tmp_path):
    seen = []

    def look(*_, **__):
        (path,) = tmp_path.glob("*/result.json")
        seen.append(read_record(path))
        assert (path.parent / "test_examples.npz").exists()
        return {}

    monkeypatch.setattr(evaluation, "run_costs", look)
    launched(tmp_path, "trainer.epochs=1")
    record = seen[0]
    assert record.status == "completed"
    assert record.metrics["test/accuracy"] > 0
    assert record.metrics["epochs"] == 1
    assert "not measured: the process ended before" in record.notes["speed"]
    assert record.environment["data_fingerprint"]


def test_a_full_disk_after_the_test_keeps_the_record(launched, monkeypatch, tmp_path):
    monkeypatch.setattr(np, "savez_compressed", failing(OSError(28, "No space left on device")))
    with pytest.warns(UserWarning, match=r"without test_examples\.npz: .*No space left"):
        record, folder, _ = launched(tmp_path, "trainer.epochs=1")
    assert record.status == "completed"
    assert not (folder / "test_examples.npz").exists()


@pytest.mark.parametrize("name", ["learning_curves", "sample_grid"])
def test_a_picture_that_cannot_be_drawn_is_one_warning(configured, monkeypatch, tmp_path, name):
    for each in ("learning_curves", "sample_grid"):
        monkeypatch.setattr(f"poolab.training.pictures.{each}", lambda *_: None)
    monkeypatch.setattr(f"poolab.training.pictures.{name}", failing(OSError(28, "No space left on device")))
    with pytest.warns(UserWarning, match=r"without a picture: \w+\.png \(OSError: .*No space left"):
        record, _, _ = launch(configured(tmp_path, "trainer.epochs=1"))
    assert record.status == "completed"


def test_force_that_fails_keeps_the_finished_record(launched, monkeypatch, tmp_path):
    first, folder, _ = launched(tmp_path, "trainer.epochs=1")
    files = {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != ".lock"}
    monkeypatch.setattr(Classifier, "training_step", failing(RuntimeError("the device fell off")))
    with pytest.raises(RuntimeError, match="fell off"):
        launched(tmp_path, "trainer.epochs=1", "force=true")
    assert {name: (folder / name).stat().st_mtime_ns for name in files} == files
    kept = RunFolder(tmp_path, folder.name)
    assert kept.result == first
    assert kept.latest.status == "failed"
    assert launched(tmp_path, "trainer.epochs=1")[::2] == (first, False)
    assert kept.latest == first  # the attempt is forgotten


@pytest.mark.processes
def test_force_that_is_killed_keeps_the_finished_record(launched, configured, tmp_path):
    _, folder, _ = launched(tmp_path, "trainer.epochs=1")
    files = {name: (folder / name).read_bytes() for name in ("result.json", "test_examples.npz", "last.ckpt")}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(configured(tmp_path, "trainer.epochs=1", "force=true")))
    script = (
        "import json, sys, time; from poolab.training.launcher import launch\n"
        "from poolab.training.module import Classifier\n"
        "Classifier.training_step = lambda *_: (print('training', flush=True), time.sleep(600))\n"
        "launch(json.load(open(sys.argv[1])))"
    )
    with WarmProcess(script, [str(config)], tmp_path) as made:
        assert any(line == "training\n" for line in made.lines())
        made.send_signal(signal.SIGKILL)
        assert made.wait(60) == -signal.SIGKILL
    assert {name: (folder / name).read_bytes() for name in files} == files
    record, _, fresh = launched(tmp_path, "trainer.epochs=1", "force=true")
    assert (record.status, fresh) == ("completed", True)
    assert record.started >= json.loads(files["result.json"])["started"]
    assert not (folder / ".remake").exists()


def test_a_run_that_another_process_finished_meanwhile_is_not_made_again(launched, monkeypatch, tmp_path):
    first, folder, _ = launched(tmp_path, "trainer.epochs=1")
    before = (folder / "result.json").stat().st_mtime_ns
    looks = [False]  # the first look, before the other process was done
    finished = RunFolder.finished.fget
    monkeypatch.setattr(RunFolder, "finished", property(lambda run: looks.pop() if looks else finished(run)))
    record, _, fresh = launched(tmp_path, "trainer.epochs=1")
    assert (record, fresh) == (first, False)
    assert (folder / "result.json").stat().st_mtime_ns == before


def test_an_unknown_status_is_no_licence_to_train_over_it(launched, tmp_path):
    record, folder, _ = launched(tmp_path, "trainer.epochs=1")
    (folder / "result.json").write_text(json.dumps({**record.to_json(), "status": "unknown"}))
    text = (folder / "result.json").read_bytes()
    for more in ((), ("force=true",)):
        with pytest.raises(PoolabError, match=r"result\.json is not understood: status must be"):
            launched(tmp_path, "trainer.epochs=1", *more)
    assert (folder / "result.json").read_bytes() == text
