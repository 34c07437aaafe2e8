"""`data.val_fraction=0`: all training images are trained on, and no validation metric is invented."""

import json

import torch

from poolab.data import load_data
from poolab.training import launch


def test_all_training_images_are_trained_on():
    data = load_data("digits", val_fraction=0)
    assert (len(data.train), len(data.val), len(data.test)) == (1433, 0, 364)
    held = load_data("digits", val_fraction=0.1)
    assert torch.equal(data.test.labels, held.test.labels)


def test_a_run_of_the_tutorials_recipe_has_no_validation_metrics(configured, tmp_path):
    config = configured(tmp_path, "recipe=keras_tutorial", "trainer.epochs=2", "data.limit_train=64")
    assert config["optim"]["schedule"] == "constant"
    assert (config["data"]["batch_size"], config["data"]["flip"], config["data"]["crop_padding"]) == (32, False, 0)
    record, folder, _ = launch(config)
    assert record.status == "completed"
    assert [name for name in record.metrics if name.startswith("val/")] == []
    assert "test/accuracy" in record.metrics
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    assert all("train/loss" in row and "val/loss" not in row for row in rows)
    assert (folder / "curves.png").exists()
