import argparse
import json

import pytest
import torch

from poolab.bench import backends, choices, ops
from poolab.bench.choices import Kernel
from poolab.bench.interleaved import Plan
from poolab.bench.ops_group import Layer, Place, measure_group
from poolab.bench.ops_table import group_table
from poolab.pooling import create_pool, list_pools

QUICK = Plan(rounds=5, extra_rounds=0, seconds=0.05)
PLACE = Place((2, 4, 8, 8), Kernel(2, 2), "channels_last", "float32", "cpu")
TINY = ["--shapes", "2x4x8x8", "--kernels", "2/2", "--layouts", "contiguous", "--rounds", "5", "--seconds", "0.05"]
TINY += ["--backends", "plain"]


@pytest.fixture
def quick_bandwidth(monkeypatch):
    from poolab.bench import bandwidth

    small = bandwidth.copy_bandwidth
    monkeypatch.setattr(bandwidth, "copy_bandwidth", lambda device: small(device, size=2**16))


def arguments(*words):
    parser = argparse.ArgumentParser(prog="ops")
    ops.add_arguments(parser)
    return parser.parse_args(words)


def cell(group, backend, direction="both"):
    return next(each for each in group["cells"] if (each["backend"], each.get("direction")) == (backend, direction))


def test_the_seventeen_methods_are_there():
    assert len(choices.TARGET) == len(set(choices.TARGET)) == 17
    assert set(choices.TARGET) < set(list_pools("window"))
    assert choices.methods(["target"]) == list(choices.TARGET)
    assert choices.methods(["all"]) == list_pools("window")


def test_the_targets_are_those_that_were_set():
    def goals(method, backend="fused", device="cpu"):
        return [
            choices.target(method, backend=backend, kernel=kernel, layout=layout, device=device)
            for layout in ("channels_last", "contiguous")
            for kernel in ("2/2", "3/2p1")
        ]

    assert goals("avg_topk") == goals("adapool") == [1.0, 1.5, 1.0, 1.0]
    assert goals("stochastic") == [1.5, 2.0, 1.5, 1.5]
    assert goals("avg_topk", "plain") == [4.0] * 4
    assert goals("stochastic", "plain") == [5.0] * 4
    assert goals("stochastic", device="cuda") == [1.1] * 4
    assert goals("blur") == [None] * 4


@pytest.mark.parametrize("layout", choices.LAYOUTS)
@pytest.mark.parametrize("method", choices.TARGET)
def test_every_method_of_the_target_is_measured(method, layout):
    place = Place((2, 4, 8, 8), Kernel(3, 2, 1), layout, "bfloat16", "cpu")
    group = measure_group(place, [method], directions=["both"], plan=QUICK, bandwidth=1e9)
    mine = cell(group, "plain")
    assert "fault" not in mine
    assert mine["ratio"]["median"] > 0
    assert mine["outputs"] == 2 * 4 * 4 * 4
    assert mine["peak_bytes"] >= 2 * (2 * 4 * 8 * 8)


def test_a_group_tells_all_of_each_cell():
    group = measure_group(PLACE, ["avg_topk"], packages=["torch"], plan=QUICK, bandwidth=1e9)
    assert {key: group[key] for key in group if key != "cells"} == PLACE.described()
    assert [(each["backend"], each["direction"]) for each in group["cells"]] == [
        (backend, direction)
        for backend in ("nn.MaxPool2d", "plain", "unfold+topk")
        for direction in ("both", "forward", "backward")
    ]
    baseline, mine, peer = (cell(group, name) for name in ("nn.MaxPool2d", "plain", "unfold+topk"))
    assert baseline["ratio"] is None
    assert baseline["saved_bytes"] == 8 * baseline["outputs"]
    assert mine["target"] == 4.0
    assert peer["target"] is None
    assert set(mine["times_faster_than"]) == {"unfold+topk"}
    assert "times_faster_than" not in peer
    assert mine["bandwidth_share"] == pytest.approx(mine["least_bytes"] / mine["seconds"]["median"] / 1e9)
    assert [cell(group, "plain", name)["target"] for name in ("forward", "backward")] == [None, None]


