import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench.py"
TINY = [
    "--methods",
    "min",
    "--shapes",
    "1x2x8x8",
    "--kernels",
    "2/2",
    "--layouts",
    "contiguous",
    "--directions",
    "both",
]
TINY += ["--rounds", "5", "--seconds", "0.05", "--threads", "1", "--backends", "plain"]

# What a machine with torch alone does not have: each import of it fails, and it is not to be found.
TORCH_ALONE = """
import runpy, sys
absent = {"rich", "matplotlib", "hydra", "omegaconf", "pytorch_lightning", "lightning", "torchvision", "wandb"}
absent |= {"sklearn", "torchmetrics", "numpy", "PIL", "timm", "kornia", "antialiased_cnns", "scipy", "pytest"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is blocked in this test", name=name)

import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.partition(".")[0] in absent else found(name, package)
sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def bench(*words, prefix=()):
    command = [sys.executable, *prefix, str(SCRIPT), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("words", [[], ["ops"], ["net"], ["compare"]], ids=str)
def test_help_answers_without_torch(words):
    done = bench(*words, "--help", prefix=("-X", "importtime"))
    assert done.returncode == 0, done.stderr
    assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)
    assert ("compare" if not words else "--json") in done.stdout


def test_a_whole_run(tmp_path):
    path = tmp_path / "result.json"
    done = bench("ops", *TINY, "--json", str(path))
    assert done.returncode == 0, done.stderr
    assert "[1/1] 1x2x8x8 2/2 contiguous float32 cpu" in done.stderr
    assert "min plain" in done.stdout
    assert json.loads(path.read_text())["made_with"]["command"].startswith("bench.py ops --methods min")
    compared = bench("compare", str(path), str(path))
    assert compared.returncode == 0, compared.stderr
    assert "1 ratio: 0 clearly faster, 0 clearly slower" in compared.stdout


def test_ops_needs_torch_alone(tmp_path):
    path = tmp_path / "ratios.png"
    done = bench("ops", *TINY, "--picture", str(path), "--peers", prefix=["-c", TORCH_ALONE])
    assert done.returncode == 0, done.stderr
    assert "min plain" in done.stdout
    assert "-max_pool2d(-x)" in done.stdout  # the peers in plain torch are there
    assert "No picture: matplotlib is not installed" in done.stderr
    assert not path.exists()


def test_a_fault_ends_with_a_sentence_and_no_traceback():
    done = bench("ops", "--methods", "maxx")
    assert done.returncode == 2
    assert done.stderr.startswith("bench.py ops: --methods maxx is neither")
