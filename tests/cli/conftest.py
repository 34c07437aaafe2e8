"""Commands that run in the process of the tests."""

import pytest

from poolab import cli
from tests.cli.made import images


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("learning_curves", "sample_grid"):
        monkeypatch.setattr(f"poolab.training.pictures.{name}", lambda *_: None)


@pytest.fixture
def train(tiny, tmp_path, capsys):
    """`train.py` in this process: its exit code, and what it printed to stdout and stderr."""

    def call(*arguments):
        flags = [argument for argument in arguments if argument.startswith("-")]
        overrides = [argument for argument in arguments if argument not in flags]
        code = cli.train([*flags, *tiny, f"runs_dir={tmp_path}/runs", *overrides])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "cache"))
    root = images(tmp_path / "images")
    tree = ["data=image_folder", f"data.root={root}", "data.limit_train=null", "data.limit_test=null"]
    return root, [*tree, "data.image_size=null", "data.batch_size=16"]