def test_the_backward_alone_has_its_forward_outside_of_the_time():
    layer = Layer("avg_topk", "plain", create_pool("avg_topk", kernel_size=2), PLACE.map())
    calls = []
    layer.module.register_forward_hook(lambda *_: calls.append(1))
    step = layer.prepare("backward")
    assert len(calls) == 1
    first, second = step(), step()
    assert len(calls) == 1
    assert torch.equal(first[0], second[0])
    assert layer.input.grad is None


def test_learned_parameters_get_their_gradient():
    layer = Layer("ordinal", "plain", create_pool("ordinal", channels=4, kernel_size=2), PLACE.map())
    gradients = layer.prepare("both")()
    assert [tuple(each.shape) for each in gradients] == [(2, 4, 8, 8), (4, 4)]


def test_draws_are_measured_in_training():
    pool = create_pool("stochastic", kernel_size=2).eval()
    assert Layer("stochastic", "plain", pool, PLACE.map()).module.training


def test_the_map_has_its_layout():
    assert PLACE.map().is_contiguous(memory_format=torch.channels_last)
    layer = Layer("min", "plain", create_pool("min", kernel_size=2), PLACE.map())
    assert layer.output_gradient.is_contiguous(memory_format=torch.channels_last)


def test_a_layer_that_cannot_run_is_told_and_the_others_go_on():
    place = Place((2, 3, 8, 8), Kernel(2, 2), "contiguous", "float32", "cpu")
    group = measure_group(place, ["tree", "space_to_depth", "universal", "min"], directions=["forward"], plan=QUICK)
    assert cell(group, "plain", "forward")
    broken = Place((2, 3, 8, 8), Kernel(9, 2), "contiguous", "float32", "cpu")
    with pytest.raises(RuntimeError, match="too small"):  # nn.MaxPool2d itself does not run
        measure_group(broken, ["min"], plan=QUICK)


def test_a_peer_of_another_size_is_refused():
    pytest.importorskip("timm")
    group = measure_group(PLACE, ["blur"], packages=["timm"], directions=["forward"], plan=QUICK)
    (timm,) = [each for each in group["cells"] if each["backend"] == "timm BlurPool2d"]
    assert timm["fault"] == "ValueError: its output is (2, 4, 5, 5), not (2, 4, 4, 4)"
    assert any(timm["fault"] in note for note in group_table(group, full=False).notes)


@pytest.mark.parametrize("full", [False, True])
def test_the_table_fits_the_terminal(full, capsys):
    group = measure_group(PLACE, ["rank_stochastic", "avg_topk"], packages=["torch"], plan=QUICK, bandwidth=1e9)
    for each in group["cells"]:  # the widest that may come
        for name in ("seconds", "ratio"):
            each[name] = each[name] and {**each[name], "median": 14.512, "low": 14.123, "high": 15.211, "iqr": 0.1}
            each[name] = each[name] and {**each[name], "refused": False}
    sheet = group_table(group, full)
    if full:
        assert "14.5 14.1-15.2" in sheet.markdown()
        assert "| avg_topk by unfold+topk |" in sheet.markdown()
    else:
        sheet.show()
        shown = capsys.readouterr().out
        assert "…" not in shown
        for text in (shown, sheet.text()):
            assert max(map(len, text.splitlines())) <= 80
        assert "unfold+topk" in sheet.text()


def test_refused_figures_are_shown_as_such_and_kept():
    group = measure_group(PLACE, ["min"], directions=["both"], plan=QUICK)
    mine = cell(group, "plain")
    mine["ratio"] |= {"median": 2.0, "iqr": 0.5, "refused": True}
    text = group_table(group, full=False).text()
    assert "refused 25%" in text
    assert "over 10 %" in text
    assert mine["ratio"]["median"] == 2.0


