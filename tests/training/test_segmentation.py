"""Runs of segmentation: they end as those of classification do."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from poolab.data import ImageData, Split, drawn_shapes
from poolab.records import RunFolder
from poolab.training.interruption import StopRequest
from poolab.training.pictures import learning_curves, mask_grid
from poolab.training.samples import segmented as chosen_samples
from poolab.training.segmentation import Segmenter
from poolab.training.shapes import configured_shapes

IGNORED = 255
SMALL = (
    *("task=segmentation", "backbone.width=2", "data.batch_size=8"),
    *("data.limit_train=40", "data.limit_test=21", "data.eval_batch_size=10"),
)


@pytest.fixture(scope="module")
def few_shapes():
    """Fewer drawn shapes, in less time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn_shapes, "TRAIN", 100)
        patch.setattr(drawn_shapes, "TEST", 100)
        yield


@pytest.fixture(scope="module")
def segmented(few_shapes, configured, tmp_path_factory):
    """The record and the folder of one completed run with its pictures, for reading only."""
    from poolab.training.launcher import launch

    record, folder, _ = launch(configured(tmp_path_factory.mktemp("segmented"), *SMALL))
    return record, folder


def test_the_record_of_a_run(segmented):
    record, folder = segmented
    assert record.status == "completed"
    assert {path.name for path in folder.iterdir()} >= {"curves.png", "samples.png", "test_examples.npz", "last.ckpt"}
    metrics = record.metrics
    names = {
        f"{stage}/{name}" for stage in ("train", "val", "test") for name in ("loss", "mean_iou", "dice", "accuracy")
    }
    names |= {f"test/class_{kind}/{name}" for kind in ("iou", "dice") for name in drawn_shapes.CLASSES}
    names |= {"test/samples", "epochs", "cost/parameters", "cost/multiply_adds", "cost/peak_memory_bytes"}
    names |= {"cost/pooling_saved_bytes", "speed/train_images_per_s", "speed/infer_images_per_s"}
    assert names <= metrics.keys()
    assert all(metrics[name] >= 0 for name in names if metrics[name] is not None)
    assert metrics["test/samples"] == 21
    assert not [name for name in metrics if name.startswith("test/class_accuracy")]
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [metrics[f"val/{name}"] for name in ("loss", "mean_iou")] == [
        rows[-1][f"val/{name}"] for name in ("loss", "mean_iou")
    ]


def test_the_examples_agree_with_the_metrics(segmented):
    record, folder = segmented
    metrics = record.metrics
    with np.load(folder / "test_examples.npz") as file:
        columns = dict(file)
    assert sorted(columns) == ["accuracy", "confusion", "index", "iou"]
    assert columns["index"].tolist() == list(range(21))
    confusion = columns["confusion"]
    assert confusion.sum() == 21 * 16 * 16
    right = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - right
    for place, name in enumerate(drawn_shapes.CLASSES):
        if union[place]:
            assert metrics[f"test/class_iou/{name}"] == pytest.approx(right[place] / union[place], rel=1e-5)
        else:
            assert metrics[f"test/class_iou/{name}"] is None
    assert metrics["test/mean_iou"] == pytest.approx(np.mean(right[union > 0] / union[union > 0]), rel=1e-5)
    assert metrics["test/accuracy"] == pytest.approx(columns["accuracy"].mean(), rel=1e-5)  # all images have one size
    assert ((columns["iou"] >= 0) & (columns["iou"] <= 1)).all()


@pytest.mark.parametrize("name", ["confusion.png", "curves.png", "samples.png"])
def test_the_pictures_show_something(segmented, name):
    with Image.open(segmented[1] / name) as picture:
        assert np.asarray(picture.convert("L")).std() > 10


@pytest.fixture(scope="module")
def run_small(launched, few_shapes):
    return lambda folder, *more: launched(folder, *SMALL, *more)


