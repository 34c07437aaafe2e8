"""docs/your_own_pooling.md is done as it stands, in a folder outside of the checkout: its files, its commands."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from poolab.cli import main
from poolab.own_code import finding
from poolab.pooling import registry as pools
from poolab.testing import ITEMS
from poolab.testing.__main__ import main as conformance

BLOCK = re.compile(r"(?:`(?P<file>[\w.]+)`:\n\n)?```(?P<kind>python|yaml|sh)\n(?P<text>.*?)```", re.DOTALL)


@pytest.fixture
def page(pytestconfig, tmp_path, monkeypatch):
    """The page's files in an empty folder, its commands and its scripts; modules of it are forgotten afterwards."""
    text = (pytestconfig.rootpath / "docs" / "your_own_pooling.md").read_text()
    blocks = [match.groupdict() for match in BLOCK.finditer(text)]
    for block in blocks:
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POOLAB_CACHE", str(tmp_path / "cache"))
    path, modules = list(sys.path), set(sys.modules)
    yield (
        [line for block in blocks if block["kind"] == "sh" for line in block["text"].splitlines()],
        [block["text"] for block in blocks if block["kind"] == "python" and not block["file"]],
    )
    sys.path[:] = path
    finding._FOUND.clear()
    pools.OWN.clear()
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def done(line):
    """A command of the page in this process; its exit code."""
    words = shlex.split(line)
    if words[:3] == ["python", "-m", "poolab.testing"]:
        return conformance(words[3:])
    assert words[0] == "poolab", line
    small = ["measure.seconds=0.01", "trainer.accelerator=cpu"] if "train" in words else []
    return main([*words[1:], *small])


@pytest.mark.processes
def test_the_page_is_done_as_it_stands_with_two_forked_workers(page, capsys, monkeypatch):
    commands, scripts = page
    few = {name: ITEMS[name] for name in ("geometry", "oracle", "gradient", "attributes")}  # the others take 10 s
    monkeypatch.setattr("poolab.testing.runner.ITEMS", few)
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == [
        "my_data.py",
        "my_module.py",
        "my_net.py",
        "my_study.yaml",
    ]
    told = {}
    for line in commands:
        code = done(line)
        told[line] = capsys.readouterr()
        assert code == 0, (line, told[line])
    (suite,) = (out for line, (out, _) in told.items() if "poolab.testing" in line)
    assert "no oracle given" not in suite
    assert "my_module:MyPool" in told["poolab pools my_module:MyPool"].out
    assert "my_module:MyPool" in told["poolab shapes pooling=my_module:MyPool"].out
    assert "2: max; my_module:MyPool" in told["poolab study plan my_study.yaml"].out
    assert "4 of 4 cells completed" in told["poolab study run my_study.yaml --workers 2"].out
    assert "4 runs: 4 completed" in told["poolab study status my_study.yaml"].out
    records = [json.loads(path.read_text()) for path in Path("runs").glob("*/result.json")]
    own = [record for record in records if record["config"]["pooling"]["name"] == "my_module:MyPool"]
    assert sorted(record["seed"] for record in own) == [0, 0, 1]
    assert {tuple(record["environment"]["own_code"]) for record in own} == {("my_module.MyPool",)}
    assert len({record["config"]["pooling"]["code_sha256"] for record in own}) == 1
    assert main(["study", "table", "my_study.yaml"]) == 0
    assert re.search(r"my_module:MyPool +2 ", capsys.readouterr().out)
    for text in scripts:
        ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        assert "MyPool(kernel_size=2, stride=2, share=0.5)" in ran.stdout


def test_a_cell_whose_file_was_changed_since_the_plan_ends_with_a_message(page):
    from poolab.study import read_study
    from poolab.study.plan.plan import plan
    from poolab.study.runner.cell import write_cell

    study = yaml.safe_load(Path("my_study.yaml").read_text())
    study["parameters"]["pooling"] = {"value": "my_module:MyPool"}
    Path("one.yaml").write_text(yaml.safe_dump(study))
    planned = plan(read_study("one.yaml")).cells[0]
    write_cell(planned.config, Path("cell.json"))
    with Path("my_module.py").open("a") as file:
        file.write("# a change\n")
    ran = subprocess.run(
        [sys.executable, "-m", "poolab.study.runner.cell", "cell.json"], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 2
    assert "my_module.py was changed after this configuration was made" in ran.stderr
    assert not list(Path("runs").glob("*/result.json"))
