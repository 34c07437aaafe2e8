import argparse
import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from poolab.backbones import create_backbone
from poolab.bench import net
from poolab.bench.interleaved import Plan
from poolab.bench.net_group import Place, TrainingStep, measure_group
from poolab.bench.net_table import group_table
from poolab.pooling import AvgTopKPool2d

EAGER = Place(2, 16, "channels_last", "float32", "cpu", "eager")


SLOTS = ("stage2", "stage3", "stage4")


@pytest.mark.parametrize("width", [4, 50, 64])
def test_the_network_is_the_backbone_as_wide_as_asked(width):
    model = TrainingStep(replace(EAGER, width=width), "avg_topk", "plain").model
    whole = create_backbone("resnet18_cifar", in_channels=3, num_classes=10, image_size=32, width_mult=width / 64)
    assert [value.shape for value in model.parameters()] == [value.shape for value in whole.parameters()]
    assert model.conv1.out_channels == width
    assert [type(model.slot_module(slot)) for slot in SLOTS] == [AvgTopKPool2d] * 3


def test_the_baseline_has_torchs_own_layer_and_the_same_weights():
    ours, baseline = TrainingStep(EAGER, "max", "plain"), TrainingStep(EAGER, "max", "nn.MaxPool2d")
    assert [type(baseline.model.slot_module(slot)) for slot in SLOTS] == [nn.MaxPool2d] * 3
    for step in (ours, baseline):
        step()
    mine, theirs = ours.model.state_dict(), baseline.model.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_a_step_learns():
    step = TrainingStep(EAGER, "avg_topk", "plain")
    before = {name: value.clone() for name, value in step.model.named_parameters()}
    step()
    assert all(not torch.equal(value, before[name]) for name, value in step.model.named_parameters())


def test_a_group_has_the_ratio_of_each_network():
    group = measure_group(EAGER, ["avg_topk", "ordinal"], ["plain"], Plan(rounds=5, extra_rounds=0, seconds=1.0))
    baseline, mine, other = group["cells"]
    assert baseline["ratio"] is None
    assert (mine["target"], other["target"]) == (1.05, None)
    assert mine["ratio"]["rounds"] == 5
    table = group_table(group, full=False)
    assert max(map(len, table.text().splitlines())) <= 80
    assert "avg_topk plain" in table.text()


def test_a_method_that_fits_no_slot_is_told():
    group = measure_group(EAGER, ["global_avg", "min"], ["plain"], Plan(rounds=5, extra_rounds=0, seconds=0.1))
    faults = {cell["method"]: cell.get("fault") for cell in group["cells"]}
    assert faults.pop("global_avg").startswith("ConfigError: pooling.name=global_avg")
    assert set(faults.values()) == {None}
    assert any("not measured: global_avg plain" in note for note in group_table(group, full=False).notes)


def test_autocast_runs():
    place = Place(2, 4, "contiguous", "bfloat16", "cpu", "eager")
    group = measure_group(place, ["avg_topk"], ["plain"], Plan(rounds=5, extra_rounds=0, seconds=1.0))
    assert not [cell for cell in group["cells"] if "fault" in cell]


def test_under_compile_it_is_one_graph(tmp_path, monkeypatch):
    """Traced by dynamo as it will be, and then run as it is: compiling two networks takes minutes."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    parser = argparse.ArgumentParser()
    net.add_arguments(parser)
    path = tmp_path / "net.json"
    words = ["--methods", "avg_topk", "--modes", "compile", "--backends", "plain", "--batch-size", "2", "--width", "16"]
    arguments = parser.parse_args([*words, "--rounds", "5", "--seconds", "1", "--json", str(path)])
    assert arguments.run(arguments) == 0
    (group,) = json.loads(path.read_text())["groups"]
    assert group["mode"] == "compile"
    assert not [cell for cell in group["cells"] if "fault" in cell]


def test_a_method_that_breaks_the_graph_is_told(monkeypatch):
    def formula(windows, k=2):
        torch._dynamo.graph_break()
        return windows.maximum()

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    monkeypatch.setattr(AvgTopKPool2d, "formula", staticmethod(formula))
    place = Place(2, 2, "contiguous", "float32", "cpu", "compile")
    baseline, mine = measure_group(place, ["avg_topk"], ["plain"], Plan(rounds=5, extra_rounds=0))["cells"]
    assert "fault" not in baseline
    assert "graph_break" in mine["fault"] or "Unsupported" in mine["fault"]