def test_the_terminal(run_small, capsys, tmp_path):
    from poolab.training.console import print_record

    record, folder, _ = run_small(tmp_path, "trainer.epochs=1")
    print_record(record, folder, True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "unet on shapes, seed 0, 1 epochs on 1 x cpu",
        "slots: pool1 max, pool2 max, pool3 max, pool4 max",
    ]
    assert lines[3].startswith("epoch   1/1  train loss ")
    assert " IoU " in lines[3]
    assert len(lines[3]) <= 80
    assert any(line.startswith("test/mean_iou") for line in lines)
    assert not [line for line in lines if "class_iou" in line]


@pytest.fixture
def stop_segmenter_after(monkeypatch):
    def arrange(steps):
        done, requests = [], []
        install, step = StopRequest.install, Segmenter.training_step

        def counted(module, batch, batch_idx):
            done.append(batch_idx)
            if len(done) == steps:
                requests[-1].reason = "SIGINT"
            return step(module, batch, batch_idx)

        monkeypatch.setattr(StopRequest, "install", lambda request: (requests.append(request), install(request)))
        monkeypatch.setattr(Segmenter, "training_step", counted)

    return arrange


def test_a_resumed_run_ends_as_an_uninterrupted_one(run_small, stop_segmenter_after, tmp_path, trace, same):
    settings = ["pooling=stochastic", "trainer.epochs=3"]  # four steps an epoch
    _, whole, _ = run_small(tmp_path / "whole", *settings)
    for steps in (3, 4):  # inside the first epoch, and inside the second
        stop_segmenter_after(steps)
        assert run_small(tmp_path / "parts", *settings)[0].status == "interrupted"
    stop_segmenter_after(10**9)
    record, folder, _ = run_small(tmp_path / "parts", *settings)
    assert record.status == "completed"
    same(trace(folder), trace(whole))


@pytest.mark.parametrize(
    ("way", "close"),
    [
        ("channels_last=true", 1e-3),
        ("precision=bf16-mixed", 0.1),
        pytest.param("compile=true", 1e-3, marks=pytest.mark.long),  # 30 s of compilation
    ],
)
def test_the_ways_to_compute(run_small, segmented, monkeypatch, tmp_path, way, close):
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module: original(module, backend="aot_eager"))
    if way.startswith("compile"):  # which would be done anew for each size of batch that is timed
        monkeypatch.setattr("poolab.training.evaluation.run_costs", lambda *_, **__: {})
    batches = [
        "data.limit_test=20",
        "data.eval_batch_size=4",
    ]  # all of one size: one graph
    record, folder, _ = run_small(tmp_path, f"trainer.{way}", *batches)
    torch.compiler.reset()
    assert record.status == "completed"
    assert record.metrics["train/loss"] == pytest.approx(segmented[0].metrics["train/loss"], rel=close)
    assert not [name for name in torch.load(folder / "last.ckpt", weights_only=True)["state_dict"] if "_orig" in name]


def test_the_full_measure_says_what_it_leaves_out(run_small, tmp_path):
    record, _, _ = run_small(tmp_path, "measure=full", "measure.gradient_support_images=2", "trainer.epochs=1")
    assert record.status == "completed"
    assert {f"gradient_support/pool{i}/input_coverage" for i in (1, 2, 3, 4)} <= record.metrics.keys()
    assert {"robust", "calibration"} <= record.notes.keys()


def test_a_finished_run_trains_on_with_another_pooling(run_small, segmented, tmp_path):
    record, _, _ = run_small(
        tmp_path, "recipe=finetune", f"recipe.checkpoint={segmented[1]}", "pooling=avg", "trainer.epochs=1"
    )
    assert record.status == "completed"
    assert record.metrics["before/test/mean_iou"] == segmented[0].metrics["test/mean_iou"]
    assert {"exchanged/val/mean_iou", "test/mean_iou"} <= record.metrics.keys()


