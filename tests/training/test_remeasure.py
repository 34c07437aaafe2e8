"""A finished run is measured again from its checkpoint, without training."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from poolab.cli import main
from poolab.configuration import compose
from poolab.records import Record, RunFolder, read_record
from poolab.run_config import RunConfig
from poolab.training.measures import MEASURES, asked_measures, merged_settings, missing_measures
from poolab.training.measures import without_figures as without

FULL = ("measure=full", "measure.images=20", "measure.severities=[1]", "measure.scales=[1.0]", "measure.max_shift=1")
OTHERS = tuple(name for name in MEASURES if name != "costs")


@pytest.fixture
def trained(launched, whole_run, tmp_path):
    """A copy of a finished run that has its costs alone, and the words that name it."""
    record, folder = whole_run
    shutil.copytree(folder, tmp_path / record.signature)
    return tmp_path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def the_folder(runs):
    (found,) = [path for path in runs.iterdir() if path.is_dir()]
    return found


def test_what_is_missing_is_measured_and_nothing_is_trained(launched, trained, monkeypatch):
    weights, before = sha256(the_folder(trained) / "last.ckpt"), read_record(the_folder(trained) / "result.json")
    monkeypatch.setattr("poolab.training.run.run_training", lambda *_: pytest.fail("it was trained"))
    record, folder, fresh = launched(trained, *FULL)
    assert (fresh, folder) == (False, the_folder(trained))
    assert sha256(folder / "last.ckpt") == weights
    assert set(record.measured) == set(OTHERS)
    assert all({"at", "commit", "device", "packages"} <= one.keys() for one in record.measured.values())
    assert record.signature == before.signature
    assert before.metrics.items() <= record.metrics.items()
    assert record.metrics["calibration/nll"] == pytest.approx(record.metrics["test/loss"], rel=1e-5)
    assert (record.environment, record.started, record.ended) == (before.environment, before.started, before.ended)
    assert read_record(folder / "result.json") == record
    assert launched(trained, *FULL)[0] == record  # there is nothing left to do


def test_measured_afterwards_and_at_once_are_the_same_figures(launched, trained, tmp_path):
    after = launched(trained, *FULL)[0]
    at_once = launched(tmp_path / "fresh", *FULL)[0]
    assert after.metrics.keys() == at_once.metrics.keys()
    timed = ("seconds/", "speed/", "cost/peak")
    differing = [
        key for key in after.metrics if after.metrics[key] != at_once.metrics[key] and not key.startswith(timed)
    ]
    assert differing == []
    assert after.config["measure"] == at_once.config["measure"]
    assert after.signature == at_once.signature


def test_other_settings_of_one_measure_take_that_one_again(launched, trained):
    launched(trained, *FULL)
    record = launched(trained, *FULL[:-1], "measure.max_shift=2")[0]
    assert "robust/shift_accuracy/2" in record.metrics
    assert record.config["measure"]["max_shift"] == 2
    assert record.measured["shift"]["at"] >= record.measured["scale"]["at"]
    assert launched(trained)[0] == record  # its costs are there


def test_a_record_whose_process_died_before_the_measures_is_completed(launched, trained):
    folder = RunFolder(trained, the_folder(trained).name)
    record = folder.result
    metrics, _ = without(record, ("costs",))
    note = "not measured: the process ended before; the trained network is in last.ckpt, force=true makes the run again"
    folder.write_record(replace(record, metrics=metrics, notes={**record.notes, "cost": note, "speed": note}))
    mended = launched(trained)[0]
    assert mended.metrics["cost/parameters"] == record.metrics["cost/parameters"]
    assert not any("not measured" in one for one in mended.notes.values())


def test_a_run_without_weights_stays_as_it_is_and_says_so(launched, trained, capsys):
    (the_folder(trained) / "last.ckpt").unlink()
    before = read_record(the_folder(trained) / "result.json")
    assert launched(trained, *FULL)[0] == before
    told = capsys.readouterr().err
    assert "is finished, and not measured for shift, corruption, scale, calibration, gradient_support" in told
    assert "has no last.ckpt: the weights are missing" in told


def test_the_verb(trained, capsys):
    run = str(the_folder(trained))
    assert main(["measure", run, *FULL]) == 0
    assert "measured shift" in capsys.readouterr().out
    assert main(["measure", run, *FULL]) == 0
    assert "has all that is asked for" in capsys.readouterr().out
    assert main(["measure", run, "--again", "measure.throughput_batch_size=2", "measure.seconds=0.01"]) == 0
    assert set(read_record(the_folder(trained) / "result.json").measured) == set(MEASURES)
    assert main(["measure", run, "nowhere"]) == 1
    assert "nowhere is not a folder" in capsys.readouterr().err
    for words, told in (
        ([run, "optim.lr=1"], "optim.lr=1: a finished run takes settings of measure"),
        (["measure=full"], "name the folder of a finished run"),
        ([run, "measure=ful"], "did you mean full?"),
    ):
        assert main(["measure", *words]) == 2
        assert told in capsys.readouterr().err


def test_other_data_are_refused(trained, capsys):
    path = the_folder(trained) / "result.json"
    content = json.loads(path.read_text())
    content["environment"]["data_fingerprint"] = "another"
    path.write_text(json.dumps(content))
    assert main(["measure", str(path.parent), *FULL]) == 1
    assert "its fingerprint is digits-1, expected another" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["train", "measure"])
def test_a_request_to_stop_ends_the_measures_and_loses_none(trained, tiny, capsys, monkeypatch, verb):
    """The signal comes while the shifts are measured; the costs, which were taken again before, are in the record."""
    from poolab.training import remeasure

    def asked(text):
        if text.startswith("measured shift"):
            signal.raise_signal(signal.SIGTERM)

    folder = the_folder(trained)
    words = [*FULL, "measure.latency_batch_size=2"]
    command = ["train", *tiny, *words, f"runs_dir={trained}"] if verb == "train" else ["measure", str(folder), *words]
    with monkeypatch.context() as patch:
        patch.setattr(remeasure, "say", asked)
        assert main(command) == 130
    record = read_record(folder / "result.json")
    assert (record.status, list(record.measured)) == ("completed", ["costs"])
    told = capsys.readouterr()
    assert "stopped by SIGTERM; the same command" in told.out + told.err
    assert main(command) == 0
    assert set(read_record(folder / "result.json").measured) == set(MEASURES)


def test_a_measure_that_failed_keeps_its_note_while_another_is_taken():
    notes = {"robust": "not measured: no", "calibration": "not measured: no", "cost/peak_memory_bytes": "a note"}
    record = Record(status="completed", metrics={"seconds/shift": 1, "robust/shift_consistency": 0.5}, notes=notes)
    assert without(record, ("gradient_support",)) == (record.metrics, notes)
    metrics, left = without(record, ("shift",))
    assert (metrics, left.keys()) == ({}, {"calibration", "cost/peak_memory_bytes"})


@pytest.mark.processes
def test_kill_9_between_two_measures_loses_none(trained, tiny):
    """The process is killed when its record has the costs and not the rest; the next one takes the rest."""
    words = [*tiny, *FULL, "measure.latency_batch_size=2", f"runs_dir={trained}"]
    path = the_folder(trained) / "result.json"
    weights, begun = sha256(path.parent / "last.ckpt"), path.read_bytes()
    code = (
        "import os, sys; from poolab.records import RunFolder\n"
        "write = RunFolder.write_record\n"
        "def dies(self, record): write(self, record); os.kill(os.getpid(), 9)\n"
        "RunFolder.write_record = dies\n"
        "from poolab.cli import main; main(['train', *sys.argv[1:]])"
    )
    killed = subprocess.run([sys.executable, "-c", code, *words], env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() != begun
    half = read_record(path)
    assert (list(half.measured), half.completed) == (["costs"], True)
    assert main(["train", *words]) == 0
    assert set(read_record(path).measured) == set(MEASURES)
    assert read_record(path).measured["costs"] == half.measured["costs"]
    assert sha256(path.parent / "last.ckpt") == weights


def test_what_is_asked_for_and_what_a_record_lacks():
    costs, full = (RunConfig.from_tree(compose(words)) for words in ([], ["measure=full"]))
    assert (asked_measures(costs), asked_measures(full)) == (("costs",), tuple(MEASURES))
    some = RunConfig.from_tree(compose(["measure=full", "measure.robustness=[scale]", "measure.calibration=false"]))
    assert asked_measures(some) == ("costs", "scale", "gradient_support")
    masks = RunConfig.from_tree(compose(["measure=full", "task=segmentation", "backbone=unet", "data=shapes"]))
    assert asked_measures(masks) == ("costs", "gradient_support")

    record = Record(status="completed", metrics={"cost/parameters": 1}, config={"measure": costs.measure.tree()})
    assert missing_measures(costs, record) == ()
    assert missing_measures(full, record) == OTHERS
    assert missing_measures(full, replace(record, status="diverged", reason="nan")) == ()
    failed = replace(record, notes={"robust": "not measured: MemoryError: no"})
    assert missing_measures(full, failed) == ("calibration", "gradient_support")
    other = RunConfig.from_tree(compose(["measure.latency_batch_size=2"]))
    assert missing_measures(other, record) == ("costs",)
    slower = RunConfig.from_tree(compose(["measure.seconds=9"]))
    assert missing_measures(slower, record) == ()


def test_the_settings_of_a_record_grow_with_its_measures():
    costs, full = (RunConfig.from_tree(compose(words)) for words in ([], ["measure=full", "measure.max_shift=3"]))
    found = merged_settings(costs.measure.tree(), full, ("shift", "calibration"))
    assert (found["name"], found["robustness"], found["calibration"]) == ("full", ["shift"], True)
    assert (found["gradient_support"], found["max_shift"]) == (False, 3)
    assert merged_settings(found, full, ("scale", "corruption", "gradient_support")) == full.measure.tree()
    assert merged_settings(full.measure.tree(), costs, ("costs",)) == full.measure.tree()
