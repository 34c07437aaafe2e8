"""Tables on terminals of any width: no figure is cut, and no two arms read alike."""

import copy
import itertools
import os

import pytest
from rich.cells import cell_len

from poolab.configuration import compose
from poolab.records import RunFolder
from poolab.records.table_page import print_table

FIGURES = ["166,986", "12,346", "12.34", "123.5"]


def write(runs, name, config, accuracy=0.5):
    metrics = {"test/accuracy": accuracy, "cost/parameters": 166_986, "speed/train_images_per_s": 12_345.6}
    metrics |= {"speed/infer_latency_ms_median": 12.34, "cost/pooling_saved_bytes": 123_456_789}
    record = {"status": "completed", "started": name, "config": config, "metrics": metrics}
    RunFolder(runs, name).make().write_json("result.json", record)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Sixteen arms that differ in four settings."""
    runs = tmp_path_factory.mktemp("many")
    choices = itertools.product(("max", "avg_topk"), (0.001, 0.01), (5, 10), ("all", ["stage2"]))
    for number, (pooling, rate, epochs, slots) in enumerate(choices):
        config = copy.deepcopy(compose([f"pooling={pooling}"]))
        config["optim"]["lr"], config["trainer"]["epochs"], config["pooling"]["slots"] = rate, epochs, slots
        write(runs, f"run{number}", config, number / 100)
    return runs


def shown(runs, capsys):
    print_table(runs)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("columns", ["60", "61", "72", "80", "100", "200"])
def test_every_figure_is_whole_and_every_arm_its_own(many, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    lines = shown(many, capsys)
    assert max(map(cell_len, lines)) <= int(columns)
    text = "\n".join(lines)
    assert all(text.count(figure) == 16 for figure in FIGURES)
    assert lines[0] == "all arms: data=digits backbone=keras_cnn head=own optim=adam"
    names = " ".join(" ".join(line.partition("  ")[0] for line in lines).split())
    for words in ("avg_topk slots=[stage2] optim.lr=0.01 trainer.epochs=10", "max slots=all optim.lr=0.001"):
        assert words in names


@pytest.mark.parametrize(("columns", "term"), [("0", "xterm"), ("abc", "xterm"), ("-5", "dumb"), ("", "dumb"),
                                              ("1", "dumb"), ("59", "unknown"), (None, "dumb")])  # fmt: skip
def test_a_width_that_is_none_is_that_of_the_terminal_or_80(many, capsys, monkeypatch, columns, term):
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((0, 0)))
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    text = "\n".join(shown(many, capsys))
    assert all(text.count(figure) == 16 for figure in FIGURES)
    assert "\x1b" not in text


@pytest.mark.parametrize("name", [
    "\x1b[31mred", "a\nb", "a\rb", "\x9b31m", "a\u202eb", "\x07", "[bold]x[/bold]", ":smile:", "日本語" * 9,
])  # fmt: skip
def test_a_name_moves_no_cursor(tmp_path, capsys, name):
    config = copy.deepcopy(compose([]))
    config["pooling"]["name"] = name
    write(tmp_path, "a", config)
    write(tmp_path, "b", compose([]), 0.25)
    lines = shown(tmp_path, capsys)
    assert not any(one in "".join(lines) for one in "\x1b\r\x9b\u202e\x07")
    assert sum("166,986" in line for line in lines) == 2
    assert max(map(cell_len, lines)) <= 80
    if name.isprintable() and len(name) < 20:
        assert name in "\n".join(lines)


def test_unfinished_runs_are_explained(tmp_path, capsys):
    record = {"status": "failed", "started": "a", "config": compose([]), "metrics": {}}
    RunFolder(tmp_path, "a").make().write_json("result.json", record)
    lines = shown(tmp_path, capsys)
    assert any(line.split()[:2] == ["max", "0+1"] for line in lines)
    assert lines[-1].startswith("runs: those that are not completed stand behind a +")


def test_thousands_of_records_are_read_once(many, monkeypatch):
    """A table of 10,000 records takes seconds: no record is read or composed a second time."""
    from poolab.records import gathering as module

    read = []
    scan = module.scan_results
    monkeypatch.setattr(module, "scan_results", lambda place: read.append(place) or scan(place))
    print_table(many)
    assert len(read) == 1
