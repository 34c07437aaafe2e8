"""What would fail in the first step or at the test is told before anything starts."""

import pytest
import torch
from PIL import Image

from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.study.plan.checks import Checks

ONE = ("backbone=resnet20", "data.batch_size=1", "data.image_size=4", "data.crop_padding=0")


@pytest.mark.parametrize("kind", ["gpu", "cuda", "mps"])
def test_a_device_that_is_not_there(launched, monkeypatch, tmp_path, kind):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=rf"trainer.accelerator={kind}: .* write auto or cpu"):
        launched(tmp_path / "runs", f"trainer.accelerator={kind}")
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def one_class(tmp_path):
    for split in ("train", "test"):
        folder = tmp_path / "data" / split / "cat"
        folder.mkdir(parents=True)
        for number in range(8):
            Image.new("RGB", (16, 16), (number, 0, 0)).save(folder / f"{number}.png")
    return ("data=image_folder", f"data.root={tmp_path / 'data'}", "data.image_size=16", "data.channels=3")


def test_a_single_class_is_told_by_run_and_plan(launched, configured, one_class, tmp_path, monkeypatch):
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "cache"))
    words = (*one_class, "data.limit_train=null", "data.limit_test=null", "data.batch_size=2")
    for ask in (launched, lambda *words: Checks()(configured(*words))):
        with pytest.raises(ConfigError, match=r"1 class|two classes|at least two"):
            ask(tmp_path / "runs", *words)


def test_batches_of_one_image_and_one_value_are_told_by_run_and_plan(launched, configured, tmp_path):
    for ask in (launched, lambda *words: Checks()(configured(*words))):
        with pytest.raises(ConfigError, match=r"data.batch_size=1 gives each process one image.*choose at least 2"):
            ask(tmp_path / "runs", *ONE)
    assert not (tmp_path / "runs").exists()


def test_batches_of_one_image_are_allowed_where_they_can_be(launched, tmp_path):
    words = ("data.batch_size=1", "data.limit_train=30", "trainer.epochs=1")
    assert launched(tmp_path, *words)[0].status == "completed"


def test_the_plan_of_a_machine_without_a_gpu_may_ask_for_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Checks()(compose(["trainer.accelerator=gpu"]))
