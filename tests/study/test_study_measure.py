"""`poolab study measure` on a study of four trained runs, killed in the middle: nothing is trained, nothing twice."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from poolab.training.measures import MEASURES

WORDS = ("measure=full", "measure.images=20", "measure.severities=[1]", "measure.scales=[1.0]", "measure.max_shift=1")
# The runner kills its whole process group when it has seen two records that were measured.
KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
def watch():
    while sum('"measured"' in path.read_text() for path in Path("runs").glob("*/result.json")) < 2:
        time.sleep(0.02)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
from poolab.cli import main
main(sys.argv[1:])
"""


def sums(*names):
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in names
        for path in sorted(Path("runs").glob(f"*/{name}"))
    }


def measured():
    return {
        path.parent.name: json.loads(path.read_text()).get("measured", {})
        for path in Path("runs").glob("*/result.json")
    }


@pytest.mark.processes
def test_kill_9_in_the_middle_of_four(launched, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for pooling in ("max", "avg"):
        for seed in (0, 1):
            launched("runs", f"pooling={pooling}", f"seed={seed}", "trainer.epochs=1")
    fixed = {key: {"value": yaml.safe_load(value)} for key, _, value in (word.partition("=") for word in tiny)}
    swept = {"pooling": {"values": ["max", "avg"]}, "seed": {"values": [0, 1]}, "trainer.epochs": {"value": 1}}
    Path("s.yaml").write_text(
        yaml.safe_dump({"program": "train.py", "method": "grid", "parameters": {**fixed, **swept}})
    )
    trained = sums("last.ckpt", "history.jsonl", "model.json")
    assert len(trained) == 12
    assert not any(measured().values())

    command = ["study", "measure", "s.yaml", *WORDS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([sys.executable, "-c", KILLED, *command], env=environment, process_group=0)
    assert killed.wait(timeout=200) == -signal.SIGKILL
    half = measured()
    assert 2 <= sum(map(bool, half.values())) < 4
    time.sleep(0.5)  # what outlived its runner ends by itself

    again = subprocess.run(
        [sys.executable, "-m", "poolab", *command], env=environment, capture_output=True, text=True, timeout=200
    )
    assert again.returncode == 0, again.stderr
    assert "4 of 4 cells completed" in again.stdout
    whole = measured()
    assert len(whole) == 4
    assert all(set(MEASURES) - {"costs"} <= found.keys() for found in whole.values())
    assert all(whole[name][measure] == fact for name, found in half.items() for measure, fact in found.items())
    assert sums("last.ckpt", "history.jsonl", "model.json") == trained
