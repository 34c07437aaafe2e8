"""Exported files: what they give beside the network, when they are refused, and what is said of wrong wishes."""

import errno
import json
import logging
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import poolab
from poolab.backbones import create_backbone
from poolab.cli import main
from poolab.data import load_data
from poolab.errors import ConfigError, PoolabError
from poolab.export.check_images import CheckImages, check_images, random_pixels
from poolab.export.comparison import compare
from poolab.export.deployed import Deployed
from poolab.export.job import Job
from poolab.export.quiet import quiet
from poolab.export.writers import writer_of
from poolab.run_config import RunConfig

needs_onnx = pytest.mark.skipif(find_spec("onnxscript") is None, reason="needs the extra `export`")


@pytest.fixture
def model(whole_run):
    return poolab.load(whole_run[1])


@pytest.fixture(scope="session")
def exported(whole_run, tmp_path_factory):
    """The ONNX file of a run that was trained on the digits, and how it compared."""
    pytest.importorskip("onnxscript", reason="needs the extra `export`")
    return poolab.load(whole_run[1]).export(tmp_path_factory.mktemp("exported") / "model.onnx")


@pytest.mark.slow
def test_an_onnx_file_takes_any_number_of_images_and_says_what_it_is(exported, model, whole_run):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert (exported.format, exported.precision, exported.path.stat().st_size) == ("onnx", "float32", exported.bytes)
    assert exported.comparison.difference < 1e-5
    assert (exported.comparison.changed, exported.comparison.images) == (0, 100)
    record, folder = whole_run
    assert exported.comparison.accuracy == (pytest.approx(record.metrics["test/accuracy"]),) * 2
    assert "100 test images of digits" in str(exported)
    session = onnxruntime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["poolab.classes"]) == list(model.classes)
    assert (facts["poolab.signature"], facts["poolab.image_size"]) == (record.signature, "[16, 16]")
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[1:]) == ("images", "tensor(uint8)", [1, 16, 16])
    assert [one.name for one in session.get_outputs()] == ["probabilities", "logits"]
    config = RunConfig.from_tree(record.config)
    images = load_data(**config.data.reading, seed=config.seed).test.images
    with np.load(folder / "test_examples.npz") as examples:
        label, confidence, index = examples["predicted"], examples["confidence"], examples["index"]
    for count in (1, 3, 100):
        probabilities, logits = session.run(None, {"images": images[index[:count]].numpy()})
        assert probabilities.argmax(1).tolist() == label[:count].tolist()
        np.testing.assert_allclose(probabilities.max(1), confidence[:count], atol=1e-5)
        np.testing.assert_allclose(logits, model.logits(images[index[:count]]).numpy(), atol=1e-4)


@pytest.mark.slow
@needs_onnx
def test_eight_and_sixteen_bits_and_the_callers_logging(model, tmp_path):
    import onnx

    before = list(logging.root.handlers), logging.root.manager.disable
    small = model.export(tmp_path / "small.onnx", int8=True)
    half = model.export(tmp_path / "half.onnx", half=True)
    assert (list(logging.root.handlers), logging.root.manager.disable) == before
    assert small.comparison.changed <= 0.05
    assert small.comparison.lost is not None
    assert small.comparison.lost <= 0.05
    assert 0 < half.comparison.difference < 0.02
    held = [onnx.numpy_helper.to_array(one) for one in onnx.load(small.path).graph.initializer]
    assert max(abs(one.astype(int)).max() for one in held if one.dtype == np.int8) == 64  # more saturate without VNNI
    assert small.bytes < 0.5 * model.export(tmp_path / "whole.onnx").bytes
    assert "share of changed predictions" in str(small)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.onnx", "small.onnx", "whole.onnx"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated")
@pytest.mark.parametrize("name", ["model.pt2", "model.ts"])
def test_files_of_torch(model, tmp_path, name):
    found = model.export(tmp_path / name)
    assert found.comparison.difference < 1e-6
    extra = {"poolab.json": ""}
    if name.endswith("pt2"):
        torch.export.load(tmp_path / name, extra_files=extra)
    else:
        torch.jit.load(str(tmp_path / name), _extra_files=extra)
    assert json.loads(extra["poolab.json"])["poolab.signature"] == model.record.signature


@pytest.mark.long
def test_eight_bits_of_torch_export(model, tmp_path):
    pytest.importorskip("torchao", reason="needs torchao")
    found = model.export(tmp_path / "model.pt2", int8=True)
    assert found.comparison.difference > 0
    assert found.comparison.changed <= 0.05


@pytest.mark.long
@pytest.mark.parametrize(("name", "package"), [("model.pte", "executorch"), ("model.tflite", "litert_torch")])
def test_files_for_small_devices(model, tmp_path, name, package):
    pytest.importorskip(package, reason=f"needs {package}, which is no dependency of poolab's")
    found = model.export(tmp_path / name)
    assert found.comparison.difference < 1e-5
    assert json.loads((tmp_path / f"{name}.json").read_text())["poolab.signature"] == model.record.signature