def test_a_run_writes_everything(tmp_path, capsys, quick_bandwidth):
    pytest.importorskip("matplotlib")
    paths = {name: tmp_path / f"result.{name}" for name in ("json", "markdown", "png")}
    words = [*TINY, "--methods", "min", "draws", "--directions", "both", "--json", str(paths["json"])]
    words += ["--markdown", str(paths["markdown"]), "--picture", str(paths["png"]), "--threads", "1"]
    assert ops.run(arguments(*words)) == 0
    result = json.loads(paths["json"].read_text())
    assert result["complete"]
    made = result["made_with"]
    assert made["threads"] == 1
    assert made["packages"]["torch"] == torch.__version__
    assert {"command", "commit", "dirty", "date", "python", "processor", "devices"} <= set(made)
    assert result["bandwidth"]["cpu"]["median"] > 0
    assert len(result["groups"][0]["cells"]) == 6
    assert "| nn.MaxPool2d |" in paths["markdown"].read_text()
    assert paths["png"].read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "2x4x8x8 float32 contiguous, window 2/2, cpu" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(("ending", "code"), [(KeyboardInterrupt, 130), (RuntimeError, None)])
def test_what_was_measured_is_kept(tmp_path, monkeypatch, capsys, quick_bandwidth, ending, code):
    from poolab.bench import ops_group

    def measure(place, *words, **more):
        if place.layout == "contiguous":
            raise ending
        return whole(place, *words, **more)

    whole = ops_group.measure_group
    monkeypatch.setattr(ops_group, "measure_group", measure)
    path, table = tmp_path / "result.json", tmp_path / "result.md"
    words = [*TINY, "--layouts", "channels_last", "contiguous", "--methods", "min", "--json", str(path)]
    asked = arguments(*words, "--markdown", str(table))
    if code:
        assert ops.run(asked) == code
        assert "1 of 2 groups are kept" in capsys.readouterr().err
    else:
        with pytest.raises(ending):
            ops.run(asked)
    result = json.loads(path.read_text())
    assert [group["layout"] for group in result["groups"]] == ["channels_last"]
    assert not result["complete"]
    assert "Stopped before the end" in table.read_text()


@pytest.mark.parametrize(("words", "message"), [
    (["--methods", "avgtopk"], "avgtopk is neither a window method nor a group: did you mean avg_topk"),
    (["--methods", "draw"], "did you mean draws"),
    (["--devices", "tpu"], "--devices tpu is not a device of this benchmark: cpu, cuda"),
    (["--json", "nowhere/result.json"], "the folder nowhere does not exist; create it first"),
    (["--json", "."], "--json . is a folder"),
    (["--picture", "ratios.xyz"], "its ending is '.xyz'; allowed are .png, .svg, .pdf"),
])  # fmt: skip
def test_a_wrong_choice_is_named_before_anything_is_measured(words, message, capsys):
    assert ops.run(arguments(*words)) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("words", "message"), [
    (["--shapes", "64x32x32"], "shape '64x32x32' is not NxCxHxW"),
    (["--kernels", "3"], "kernel '3' is not SIZE/STRIDE"),
    (["--kernels", "3/2p2"], "the padding at most half of the size (1)"),
    (["--rounds", "0"], "'0' is not a whole number of at least 1"),
    (["--seconds", "nan"], "'nan' is not a number of seconds above 0"),
])  # fmt: skip
def test_a_wrong_word_is_told_with_what_is_right(words, message, capsys):
    with pytest.raises(SystemExit):
        arguments(*words)
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_cuda_device_is_told(capsys):
    assert ops.run(arguments("--devices", "cuda")) == 2
    assert "finds no CUDA device here; use cpu" in capsys.readouterr().err


def test_each_layer_runs_in_its_own_path(monkeypatch):
    from contextlib import contextmanager

    @contextmanager
    def use_backend(name):
        now.append(name)
        yield
        now.pop()

    now, seen = [], set()
    monkeypatch.setattr(backends, "use_backend", use_backend)
    monkeypatch.setattr(torch.nn.Module, "__call__", watched(torch.nn.Module.__call__, now, seen))
    measure_group(PLACE, ["avg_topk"], paths=["plain", "fused"], packages=["torch"], plan=QUICK)
    assert seen == {("AvgTopKPool2d", "plain"), ("AvgTopKPool2d", "fused"), ("MaxPool2d", None), ("Idiom", None)}


def watched(call, now, seen):
    def noting(self, *words, **more):
        seen.add((type(self).__name__, now[-1] if now else None))
        return call(self, *words, **more)

    return noting
