"""No picture costs a run, and no environment of matplotlib costs a picture."""

import os
import subprocess
import sys

import pytest
import torch

from poolab.data import ImageData, Split
from poolab.measure.style import default_style
from poolab.text import printable
from poolab.training.pictures import sample_grid

NAMES = [
    "caf\udce9",
    "\ud800",
    "\x1b[31mred",
    "a$b$c",
    "\x00",
    "\\frac{",
    "_x",
    "",
    "日本語",
    "a\nb",
    "\u202egnp",
    "😀" * 9,
]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_class_name_can_be_drawn(name, tmp_path):
    split = Split(torch.full((1, 1, 8, 8), 128, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    data = ImageData("x", (name, "dog"), split, split, split, (0.5,), (0.2,), "x-1")
    one = torch.zeros(1, dtype=torch.int64)
    sample_grid(data, {"index": one, "label": one, "predicted": one + 1}, tmp_path / "samples.png", rows=1, columns=1)
    assert (tmp_path / "samples.png").stat().st_size > 100


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_can_be_printed_and_says_nothing_to_the_terminal(name):
    text = printable(name)
    text.encode("utf-8")
    assert "\x1b" not in text
    assert "\x00" not in text


CURVES = """
import sys
from pathlib import Path
from poolab.measure.style import default_style
from poolab.training.pictures import learning_curves
with default_style():
    learning_curves([{"epoch": 1, "train/loss": 1.0, "val/loss": 2.0}], Path(sys.argv[1]))
"""
ENVIRONMENTS = {
    "a notebook's backend": {"MPLBACKEND": "module://nowhere.inline"},
    "no backend": {"MPLBACKEND": "nonsense"},
    "a window's backend": {"MPLBACKEND": "QtAgg"},
    "an empty backend": {"MPLBACKEND": ""},
    "no home": {"HOME": "/nonexistent"},
    "no place for the cache": {"MPLCONFIGDIR": "/proc/nowhere"},
    "no place for temporary files": {"TMPDIR": "/nonexistent"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0"},
}


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_the_environment_costs_no_picture(environment, tmp_path):
    path = tmp_path / "curves.png"
    command = [sys.executable, "-c", CURVES, str(path)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    "line", ["text.usetex: true", "font.family: nowhere", "savefig.format: pdf", "figure.dpi: 5000"]
)
def test_a_users_style_costs_no_picture(line, tmp_path):
    (tmp_path / "matplotlibrc").write_text(line + "\n")
    path = tmp_path / "curves.png"
    environment = {**os.environ, "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    done = subprocess.run([sys.executable, "-c", CURVES, str(path)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://nowhere")
    with default_style():
        pass
    assert os.environ["MPLBACKEND"] == "module://nowhere"
