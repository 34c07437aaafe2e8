"""What mypy and pyright, and with them users' editors, know of the poolings."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from poolab.pooling.registry import POOLS, SIBLINGS

HEAD = """\
import torch
from poolab import pooling
from poolab.pooling import AvgTopKPool1d, AvgTopKPool2d, AvgTopKPool3d, MixedPool2d, StridedConv2d, StochasticPool2d
from poolab.pooling import SuperpixelPool2d, create_pool, functional, get_pool
x = torch.rand(1, 4, 8, 8)
"""
# A line, and a word of the error that both checkers give; None where there is nothing wrong.
USES = [
    ("AvgTopKPool2d(3, kk=2)", "kk"),
    ("AvgTopKPool2d(3, k='2')", "int"),
    ("AvgTopKPool2d()", "kernel_size"),
    ("AvgTopKPool2d((3, 3, 3))", "tuple"),
    ("AvgTopKPool2d(3, channels=4)", "channels"),
    ("AvgTopKPool2d(3, generator=torch.Generator())", "generator"),
    ("MixedPool2d(2, sharing='region')", "region"),
    ("StridedConv2d(2)", "channels"),
    ("functional.no_such(1)", "no_such"),
    ("functional.avg_topk_pool2d(x, 3, kk=2)", "kk"),
    ("functional.strided_conv_pool2d(x, 3)", "strided_conv_pool2d"),
    ("from poolab.pooling import NoSuchThing", "NoSuchThing"),
    ("pooling.AvgTopKPool4d(3)", "AvgTopKPool4d"),
    ("get_pool(3)", "str"),
    ("create_pool(3)", "str"),
    ("AvgTopKPool2d(3, 2, 1, 1, True, k=2)", None),
    ("AvgTopKPool1d(3, (2,), k=3)", None),
    ("AvgTopKPool3d((3, 2, 1), k=3)", None),
    ("AvgTopKPool2d((3, 2), k=3).k + 1", None),
    ("MixedPool2d(2, sharing='channel', channels=4, learnable=True).alpha / 2", None),
    ("StochasticPool2d(2, generator=torch.Generator())(x).shape", None),
    ("SuperpixelPool2d(regions=2)(x, torch.zeros(1, 8, 8, dtype=torch.int64))", None),
    ("functional.avg_topk_pool2d(x, 3, stride=(2, 1), k=2).mean()", None),
    ("functional.stochastic_pool2d(x, 2, training=False, generator=None)", None),
    ("create_pool('avg_topk', kernel_size=2, k=3).out_channels(4)", None),
    ("get_pool('avg_topk', dims=3).__name__", None),
]


def constructed(wrong: str = "") -> list[str]:
    """Each class, made with each of its options at its default."""
    lines = []
    for cls in (*POOLS.values(), *SIBLINGS.values()):
        given = ["3"] if cls.role == "window" else []
        given += ["channels=4"] if cls.uses_channels != "never" else []
        given += [f"{name}={option.default!r}" for name, option in cls.options.items()]
        lines.append(f"pooling.{cls.__name__}({', '.join([*given, *([wrong] if wrong else [])])})")
    return lines


TABLE = [*USES, *((line, None) for line in constructed()), *((line, "no_such") for line in constructed("no_such=1"))]


def test_the_right_uses_are_right_and_the_wrong_ones_raise():
    names: dict = {}
    exec(HEAD, names)
    for line, word in TABLE:
        if word is None:
            exec(line, names)
            continue
        with pytest.raises((ValueError, TypeError, AttributeError, ImportError)):
            exec(line, names)


def mypy(file: Path, root: Path) -> list[tuple[int, str]]:
    command = [sys.executable, "-m", "mypy", "--config-file", str(root / "pyproject.toml"), "--no-pretty", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [(int(line), text) for line, text in re.findall(r":(\d+): error: (.*)", done.stdout)]


def pyright(file: Path, root: Path) -> list[tuple[int, str]]:
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed: pip install pyright")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", str(file)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=file.parent, check=False, timeout=200)
    except subprocess.TimeoutExpired:  # a network that does not answer
        pytest.skip("pyright has not answered for 200 s: it fetches its program at its first run")
    if not done.stdout.startswith("{"):  # the package fetches node and pyright itself when it is first run
        pytest.skip(f"pyright cannot run here: {(done.stdout + done.stderr).strip()[-200:]}")
    found = [one for one in json.loads(done.stdout)["generalDiagnostics"] if one["severity"] == "error"]
    return [(one["range"]["start"]["line"] + 1, one["message"]) for one in found]


@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_checker_accepts_the_right_uses_and_refuses_the_wrong_ones(
    checker: Callable[[Path, Path], list[tuple[int, str]]], tmp_path: Path, pytestconfig: pytest.Config, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(pytestconfig.rootpath / "src"), *sys.path[1:]]))
    file = tmp_path / "uses.py"
    file.write_text(HEAD + "".join(f"{line}\n" for line, _ in TABLE))
    found: dict[int, str] = {}
    for line, text in checker(file, pytestconfig.rootpath):
        found[line] = found.get(line, "") + text
    first = HEAD.count("\n") + 1
    for number, (line, word) in enumerate(TABLE, first):
        assert (word or "") in found.pop(number, "" if word is None else f"nothing wrong in: {line}"), line
    assert not found
