"""`--help` and `--version`."""

import re
import subprocess
import sys

import pytest

from poolab import cli
from poolab.configuration import config_dir


def test_help_answers_at_once_and_lists_every_choice(pytestconfig):
    command = [sys.executable, "-X", "importtime", str(pytestconfig.rootpath / "train.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)  # with it, help takes seconds
    groups = [path for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"]
    assert len(groups) == 10
    choices = done.stdout.partition("== Choices")[2].partition("== Settings")[0].replace("\n    ", " ")
    listed = dict(line.split(": ", 1) for line in choices.splitlines() if ": " in line)
    listed["backbone"] = listed["backbone"].removesuffix(", torchvision/<name>, timm/<name>")
    for group in groups:
        names = sorted(path.stem for path in group.glob("*.yaml"))
        assert sorted(listed[group.name].split(", ")) == names
    assert "seed=0 " in done.stdout


@pytest.mark.parametrize("words", [[], ["pooling=lip", "data=shapes"], ["measure=full", "trainer=ddp", "tracker=none"],
                                   ["backbone=torchvision/resnet18", "optim=sgd"], ["recipe=finetune"]])  # fmt: skip
def test_help_says_in_80_columns_what_each_setting_is(words, capsys):
    assert cli.train([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > 80] == []
    settings = out.partition("== Settings")[2]
    lines = re.findall(r"^  ([\w.]+)=(.*(?:\n {8}.*)*)", settings, re.MULTILINE)
    assert len(lines) > 40
    assert [key for key, told in lines if not re.search(r"\s{1,}\w", told)] == []


def test_help_has_the_options_of_the_chosen_pooling(capsys):
    assert cli.train(["-h", "pooling=avg_topk", "pooling.k=3"]) == 0
    assert "pooling.k=3 number of taps, 1 to the taps of the window" in " ".join(capsys.readouterr().out.split())
    assert cli.train(["pooling=max", "pooling.kk=3", "--help"]) == 2
    assert "pooling.kk: there is no such setting" in capsys.readouterr().err


def test_versions(capsys):
    assert cli.train(["--version"]) == 0
    assert re.match(r"poolab [\d.]+ \(Hydra [\d.rc]+, torch .*\)$", capsys.readouterr().out)


def test_the_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"poolab \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("missing", ["poolab", "torch"])
def test_train_py_says_how_to_install_what_is_missing(missing, pytestconfig, tmp_path):
    if missing == "torch":
        (tmp_path / "poolab").mkdir()
        (tmp_path / "poolab" / "__init__.py").touch()
    script = pytestconfig.rootpath / "train.py"
    code = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); runpy.run_path({str(script)!r})"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    way = "run `. .venv/bin/activate`, or `pip install -e .`"
    assert (done.returncode, done.stderr) == (
        1,
        f"{missing} is not installed in this Python ({sys.executable}); {way}\n",
    )
