"""No picture costs a run, and no environment of matplotlib costs a picture."""

import json
import os
import subprocess
import sys

import pytest
import torch

from poolab.data import ImageData, Split
from poolab.measure.style import default_style
from poolab.text import printable
from poolab.training.pictures import sample_grid
from poolab.training.samples import classified

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
    samples = classified(data, {"index": one, "label": one, "predicted": one + 1})
    sample_grid(samples, data.classes, tmp_path / "samples.png", rows=1, columns=1)
    assert (tmp_path / "samples.png").stat().st_size > 100


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_can_be_printed_and_says_nothing_to_the_terminal(name):
    text = printable(name)
    text.encode("utf-8")
    assert "\x1b" not in text
    assert "\x00" not in text


# Imports torch once, then draws in a process of its own for each environment, which imports matplotlib there: that is
# where it reads the environment. Prints the exit codes.
CURVES = """
import json, os, sys, traceback
from pathlib import Path
import torch
from poolab.measure import style
assert "matplotlib" not in sys.modules

def draw(environment, path):
    os.environ.update(environment)
    from poolab.training.pictures import learning_curves
    with style.default_style():
        learning_curves([{"epoch": 1, "train/loss": 1.0, "val/loss": 2.0}], path)

codes = {}
for name, environment in json.loads(sys.argv[1]).items():
    child = os.fork()
    if not child:
        try:
            draw(environment, Path(sys.argv[2], name + ".png"))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    codes[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(codes))
"""
ENVIRONMENTS = {
    "a notebook's backend": {"MPLBACKEND": "module://nowhere.inline"},
    "no backend": {"MPLBACKEND": "nonsense"},
    "a window's backend": {"MPLBACKEND": "QtAgg"},
    "an empty backend": {"MPLBACKEND": ""},
    "no home": {"HOME": "/nonexistent"},
    "no place for the cache": {"MPLCONFIGDIR": "/proc/nowhere"},
    "no place for temporary files": {"TMPDIR": "/nonexistent"},
}
STYLES = {
    "LaTeX": "text.usetex: true",
    "a font": "font.family: nowhere",
    "another format": "savefig.format: pdf",
    "a large picture": "figure.dpi: 5000",
}


def drawn(environments, folder, **surroundings):
    command = [sys.executable, "-c", CURVES, json.dumps(environments), str(folder)]
    done = subprocess.run(command, env={**os.environ, **surroundings}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == dict.fromkeys(environments, 0), done.stderr
    for name in environments:
        picture = (folder / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG"), name
        assert len(picture) > 1000, name


@pytest.mark.processes
def test_no_environment_and_no_style_of_a_user_costs_a_picture(tmp_path):
    environments = dict(ENVIRONMENTS)
    for name, line in STYLES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "matplotlibrc").write_text(line + "\n")
        environments[name] = {"MATPLOTLIBRC": str(tmp_path / name / "matplotlibrc")}
    drawn(environments, tmp_path)


@pytest.mark.slow
def test_the_c_locale_costs_no_picture(tmp_path):
    """Python reads it when it starts."""
    drawn({"the C locale": {}}, tmp_path, LC_ALL="C", PYTHONUTF8="0")


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://nowhere")
    with default_style():
        pass
    assert os.environ["MPLBACKEND"] == "module://nowhere"
