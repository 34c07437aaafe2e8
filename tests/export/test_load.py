"""A run's folder alone gives its network, and the network sees what the test saw."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import poolab
from poolab.data import load_data
from poolab.errors import ConfigError, DataError, PoolabError
from poolab.run_config import RunConfig
from poolab.training import ModelFacts


@pytest.fixture
def folder(whole_run, tmp_path):
    """A copy of a run's folder, alone in another place."""
    return shutil.copytree(whole_run[1], tmp_path / "elsewhere" / "run")


def images_of(record):
    config = RunConfig.from_tree(record.config)
    return load_data(**config.data.reading, seed=config.seed).test.images


def test_a_copied_folder_predicts_what_the_record_says(folder, monkeypatch):
    images = images_of(poolab.load(folder).record)
    monkeypatch.setattr("poolab.data.load.load_data", lambda *_, **__: pytest.fail("the data was loaded"))
    model = poolab.load(folder)
    with np.load(folder / "test_examples.npz") as examples:
        label, confidence = examples["predicted"], torch.from_numpy(examples["confidence"])
    found = model.predict(images, batch_size=32)
    assert [one.index for one in found] == label.tolist()
    torch.testing.assert_close(torch.tensor([one.probability for one in found]), confidence)
    assert all(abs(float(one.probabilities.sum()) - 1) < 1e-5 for one in found)
    assert (model.classes, model.task) == (tuple("0123456789"), "classification")
    assert not model.network.training


def test_preprocessing_is_that_of_the_test(folder, launched):
    from poolab.data import ImageDataModule

    model = poolab.load(folder)
    config = RunConfig.from_tree(model.record.config)
    data = load_data(**config.data.reading, seed=config.seed)
    module = ImageDataModule(data, **config.data.loading, seed=0)
    batch = module.on_after_batch_transfer(next(iter(module.test_dataloader())), 0)
    assert torch.equal(model.preprocess(data.test.images_at(batch["index"])), batch["image"])


def test_one_image_is_a_list_of_one_and_none_is_none(folder):
    model = poolab.load(folder)
    image = np.zeros((16, 16), np.uint8)
    assert len(model.predict(image)) == len(model.predict([image])) == len(model.predict(Image.fromarray(image))) == 1
    assert model.predict([]) == []
    assert tuple(model.pixels([]).shape) == (0, 1, 16, 16)
    assert model.predict(image)[0].top(3)[0][0] == model.predict(image)[0].label
    with pytest.raises(ConfigError, match="batch_size=0"):
        model.predict(image, batch_size=0)


def test_a_folder_of_before_takes_its_facts_from_the_data(folder):
    written = ModelFacts.read(folder)
    (folder / "model.json").unlink()
    assert poolab.load(folder).facts == written
    record = json.loads((folder / "result.json").read_text())
    record["environment"]["data_fingerprint"] = "another"
    (folder / "result.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=r"before runs had a model\.json, and data=digits at hand is not"):
        poolab.load(folder)
    record["config"]["data"] |= {"name": "cifar10", "root": "/nowhere", "download": False}
    (folder / "result.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"written before runs had a model\.json"):
        poolab.load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: shutil.rmtree(folder), "does not exist: name the folder of a run|is not a folder"),
        (lambda folder: (folder / "result.json").unlink(), "it has no result.json"),
        (lambda folder: (folder / "last.ckpt").unlink(), "has no last.ckpt: the weights are missing"),
        (lambda folder: (folder / "last.ckpt").write_bytes(b"PK\x03\x04"), "damaged or cut off"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json cannot be read"),
        (lambda folder: (folder / "model.json").write_text("[]"), "it is not a mapping"),
        (lambda folder: (folder / "model.json").write_text('{"version": 9}'), "install a newer poolab"),
        (lambda folder: (folder / "model.json").write_text('{"version": 1}'), r"classes \(names\) is missing or wrong"),
    ],
    ids=["gone", "no record", "no weights", "weights", "torn", "list", "newer", "empty"],
)
def test_a_damaged_folder_is_named(folder, change, words):
    change(folder)
    with pytest.raises(PoolabError, match=words):
        poolab.load(folder)


def test_a_folder_of_runs_and_an_unfinished_run_are_named(folder):
    with pytest.raises(ConfigError, match="is a folder of runs: name one of them: run"):
        poolab.load(folder.parent)
    record = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**record, "status": "diverged", "reason": "nan"}))
    with pytest.raises(ConfigError, match=r"has no trained network: the run is diverged \(nan\)"):
        poolab.load(folder)


def test_a_segmentation_network_writes_masks(launched, tmp_path):
    words = ("task=segmentation", "backbone=unet", "data=shapes", "trainer.epochs=1", "data.image_size=32")
    record, folder, _ = launched(tmp_path, *words)
    model = poolab.load(folder)
    (found,) = model.predict(np.zeros((40, 20, 3), np.uint8))
    assert tuple(found.mask.shape) == (40, 20)
    assert (found.mask[:9] == 255).all()
    assert (found.mask[11:29] < len(model.classes)).all()
    assert sum(found.shares.values()) == pytest.approx(1)
    found.save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), found.mask.numpy())
    images = images_of(record)
    masks = torch.stack([one.mask for one in model.predict(images)])
    truth = load_data(**RunConfig.from_tree(record.config).data.reading, seed=record.seed).test.labels
    assert (masks == truth).double().mean().item() == pytest.approx(record.metrics["test/accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    "words", [["backbone.match=parameters", "backbone.match_to=strided_conv"], ["backbone=torchvision/resnet18"]]
)
def test_matched_and_adopted_networks_come_back(launched, tmp_path, words):
    record, folder, _ = launched(tmp_path, "trainer.epochs=1", "data.image_size=32", *words)
    with np.load(folder / "test_examples.npz") as examples:
        label = examples["predicted"].tolist()
    assert [one.index for one in poolab.load(folder).predict(images_of(record))] == label


def test_own_code_that_was_changed_after_the_training_is_told(launched, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = tmp_path / "changing_pool.py"
    code.write_text("from poolab.pooling import AvgPool2d\n\n\nclass MyPool(AvgPool2d):\n    pass\n")
    _, folder, _ = launched(tmp_path / "runs", "trainer.epochs=1", "pooling=changing_pool:MyPool")
    assert "changing_pool:MyPool" in repr(poolab.load(folder)), "and no warning, which would be an error here"
    code.write_text(code.read_text() + "# changed\n")
    program = f"import poolab, numpy; print(poolab.load({str(folder)!r}).predict(numpy.zeros((16, 16), numpy.uint8)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "changing_pool.py was changed after" in done.stderr
    assert done.stdout