@pytest.mark.slow
@needs_onnx
def test_a_segmentation_network(launched, tmp_path):
    words = ("task=segmentation", "backbone=unet", "data=shapes", "trainer.epochs=1", "data.image_size=16")
    record, folder, _ = launched(tmp_path / "runs", *words)
    found = poolab.load(folder).export(tmp_path / "masks.onnx")
    assert found.comparison.difference < 1e-5
    assert found.comparison.accuracy == (pytest.approx(record.metrics["test/accuracy"], abs=1e-4),) * 2


ODD = """
import torch
from poolab.pooling import WindowPool2d

class Odd(WindowPool2d):
    formula = staticmethod(lambda windows: torch.special.bessel_j0(windows.maximum()))
"""


@pytest.mark.slow
@needs_onnx
def test_a_layer_that_does_not_convert_is_named(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd_pool_of_this_test.py").write_text(ODD)
    model.network = create_backbone(
        "keras_cnn",
        in_channels=1,
        num_classes=10,
        image_size=16,
        pooling={"name": "max", "at": {"pool2": "odd_pool_of_this_test:Odd"}},
    ).eval()
    with pytest.raises(PoolabError) as told:
        model.export(tmp_path / "model.onnx")
    assert "model.onnx was not written: onnx cannot hold this network" in str(told.value)
    assert "slot pool2 (odd_pool_of_this_test:Odd): the operator prims.bessel_j0.default" in str(told.value)
    assert "pool1" not in str(told.value)
    assert not list(tmp_path.glob("*.onnx")) + list(tmp_path.glob(".export*"))


@pytest.mark.parametrize("fault", ["wrong", "nan", "shape", "one image"])
def test_a_file_that_differs_is_refused(model, tmp_path, monkeypatch, fault):
    deployed = Deployed(model.network, model.facts.mean, model.facts.std)

    def program(images):
        probabilities, logits = (output.numpy().copy() for output in deployed(images))
        if fault == "wrong":
            probabilities[-1, 0] += 0.12
        elif fault == "nan":
            probabilities[-1, 0] = np.nan
        elif fault == "shape":
            probabilities = probabilities[:, 1:]
        elif len(images) == 1:  # as a file with a fixed number of images would
            probabilities = probabilities[::-1] + 0.5
        return probabilities, logits

    writer = writer_of("onnx")
    monkeypatch.setattr("poolab.export.exporting.check_packages", lambda _: None)
    monkeypatch.setattr(writer, "make", lambda job, folder: b"a file")
    monkeypatch.setattr(writer, "opened", lambda path: program)
    monkeypatch.setattr("poolab.export.exporting.culprits", lambda *_: ["slot head (netvlad): differs"])
    with pytest.raises(
        PoolabError, match=r"was not written: on 100 test images[\s\S]*allowed difference: 0\.0001"
    ) as told:
        model.export(tmp_path / "model.onnx")
    assert "slot head (netvlad): differs" in str(told.value)
    assert list(tmp_path.iterdir()) == []
    # An older file stays.
    (tmp_path / "model.onnx").write_text("older")
    with pytest.raises(PoolabError, match="was not written"):
        model.export(tmp_path / "model.onnx", force=True)
    assert (tmp_path / "model.onnx").read_text() == "older"


def test_the_first_image_alone_then_many(model):
    sizes = []
    deployed = Deployed(model.network, model.facts.mean, model.facts.std)

    def program(images):
        sizes.append(len(images))
        return tuple(output.numpy() for output in deployed(images))

    found = compare(program, deployed, CheckImages(random_pixels(130, (1, 16, 16)), "random images"))
    assert sizes == [1, 64, 64, 1]
    assert (found.difference, found.changed, found.accuracy, found.lost) == (0, 0, None, None)


def test_what_is_scaled_by_are_training_images(model):
    config = RunConfig.from_tree(model.record.config)
    data = load_data(**config.data.reading, seed=config.seed)
    chosen = check_images(model, calibrate=True)
    own = {image.numpy().tobytes() for image in data.train.images}
    assert {image.numpy().tobytes() for image in chosen.calibration} <= own
    assert torch.equal(chosen.pixels, data.test.images)
    assert torch.equal(chosen.labels, data.test.labels)
    assert check_images(model).calibration is None


def test_without_the_data(model, monkeypatch):
    config = dict(model.record.config)
    config["data"] = {**config["data"], "name": "cifar10", "root": "/nowhere"}
    monkeypatch.setattr(model, "record", poolab.records.Record(status="completed", config=config))
    chosen = check_images(model)
    assert chosen.source.startswith("random images (the test images are not at hand: ")
    assert chosen.labels is None
    assert chosen.pixels.dtype == torch.uint8
    assert len(chosen.pixels.unique()) > 200
    with pytest.raises(ConfigError, match=r"int8 needs images to scale by[\s\S]*--images FOLDER"):
        check_images(model, calibrate=True)
    given = check_images(
        model, model.pixels([np.full((16, 16), level, np.uint8) for level in range(5)]), calibrate=True
    )
    assert [int(image.max()) for image in given.pixels] == [1, 3]
    assert [int(image.max()) for image in given.calibration] == [0, 2, 4]
    with pytest.raises(ConfigError, match="images: 1 is too few"):
        check_images(model, model.pixels(np.zeros((16, 16), np.uint8)), calibrate=True)


def test_other_data_of_the_same_name_is_not_the_runs(model, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr(model, "facts", replace(model.facts, data_fingerprint="another"))
    assert "data=digits here is not what the network was trained on" in check_images(model).source


@pytest.mark.parametrize(
    ("name", "more", "told"),
    [
        ("model", {}, "does not say a format: it has no suffix; the formats are onnx"),
        ("model.foo", {}, "its suffix '.foo' is no format's"),
        ("model.pt", {}, "name a format too, torch_export or torchscript"),
        ("model.engine", {}, "TensorRT reads ONNX files"),
        ("model.onnx", {"format": "onxx"}, "format=onxx is not known: did you mean onnx"),
        ("model.onnx", {"format": "pt2"}, "is the name of a file of onnx, and format=pt2 was chosen"),
        ("model.pt", {"format": "script"}, "torch.jit.script cannot compile poolab's networks"),
        ("model.onnx", {"int8": True, "half": True}, "exclude each other"),
        ("model.ts", {"int8": True}, "int8 is not possible with format=torchscript; it is with onnx and torch_export"),
        ("model.tflite", {"half": True}, "half is not possible with format=litert; it is with onnx, torch_export"),
        ("model.onnx", {"tolerance": 2}, "tolerance=2 is not possible"),
        ("there.onnx", {}, "there.onnx exists: choose another name, or replace it"),
        ("folder", {"format": "onnx"}, "is a folder: name a file in it"),
        ("gone/model.onnx", {}, "the folder .*gone does not exist"),
        ("there.onnx/model.onnx", {}, "cannot be written|does not exist"),
        ("/proc/model.onnx", {}, "/proc/model.onnx cannot be written"),
    ],
)
def test_wrong_wishes(model, tmp_path, monkeypatch, name, more, told):
    monkeypatch.setattr("poolab.export.exporting.check_packages", lambda _: None)
    (tmp_path / "there.onnx").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(PoolabError, match=told):
        model.export(tmp_path / name, **more)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "there.onnx"]


def test_a_missing_package_and_a_full_disk(model, tmp_path, monkeypatch):
    monkeypatch.setattr("poolab.export.formats.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'needs onnx, onnxscript, onnxruntime.*: pip install "poolab\[export\]"'):
        model.export(tmp_path / "model.onnx")
    monkeypatch.setattr(writer_of("torch_export"), "make", lambda job, folder: b"content")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(PoolabError, match=r"model\.pt2 was not written: No space left on device"):
        model.export(tmp_path / "model.pt2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_verb(whole_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(whole_run[1])]) == 2
    assert "name a file, --out model.onnx, or a format" in capsys.readouterr().err
    assert main(["export", str(whole_run[1]), "--format", "torchscript"]) == 0
    assert capsys.readouterr().out.startswith("model.torchscript: torchscript, float32, ")
    Image.new("L", (20, 30), 7).save("photo.png")
    words = ["export", str(whole_run[1]), "--out", "model.torchscript", "--images", "photo.png"]
    assert main(words) == 2
    assert "model.torchscript exists: choose another name" in capsys.readouterr().err
    assert main([*words, "--force", "--tolerance", "0.5"]) == 0
    assert "on 1 images that were given" in capsys.readouterr().out
    assert main(["export", "nowhere", "--out", "a.ts"]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err


@pytest.mark.long
@needs_onnx
def test_a_network_of_a_library_with_other_poolings(tmp_path):
    network = create_backbone(
        "torchvision/resnet18", in_channels=3, num_classes=5, image_size=64, seed=0, pooling={"name": "avg_topk"}
    )
    deployed = Deployed(network.eval(), (0.5,) * 3, (0.2,) * 3)
    images = random_pixels(9, (3, 64, 64))
    for name, suffix in (("torchscript", ".ts"), ("torch_export", ".pt2"), ("onnx", ".onnx")):
        path = tmp_path / f"model{suffix}"
        with quiet(), torch.no_grad():
            path.write_bytes(writer_of(name).make(Job(deployed, images[:2], {}), tmp_path))
            found = compare(writer_of(name).opened(path), deployed, CheckImages(images, "random images"))
        assert found.difference < 1e-5, name


@pytest.mark.parametrize(("words", "says"), [
    (["--tolerance", "nan"], "tolerance=nan is not possible"),
    (["--tolerance", "-1"], "tolerance=-1.0 is not possible"),
    (["--int8", "--half"], "exclude each other"),
])  # fmt: skip
def test_wrong_options_of_the_command_are_told_before_a_run_is_read(words, says, tmp_path, capsys):
    assert main(["export", str(tmp_path / "no run"), "--out", str(tmp_path / "model.onnx"), *words]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "does not exist" not in error
