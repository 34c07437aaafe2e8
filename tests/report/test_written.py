"""A report's folder that is used again: nothing of the earlier report stays, and nothing of anybody else goes."""

import json
from dataclasses import replace

import pytest

from poolab.report.figures.draw import OF_SETTING
from poolab.report.write import write_report
from poolab.report.written import LIST, read_list
from tests.report.made import answer, document, drawn, study

ARMS = {"max": 0.8, "avg": 0.7}


@pytest.fixture(autouse=True)
def _one_figure(monkeypatch):
    one = next(entry for entry in OF_SETTING if entry[0] == "forest")
    monkeypatch.setattr("poolab.report.figures.draw.OF_SETTING", (one,))


def write(folder, settings, formats=("svg",)):
    """Write a report of so many settings; returns what was said."""
    told = []
    runs = [run for i in range(settings) for run in study(drawn(ARMS, 3), data__name=f"d{i}")]
    write_report(document(answer(runs)), folder, told.append, formats=formats)
    return told


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_figures_and_tables_of_the_earlier_report_go(tmp_path):
    used, fresh = tmp_path / "used", tmp_path / "fresh"
    write(used, 2, formats=("svg", "pdf", "png"))
    assert {"figures/heat.pdf", "figures/forest-2-d1-keras_cnn.png", "tables/table-2-d1-keras_cnn.tex"} <= files(used)
    assert write(used, 1) == []
    write(fresh, 1)
    assert files(used) == files(fresh)


def test_files_of_others_and_changed_ones_stay(tmp_path):
    write(tmp_path, 2)
    own = tmp_path / "figures" / "own.svg"
    own.write_text("mine")
    changed = tmp_path / "figures" / "forest-1-d0-keras_cnn.svg"
    changed.write_text(changed.read_text() + "<!-- a note -->")
    linked = tmp_path / "figures" / "forest-2-d1-keras_cnn.svg"
    linked.rename(tmp_path / "elsewhere.svg")
    linked.symlink_to(tmp_path / "elsewhere.svg")
    assert write(tmp_path, 1) == [f"{changed} is of an earlier report and was changed since: it stays."]
    assert own.read_text() == "mine"
    assert changed.read_text().endswith("<!-- a note -->")
    assert linked.is_symlink()
    assert not (tmp_path / "figures" / "heat.svg").exists()
    assert write(tmp_path, 1) == []  # it is nobody's but the user's from now on


@pytest.mark.parametrize(
    "name", ["../own.txt", "own.txt", "figures/../own.txt", "/etc/hostname", "figures/..", "figures", ""]
)
def test_a_list_names_nothing_outside_of_figures_and_tables(tmp_path, name):
    folder = tmp_path / "report"
    write(folder, 1)
    (folder / LIST).write_text(json.dumps({"files": {name: "0", "figures/old.svg": "1"}}))
    assert read_list(folder) == {"figures/old.svg": "1"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": 3}', '{"files": {"figures/forest.svg": 3}}', "\ud800"])
def test_a_damaged_list_removes_nothing(tmp_path, text):
    write(tmp_path, 2)
    before = files(tmp_path)
    (tmp_path / LIST).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert write(tmp_path, 1) == []
    assert before <= files(tmp_path)
    assert set(read_list(tmp_path)) == {"figures/forest.svg", "tables/table.csv", "tables/table.tex"}


def test_a_report_says_whose_report_it_replaced(tmp_path):
    runs = study(drawn(ARMS, 3))
    first, second = (replace(document(answer(runs)), title=title) for title in ("photos", "digits"))
    told = []
    write_report(first, tmp_path, told.append, formats=("svg",))
    write_report(first, tmp_path, told.append, formats=("svg",))
    assert told == []
    write_report(second, tmp_path, told.append, formats=("svg",))
    assert told == [f"This replaced the report of photos in {tmp_path}; --out DIR keeps both."]
