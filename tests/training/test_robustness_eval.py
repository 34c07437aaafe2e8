"""measure=full: what a run's record holds then, and that it says what it should."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.errors import ConfigError
from poolab.measure.corruptions import CORRUPTIONS
from poolab.run_config import RunConfig
from poolab.training.build import build
from poolab.training.robustness_eval import measure_full, stratified

FULL = ("measure=full", "trainer.epochs=1", "pooling=avg", "pooling.slots=[pool2]")
NAMES = {
    "robust/images",
    "robust/shift_consistency",
    *(f"robust/shift_accuracy{end}" for end in ("_mean", "/0", "/1", "/2")),
    "robust/corruption_accuracy",
    *(f"robust/corruption/{kind}" for kind in CORRUPTIONS),
    *(f"robust/corruption/{kind}/{severity}" for kind in CORRUPTIONS for severity in range(1, 6)),
    *(f"robust/scale_accuracy{end}" for end in ("_mean", "/0.5", "/0.75", "/1", "/1.25", "/1.5")),
    *(f"calibration/{name}" for name in ("ece", "brier", "nll")),
    *(f"gradient_support/{slot}/{name}" for slot in ("pool1", "pool2") for name in ("input_coverage", "entropy")),
    *(f"seconds/{name}" for name in ("shift", "corruption", "scale", "calibration", "gradient_support")),
}
GROUPS = ("robust/", "calibration/", "gradient_support/", "seconds/")


def of_full(metrics, groups=GROUPS):
    return {name: value for name, value in metrics.items() if name.startswith(groups)}


@pytest.fixture(scope="module")
def full(launched, tmp_path_factory):
    record, folder, _ = launched(tmp_path_factory.mktemp("full"), *FULL)
    return record.metrics, folder


def test_every_name_is_there_and_no_other(full):
    found = of_full(full[0])
    assert set(found) == NAMES
    assert all(value is not None and value >= 0 for value in found.values())
    shares = [value for name, value in found.items() if name.startswith("robust/") and name != "robust/images"]
    assert max(shares) <= 1
    assert found["robust/images"] == 100


def test_what_changes_nothing_is_the_test_itself(full):
    metrics = full[0]
    for name in ("robust/shift_accuracy/0", "robust/scale_accuracy/1"):
        assert metrics[name] == pytest.approx(metrics["test/accuracy"], abs=1e-6)
    assert metrics["calibration/nll"] == pytest.approx(metrics["test/loss"], rel=1e-5)
    assert metrics["calibration/ece"] == pytest.approx(metrics["test/calibration_error"], abs=1e-6)


def test_means_are_those_of_their_members(full):
    metrics = full[0]
    for kind in CORRUPTIONS:
        members = [metrics[f"robust/corruption/{kind}/{severity}"] for severity in range(1, 6)]
        assert metrics[f"robust/corruption/{kind}"] == pytest.approx(np.mean(members))
    kinds = [metrics[f"robust/corruption/{kind}"] for kind in CORRUPTIONS]
    assert metrics["robust/corruption_accuracy"] == pytest.approx(np.mean(kinds))


def test_calibration_is_that_of_the_stored_examples(full):
    metrics, folder = full
    with np.load(folder / "test_examples.npz") as file:
        assert metrics["calibration/brier"] == pytest.approx(file["brier"].mean(), rel=1e-5)
        assert metrics["calibration/nll"] == pytest.approx(file["nll"].mean(), rel=1e-5)
        right = file["label"] == file["predicted"]
        assert np.exp(-file["nll"][right]) == pytest.approx(file["confidence"][right], rel=1e-4)
    with Image.open(folder / "reliability.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_the_gradient_support_is_that_of_the_poolings(full):
    metrics = full[0]
    assert (metrics["gradient_support/pool1/input_coverage"], metrics["gradient_support/pool1/entropy"]) == (0.25, 0.0)
    # The map before pool2 has 5 x 5 elements, of which 2x2 windows see 4 x 4.
    assert metrics["gradient_support/pool2/input_coverage"] == pytest.approx(16 / 25)
    assert metrics["gradient_support/pool2/entropy"] == pytest.approx(np.log(4), abs=1e-5)


def test_another_batch_size_gives_the_same_figures(full, launched, tmp_path):
    other, _, _ = launched(tmp_path, *FULL, "data.eval_batch_size=17")
    groups = ("robust/", "gradient_support/")
    assert of_full(other.metrics, groups) == of_full(full[0], groups)
    assert other.metrics["calibration/brier"] == pytest.approx(full[0]["calibration/brier"], rel=1e-5)


def test_what_is_left_out_is_left_out(launched, tmp_path):
    chosen = ("measure.robustness=[shift]", "measure.calibration=false", "measure.gradient_support=false")
    settings = ("measure.images=30", "measure.max_shift=1", "measure.shift_padding=zero")
    record, folder, _ = launched(tmp_path, *FULL, *chosen, *settings)
    expected = {"robust/images", "robust/shift_consistency", "robust/shift_accuracy_mean"}
    expected |= {"robust/shift_accuracy/0", "robust/shift_accuracy/1", "seconds/shift"}
    assert set(of_full(record.metrics)) == expected
    assert record.metrics["robust/images"] == 30
    assert not (folder / "reliability.png").exists()


@pytest.mark.parametrize(("head", "noted"), [("own", True), ("global_avg", False)])
def test_a_network_of_one_size_says_so_where_it_is_shown_another(launched, tmp_path, head, noted):
    chosen = ("measure.robustness=[scale]", "measure.scale_mode=size", "measure.scales=[1,1.5]", f"head={head}")
    record, _, _ = launched(tmp_path, *FULL, *chosen)
    name = "robust/scale_accuracy/1.5"
    assert (name in record.metrics) is not noted
    assert record.notes.get(name, "").startswith("not measured, the network does not take this size") is noted
    assert record.metrics["robust/scale_accuracy/1"] == pytest.approx(record.metrics["test/accuracy"], abs=1e-6)


def test_it_runs_in_the_runs_precision_and_memory_format(launched, tmp_path):
    settings = ("trainer.precision=bf16-mixed", "trainer.channels_last=true", "measure.severities=[1]")
    metrics = launched(tmp_path, *FULL, *settings)[0].metrics
    assert metrics["robust/shift_accuracy/0"] == pytest.approx(metrics["test/accuracy"], abs=1e-6)
    assert metrics["gradient_support/pool2/entropy"] == pytest.approx(np.log(4), abs=1e-2)


def test_asked_to_stop_it_ends_after_the_measure_and_goes_on_later(launched, tmp_path, monkeypatch):
    chosen = (*FULL, "measure.robustness=[scale,shift]", "measure.scales=[1]")
    with monkeypatch.context() as patch:
        patch.setattr("poolab.training.console.Console.measured", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        record, folder, _ = launched(tmp_path, *chosen)
    assert (record.status, record.reason) == ("interrupted", "stopped by SIGTERM")
    again, same, fresh = launched(tmp_path, *chosen)
    assert (again.status, same, fresh) == ("completed", folder, True)
    assert "robust/shift_consistency" in again.metrics
    assert again.metrics["epochs"] == 1


def test_the_limited_images_are_stratified_and_the_same_for_every_seed(configured, tmp_path):
    first, other = (build(RunConfig.from_tree(configured(tmp_path, *FULL, f"seed={seed}"))).data for seed in (0, 1))
    chosen = stratified(first, 30)
    assert torch.equal(chosen, stratified(other, 30))
    counts = torch.bincount(first.test.labels[chosen], minlength=10)
    assert len(chosen.unique()) == 30
    assert counts.min() >= 2
    assert counts.max() <= 4


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("measure.images=9", r"measure.images=9 is not possible: choose from 10 \(one image for each class\) to 100"),
        ("measure.images=101", "measure.images=101 is not possible"),
        ("measure.max_shift=16", "max_shift=16 is not possible for images of 16 pixels: 1 to 15, or null"),
    ],
)
def test_what_does_not_fit_the_data_is_told_before_training(configured, tmp_path, setting, message):
    with pytest.raises(ConfigError, match=message):
        build(RunConfig.from_tree(configured(tmp_path, *FULL, setting)))


def test_a_task_without_a_class_for_each_image_gets_its_gradient_support(configured, tmp_path):
    config = RunConfig.from_tree(configured(tmp_path, *FULL))
    parts = build(config)
    told = []
    metrics, notes = measure_full(
        replace(config, task="segmentation"), tmp_path, parts, {}, None, lambda name, _: told.append(name)
    )
    assert {name.split("/")[0] for name in metrics} == {"gradient_support", "seconds"}
    assert set(notes) == {"robust", "calibration"}
    assert told == ["gradient_support"]
    assert not (tmp_path / "reliability.png").exists()
    assert parts.network.training
