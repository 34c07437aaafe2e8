"""`train.py`: what it prints and records, and its exit codes."""

import json
import os
import subprocess
import sys

import pytest

from poolab import cli
from tests.cli.made import results


def test_a_run_shows_its_progress_its_figures_and_its_record(train, tmp_path):
    code, out, err = train("trainer.epochs=1")
    assert code == 0
    (result,) = results(tmp_path)
    lines = out.splitlines()
    assert lines[0].startswith("keras_cnn on digits, seed 0, 1 epochs")
    assert any(line.split()[0] == "test/accuracy" for line in lines[4:])
    assert lines[-1] == f"record: {tmp_path}/runs/{result['signature']}"
    assert err == ""


def test_the_same_command_again_shows_the_record(train, tmp_path):
    train("trainer.epochs=1")
    before = os.environ.copy(), list(sys.argv)
    code, out, _ = train("trainer.epochs=1")
    assert code == 0
    assert "completed earlier, not run again (force=true does)" in out
    assert "epoch " not in out
    assert (os.environ.copy(), list(sys.argv)) == before


def test_a_diverged_run_is_a_result_and_no_traceback(train, tmp_path):
    code, out, err = train("optim.lr=1e30")
    assert (code, results(tmp_path)[0]["status"]) == (0, "diverged")
    assert "diverged: the training loss became" in out
    assert "Traceback" not in out + err


def test_seed_0_is_a_seed(train, tmp_path):
    for seed in (0, 1):
        assert train(f"seed={seed}", "trainer.epochs=1")[0] == 0
    first, second = sorted(results(tmp_path), key=lambda result: result["seed"])
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["signature"] != second["signature"]
    assert first["metrics"]["train/loss"] != second["metrics"]["train/loss"]
    assert train("seed=0", "trainer.epochs=1", "force=true")[0] == 0
    again = next(result for result in results(tmp_path) if result["seed"] == 0)
    assert again["metrics"]["test/loss"] == first["metrics"]["test/loss"]


def test_poolab_train_is_train_py(tiny, tmp_path, capsys):
    assert cli.main(["train", *tiny, f"runs_dir={tmp_path}/runs", "seed=-1"]) == 2
    assert "seed must be" in capsys.readouterr().err


@pytest.mark.processes
def test_a_reader_that_goes_away_loses_nothing(pytestconfig, tmp_path):
    """`train.py ... | head -1`: the run is completed and recorded; `--help | head -1` ends without a traceback."""
    root = pytestconfig.rootpath
    tiny = "data.limit_train=200 data.limit_test=100 trainer.epochs=1 trainer.backend=plain"
    tiny += " measure.seconds=0.02 tracker=none"
    commands = (f"train.py {tiny} runs_dir={tmp_path}", "train.py --help", "-m poolab table --runs " + str(tmp_path))
    for command in commands:
        pipe = f"{sys.executable} {command} | head -1"
        done = subprocess.run(["bash", "-c", pipe], cwd=root, capture_output=True, text=True, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        assert len(done.stdout.splitlines()) == 1
    (result,) = tmp_path.glob("*/result.json")
    assert json.loads(result.read_text())["status"] == "completed"
