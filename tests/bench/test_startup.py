import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from poolab.bench import startup
from poolab.errors import PoolabError

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench.py"
TINY = ("data.limit_train=200", "data.limit_test=100", "data.image_size=16", "data.batch_size=32", "trainer.epochs=1")


def test_the_cheap_parts_are_measured_and_written_down(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    startup.add_arguments(parser)
    out = tmp_path / "startup.json"
    given = ["--parts", "pooling", "help", "--rounds", "1", "--warm-up", "0", "--threads", "1", "--json", str(out)]
    arguments = parser.parse_args(given)
    assert arguments.run(arguments) == 0
    result = json.loads(out.read_text())
    figures = {name: figure["median"] for name, figure in result["figures"].items()}
    assert list(figures) == ["import torch", "import poolab.pooling", "poolab.pooling beyond torch", "train.py --help"]
    beyond = figures["import poolab.pooling"] - figures["import torch"]
    assert figures["poolab.pooling beyond torch"] == pytest.approx(beyond, abs=0.001)
    assert all(seconds > 0 for seconds in figures.values())
    assert result["made_with"]["threads"] == 1
    assert {"command", "commit", "packages", "processor", "load_average"} <= result["made_with"].keys()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= 80


@pytest.mark.processes
def test_the_first_step_is_noted_and_the_run_ends():
    figures = startup.measure(["step"], rounds=1, warm_up=0, threads=1, overrides=TINY)["figures"]
    total, libraries, rest = (figure["median"] for figure in figures.values())
    assert total == pytest.approx(libraries + rest, abs=0.001)
    assert libraries > rest > 0


def test_a_command_that_fails_is_told_with_its_words():
    with pytest.raises(PoolabError, match=r"(?s)ended with code 1:.*No module named 'nothing'"):
        startup._process(["-c", "import nothing"], startup._surroundings(None))


def test_the_aim_is_judged_where_it_is_set():
    figure = {"median": 1.6, "quartile_low": 1.4, "quartile_high": 1.7}
    row = startup._row("first step, no tracker: all the rest", figure)
    assert row == ("  all the rest", "1.60", "1.40 .. 1.70", "aim 1.5: missed")
    assert startup._row("import torch", figure)[3] == ""


def test_help_answers_at_once():
    done = subprocess.run([sys.executable, SCRIPT, "startup", "--help"], capture_output=True, text=True, check=True)
    assert "--rounds" in done.stdout
