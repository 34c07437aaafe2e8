"""The GPU benchmark, tried on the CPU: every part gives figures, and what is not reached is named."""

import argparse
import json

import pytest

from poolab.bench import gpu


def run(tmp_path, *words):
    parser = argparse.ArgumentParser()
    gpu.add_arguments(parser)
    path = tmp_path / "gpu.json"
    status = gpu.main(parser.parse_args(["--device", "cpu", "--small", "--json", str(path), *words]))
    return status, json.loads(path.read_text()) if path.exists() else None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")  # Lightning's, of torch's names
def test_every_part_gives_figures(tmp_path, monkeypatch):
    monkeypatch.setenv("POOLAB_CFLAGS", "-O0")
    status, result = run(tmp_path)
    assert status == 0
    assert not result["left_out"]
    parts = {name: part for name, part in result.items() if name not in ("benchmark", "made_with", "left_out")}
    assert not [(name, part["fault"]) for name, part in parts.items() if "fault" in part]
    assert len(parts) == 1 + 1 + 4 + 1 + 1
    assert all(
        one["agrees"] and one["has_kernel"] for name, one in parts["conformance float32"].items() if name != "max"
    )
    for name, part in parts.items():
        for cell in part.get("cells", ()):
            assert cell["seconds"], (name, cell)
    assert len(parts["lightning"]["ratios"]) == 5


def test_what_is_not_reached_is_named(tmp_path, monkeypatch):
    """The part that runs when the time is over is stopped, those behind it do not begin."""
    monkeypatch.setattr(gpu, "_parts", lambda *_: [("long", lambda: __import__("time").sleep(20)), ("next", dict)])
    status, result = run(tmp_path, "--minutes", "0.002")
    assert status == 0
    assert result["left_out"] == ["long", "next"]


def test_a_device_that_is_not_there_is_told(tmp_path, capsys):
    assert run(tmp_path, "--device", "cuda:99")[0] == 2
    assert "bench.py gpu: --devices cuda:99" in capsys.readouterr().err
