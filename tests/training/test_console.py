from pathlib import Path

import pytest

from poolab.records import Record
from poolab.training.console import print_record, series, shown


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("test/accuracy", 0.98765, "0.9877"),
        ("test/accuracy", 1.0, "1"),
        ("test/accuracy", 0.0, "0"),
        ("test/loss", None, "not finite"),
        ("cost/peak_memory_bytes", 5_000_000, "5.0 MB"),
        ("cost/pooling_saved_bytes", 1_234_500_000, "1,234.5 MB"),
        ("cost/parameters", 166_986, "166,986"),
        ("speed/train_images_per_s", 1234.5, "1,234"),
        ("speed/infer_latency_ms_median", 0.65699, "0.657"),
        ("epochs", 10, "10"),
    ],
)
def test_a_figure_as_a_person_reads_it(name, value, text):
    assert shown(name, value) == text


def record(**changes):
    metrics = {"test/accuracy": 0.5, "test/class_accuracy/cat": 0.25, "cost/peak_memory_bytes": 2_000_000}
    notes = {"cost/peak_memory_bytes": "resident-set growth"}
    return Record(**{"metrics": metrics, "notes": notes, "status": "completed", **changes})


@pytest.mark.parametrize(
    ("changes", "fresh", "ending"),
    [
        ({}, True, "completed\nrecord: runs/abc\n"),
        ({}, False, "completed earlier, not run again (force=true does): runs/abc\n"),
        ({"status": "diverged", "reason": "nan"}, True, "diverged: nan\nrecord: runs/abc\n"),
        (
            {"status": "interrupted", "reason": "stopped by SIGINT"},
            True,
            "interrupted: stopped by SIGINT; the same command goes on from here\nrecord: runs/abc\n",
        ),
    ],
)
def test_the_table_at_the_end(capsys, changes, fresh, ending):
    print_record(record(**changes), Path("runs/abc"), fresh)
    out = capsys.readouterr().out
    assert out.endswith(ending)
    first, second, *_ = out.splitlines()
    assert first.split() == ["cost/peak_memory_bytes", "2.0", "MB", "resident-set", "growth"]
    assert second.split() == ["test/accuracy", "0.5"]  # next to the prompt
    assert "class_accuracy" not in out


def test_figures_of_a_series_stand_beside_their_mean(capsys):
    metrics = {"robust/corruption/jpeg": 0.5, "robust/corruption/jpeg/1": 0.75, "robust/corruption/jpeg/5": None}
    metrics |= {"robust/scale_accuracy_mean": 1.0, "robust/scale_accuracy/0.5": 0.0, "robust/scale_accuracy/1.25": 1.0}
    print_record(record(metrics=metrics, notes={"calibration": "left out"}), Path("runs/abc"), True)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[:3]]
    assert rows[0] == ["robust/corruption/jpeg", "0.5", "1:.75", "5:-"]
    assert rows[1] == ["robust/scale_accuracy_mean", "1", "0.5:.00", "1.25:1.00"]
    assert rows[2] == ["calibration", "-", "left", "out"], "a note on what has no figure"


def test_a_number_at_the_end_makes_no_series_by_itself():
    assert series({"test/class_accuracy/7": 0.5, "epochs": 1}) == ({}, set())


def test_a_run_says_what_it_is_and_how_each_epoch_went(launched, capsys, tmp_path):
    _, folder, _ = launched(tmp_path, "pooling=avg", "pooling.slots=[pool2]", "seed=5")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "keras_cnn on digits, seed 5, 2 epochs on 1 x cpu"
    assert lines[1] == "slots: pool1 max, pool2 avg, head flatten"
    assert lines[2] == f"record: {folder}"
    assert [line.split("  train")[0] for line in lines[3:]] == ["epoch   1/2", "epoch   2/2"]
    assert all(" val loss " in line and line.endswith(" s") for line in lines[3:])
