"""The ways to compute: compiled, mixed precision, clipped, another memory format."""

import json
import math

import pytest
import torch

from poolab.training.module import Classifier


def figures(launched, folder, *overrides):
    record, path, _ = launched(folder, *overrides)
    assert record.status == "completed"
    assert all(value is not None and math.isfinite(value) for value in record.metrics.values())
    assert json.loads((path / "result.json").read_text()) == record.to_json()
    return record.metrics, path


@pytest.fixture(scope="module")
def plainly(launched, tmp_path_factory):
    return figures(launched, tmp_path_factory.mktemp("plain"))[0]


@pytest.fixture
def without_compiler(monkeypatch):
    """torch.compile as far as AOTAutograd, which needs no C++ compiler; the modules that were compiled."""
    compiled, original = [], torch.compile

    def compile(module):
        compiled.append(module)
        return original(module, backend="aot_eager")

    monkeypatch.setattr(torch, "compile", compile)
    yield compiled
    torch.compiler.reset()


def test_a_compiled_network_learns_the_same(launched, tmp_path, without_compiler, plainly):
    metrics, folder = figures(launched, tmp_path, "trainer.compile=true")
    assert len(without_compiler) == 1
    for name in ("train/loss", "val/loss", "test/loss"):
        assert metrics[name] == pytest.approx(plainly[name], rel=1e-4)
    for name in ("cost/parameters", "cost/multiply_adds", "cost/pooling_saved_bytes"):
        assert metrics[name] == plainly[name]
    names = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    assert "network.conv1.weight" in names
    assert not [name for name in names if "_orig_mod" in name]


def test_a_compiled_random_pooling_is_the_same_again(launched, monkeypatch, tmp_path, without_compiler):
    monkeypatch.setattr("poolab.training.evaluation.run_costs", lambda *_, **__: {})  # would compile anew
    settings = ["trainer.compile=true", "pooling=stochastic", "trainer.epochs=1"]
    first, _ = figures(launched, tmp_path, *settings)
    again, _ = figures(launched, tmp_path, *settings, "force=true")
    assert again["train/loss"] == first["train/loss"]
    assert again["test/loss"] == first["test/loss"]


def test_bfloat16(launched, tmp_path, plainly):
    metrics, _ = figures(launched, tmp_path, "trainer.precision=bf16-mixed")
    assert metrics["train/loss"] != plainly["train/loss"]
    assert metrics["train/loss"] == pytest.approx(plainly["train/loss"], abs=0.05)


def test_channels_last(launched, monkeypatch, tmp_path, plainly):
    formats, step = [], Classifier.training_step

    def watched(module, batch, batch_idx):
        tensors = (batch["image"], module.network.conv2.weight)
        formats.append([tensor.is_contiguous(memory_format=torch.channels_last) for tensor in tensors])
        return step(module, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", watched)
    metrics, _ = figures(launched, tmp_path, "trainer.channels_last=true")
    assert formats == [[True, True]] * 10
    assert metrics["train/loss"] == pytest.approx(plainly["train/loss"], rel=1e-3)


def test_gradient_clipping(launched, monkeypatch, tmp_path, plainly):
    norms = []

    def norm_of_gradient(module, optimizer):
        gradients = [p.grad.norm() for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms.append(sum(norm.item() ** 2 for norm in gradients) ** 0.5)

    monkeypatch.setattr(Classifier, "on_before_zero_grad", norm_of_gradient)
    metrics, _ = figures(launched, tmp_path, "trainer.gradient_clip=0.01", "optim=sgd")
    clipped = [norm for norm in norms if norm > 0]
    assert len(clipped) >= 8  # an epoch's first step has none left over
    assert max(clipped) == pytest.approx(0.01, rel=1e-3)
    assert metrics["train/loss"] != plainly["train/loss"]


def test_label_smoothing_is_for_training_alone(launched, tmp_path, plainly):
    metrics, _ = figures(launched, tmp_path, "optim.label_smoothing=0.9", "optim.lr=1e-12")
    # At hardly any learning rate the network stays as it is: only the training loss may differ from the plain one.
    plain, _ = figures(launched, tmp_path, "optim.lr=1e-12")
    assert metrics["val/loss"] == pytest.approx(plain["val/loss"], rel=1e-6)
    assert abs(metrics["train/loss"] - plain["train/loss"]) > 1e-3
