"""What a completed run leaves behind: one real run, read by many tests."""

import json
from datetime import datetime

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import load_data
from poolab.records import SCHEMA_VERSION

FILES = {
    *("config.json", "environment.json", "history.jsonl", "result.json", "test_examples.npz"),
    *("last.ckpt", "model.json", "samples.npz", "confusion.png", "curves.png", "samples.png", ".lock"),
}


def strictly(text):
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.fixture(scope="module")
def record(whole_run):
    return strictly((whole_run[1] / "result.json").read_text())


@pytest.fixture(scope="module")
def examples(whole_run):
    with np.load(whole_run[1] / "test_examples.npz") as file:
        return dict(file)


def test_the_files_of_a_run(whole_run):
    assert {path.name for path in whole_run[1].iterdir()} == FILES


def test_the_record_is_what_the_run_returned(whole_run, record):
    assert record == whole_run[0].to_json()


def test_the_keys_of_the_record(whole_run, record):
    wanted = (SCHEMA_VERSION, "completed", None, 0)
    assert (record["schema_version"], record["status"], record["reason"], record["seed"]) == wanted
    assert record["signature"] == whole_run[1].name
    assert record["config"] == strictly((whole_run[1] / "config.json").read_text())
    assert record["environment"] == strictly((whole_run[1] / "environment.json").read_text())
    started, ended = (datetime.fromisoformat(record[name]) for name in ("started", "ended"))
    assert started.tzinfo is not None
    assert started <= ended


@pytest.mark.parametrize(
    "name",
    [
        *("test/accuracy", "test/accuracy_top5", "test/loss", "test/calibration_error", "test/samples"),
        *("val/accuracy", "val/loss", "train/accuracy", "train/loss", "epochs"),
        *("cost/parameters", "cost/multiply_adds", "cost/peak_memory_bytes", "cost/pooling_saved_bytes"),
        *("speed/train_images_per_s", "speed/infer_images_per_s"),
        *("speed/infer_latency_ms_median", "speed/infer_latency_ms_p95"),
        *(f"test/class_accuracy/{digit}" for digit in range(10)),
    ],
)
def test_a_metric_has_its_flat_name_and_is_a_number(record, name):
    value = record["metrics"][name]
    assert isinstance(value, int | float)
    assert value >= 0


def test_the_record_says_how_memory_was_measured(record):
    assert record["notes"]["cost/peak_memory_bytes"] == "resident-set growth during training"


def test_the_environment_has_versions_commit_and_place(record):
    environment = record["environment"]
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0]
    assert {"commit", "dirty", "processor", "python", "platform", "cpus"} <= environment.keys()
    place = [environment[name] for name in ("device", "processes", "threads", "data_fingerprint")]
    assert place == ["cpu", 1, 1, "digits-1"]


def test_every_test_image_was_seen_once(record, examples):
    assert record["metrics"]["test/samples"] == 100
    assert examples["index"].tolist() == list(range(100))
    labels = load_data("digits", image_size=16, limit_train=200, limit_test=100).test.labels
    assert examples["label"].tolist() == labels.tolist()


def test_the_examples_agree_with_the_metrics(record, examples):
    right = examples["label"] == examples["predicted"]
    metrics = record["metrics"]
    assert metrics["test/accuracy"] == pytest.approx(right.mean(), abs=1e-6)
    for digit in range(10):
        share = right[examples["label"] == digit].mean()
        assert metrics[f"test/class_accuracy/{digit}"] == pytest.approx(share, abs=1e-6)
    assert ((examples["confidence"] > 0.1) & (examples["confidence"] <= 1)).all()


def test_the_confusion_matrix_counts_true_class_by_predicted_class(examples):
    expected = np.zeros((10, 10), dtype=int)
    np.add.at(expected, (examples["label"], examples["predicted"]), 1)
    assert (examples["confusion"] == expected).all()


def test_the_calibration_error_is_that_of_the_examples(record, examples):
    right, confidence = examples["label"] == examples["predicted"], examples["confidence"]
    bins = np.clip(np.ceil(confidence * 15).astype(int) - 1, 0, 14)
    error = sum(
        (bins == one).mean() * abs(right[bins == one].mean() - confidence[bins == one].mean()) for one in set(bins)
    )
    assert record["metrics"]["test/calibration_error"] == pytest.approx(error, abs=1e-5)


def test_the_history_has_a_row_for_each_epoch(whole_run, record):
    rows = [strictly(line) for line in (whole_run[1] / "history.jsonl").read_text().splitlines()]
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 5), (2, 10)]
    figures = {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "learning_rate", "seconds"}
    assert all(figures <= row.keys() for row in rows)
    assert rows[-1]["learning_rate"] == pytest.approx(0, abs=1e-9)
    for name in ("train/loss", "train/accuracy", "val/loss", "val/accuracy"):
        assert record["metrics"][name] == rows[-1][name]


@pytest.mark.parametrize(
    ("name", "size"), [("confusion.png", (620, 620)), ("curves.png", (1080, 408)), ("samples.png", (1296, 768))]
)
def test_the_pictures_show_something(whole_run, name, size):
    with Image.open(whole_run[1] / name) as picture:
        assert picture.size == size
        assert np.asarray(picture.convert("L")).std() > 10


def test_the_checkpoint_loads_without_running_code(whole_run):
    checkpoint = torch.load(whole_run[1] / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 10
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())