@pytest.mark.long
def test_two_processes_give_what_one_gives(run_small, configured, tmp_path):
    """Through the worker's command: uneven shares of 21 test images, and masks that ignore what a crop brings in."""
    import os
    import subprocess
    import sys

    settings = [*SMALL, "trainer=ddp", "trainer.devices=2", f"runs_dir={tmp_path}"]
    code = (
        "from poolab.data import drawn_shapes; drawn_shapes.TRAIN = drawn_shapes.TEST = 100\n"
        "import sys; from poolab.training.worker import main; sys.exit(main())"
    )
    alone, folder, _ = run_small(tmp_path / "alone")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(configured(tmp_path, *settings)))
    script = tmp_path / "worker.py"
    script.write_text(code)
    command = [sys.executable, str(script), str(path), "two"]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    together = RunFolder(tmp_path, "two").result
    assert (together.status, together.environment["processes"]) == ("completed", 2)
    assert together.metrics["test/samples"] == 21
    # Batch normalisation sees half of a batch in each process: close, not equal.
    assert together.metrics["train/loss"] == pytest.approx(alone.metrics["train/loss"], rel=0.1)
    with np.load(tmp_path / "two" / "test_examples.npz") as both, np.load(folder / "test_examples.npz") as one:
        assert both["index"].tolist() == one["index"].tolist()
        assert both["confusion"].sum() == one["confusion"].sum()
        confusion = both["confusion"]
        iou = confusion.diagonal() / (confusion.sum(0) + confusion.sum(1) - confusion.diagonal()).clip(1)
        occurs = confusion.sum(0) + confusion.sum(1) > 0
    assert together.metrics["test/mean_iou"] == pytest.approx(iou[occurs].mean(), rel=1e-5)


def test_shapes_of_a_configured_network():
    from poolab.configuration import compose
    from poolab.errors import ConfigError

    rows = configured_shapes(compose(["backbone=unet", "task=segmentation", "pooling=avg"]))
    assert [(row.slot, row.output) for row in rows] == [
        ("pool1", (8, 32, 32)),
        ("pool2", (16, 16, 16)),
        ("pool3", (32, 8, 8)),
        ("pool4", (64, 4, 4)),
    ]
    with pytest.raises(ConfigError, match="write task=segmentation backbone=unet"):
        configured_shapes(compose(["backbone=unet"]))


@pytest.mark.parametrize(("channels", "count", "classes"), [(1, 1, 2), (3, 5, 30)])
def test_a_grid_of_masks(channels, count, classes, tmp_path):
    images = torch.randint(0, 256, (count, channels, 8, 8), dtype=torch.uint8)
    masks = torch.randint(0, classes, (count, 8, 8), dtype=torch.uint8)
    masks[:, 0] = IGNORED
    split = Split(images, masks)
    names = ("_a$b$", *(f"class {i}" for i in range(classes - 1)))
    data = ImageData("x", names, split, split, split, (0.5,) * channels, (0.2,) * channels, "x-1")
    network = torch.nn.Conv2d(channels, classes, 1).train()
    samples = chosen_samples(data, network, {"index": torch.arange(count), "iou": torch.rand(count)})
    mask_grid(samples, names, tmp_path / "samples.png")
    assert network.training
    with Image.open(tmp_path / "samples.png") as picture:
        shown = np.asarray(picture.convert("RGB"))
    assert shown[:150, :300].std() > 10


def test_curves_name_the_figure(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    labels = []
    draw = Figure.draw

    def noted(self, renderer):
        labels.extend(axes.get_ylabel() for axes in self.axes)
        draw(self, renderer)

    monkeypatch.setattr(Figure, "draw", noted)
    learning_curves([{"epoch": 1, "val/mean_iou": 0.5, "val/loss": 1.0}], tmp_path / "curves.png", "mean_iou")
    assert labels == ["cross entropy", "mean IoU"]
