"""Two processes through the real command line give what one process gives."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.run_config import TrainerConfig
from poolab.training.launcher import _wants_processes

DDP = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]


def train(folder, *overrides):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "poolab", "train", *overrides, f"runs_dir={folder}"]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=240)


@pytest.mark.processes
def test_a_sweep_of_two_processes_makes_one_record_for_each_arm(tmp_path, tiny, launched):
    # 101 test images and batches of 32: the processes' shares are uneven
    sizes = ["data.limit_test=101", "data.eval_batch_size=32"]
    done = train(tmp_path, "-m", *tiny, *sizes, *DDP, "pooling=max,avg")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    results = {result["config"]["pooling"]["name"]: result for result in map(json.loads, texts(tmp_path))}
    assert sorted(results) == ["avg", "max"]
    for name, result in results.items():
        alone, folder, _ = launched(tmp_path / "alone", *sizes, f"pooling={name}")
        assert (result["status"], result["environment"]["processes"]) == ("completed", 2)
        assert result["metrics"]["test/samples"] == alone.metrics["test/samples"] == 101
        for figure in ("test/accuracy", "val/accuracy", "train/accuracy"):
            assert result["metrics"][figure] == pytest.approx(alone.metrics[figure], abs=0.005), figure
        for figure in ("test/loss", "train/loss"):
            assert result["metrics"][figure] == pytest.approx(alone.metrics[figure], rel=1e-3), figure
        with np.load(tmp_path / result["signature"] / "test_examples.npz") as examples:
            assert examples["index"].tolist() == list(range(101))
            with np.load(folder / "test_examples.npz") as others:
                assert (examples["label"] == others["label"]).all()


@pytest.mark.processes
def test_ctrl_c_to_the_parent_alone_stops_both_processes_between_two_steps(tmp_path, tiny):
    """A terminal sends it to all three; a launcher or `kill` to the one that it knows."""
    command = [sys.executable, "-m", "poolab", "train", *tiny, *DDP, "trainer.epochs=10000", f"runs_dir={tmp_path}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=tmp_path, **pipes) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("epoch   2/"):
                process.send_signal(signal.SIGINT)
        code, output = process.wait(60), "".join(lines)
    assert code == 130, output
    assert "Traceback" not in output
    (text,) = texts(tmp_path)
    result = json.loads(text)
    assert (result["status"], result["environment"]["processes"]) == ("interrupted", 2)
    assert (tmp_path / result["signature"] / "last.ckpt").exists()
    assert 2 <= result["metrics"]["epochs"] < 10000


def texts(folder):
    return [path.read_text() for path in folder.glob("*/result.json")]


@pytest.mark.parametrize(
    ("batch", "devices", "message"),
    [(31, "2", "31 .*does not divide by 2 processes: choose 30 or 32"), (1, "[0,1,2]", "by 3 processes: choose 3$")],
)
def test_a_global_batch_that_does_not_divide_is_told_before_any_process_starts(
    launched, tmp_path, batch, devices, message
):
    with pytest.raises(ConfigError, match=message):
        launched(tmp_path, *DDP, f"data.batch_size={batch}", f"trainer.devices={devices}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, False),
        ({"strategy": "ddp"}, True),
        ({"devices": 2}, True),  # Lightning chooses ddp by itself, and would repeat a whole sweep
        ({"devices": "auto"}, True),
        ({"devices": -1}, True),
        ({"devices": [1]}, False),
        ({"devices": [0, 1]}, True),
        ({"num_nodes": 2}, True),
    ],
)
def test_when_a_run_gets_processes_of_its_own(change, wanted):
    assert _wants_processes(TrainerConfig.from_tree({**compose([])["trainer"], **change})) is wanted
