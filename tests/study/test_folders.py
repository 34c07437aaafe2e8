"""One folder of runs for every verb, whoever names it."""

import json
from pathlib import Path

import pytest

from poolab.errors import ConfigError, PoolabError
from poolab.study.commands.verbs import study as study_verb
from poolab.study.folders import runs_folder
from poolab.study.plan.plan import plan
from poolab.study.run import run_study

GRID = "{data: {value: digits}, runs_dir: {value: '~/mine'}, seed: {values: [0, 1]}}"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder, and a working folder beside it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.mark.parametrize(("option", "extra", "found"), [
    (None, [], "mine"),
    ("~/other", [], "other"),
    (None, ["runs_dir=~/other"], "other"),
    (None, ["runs_dir='~/a b'"], "a b"),
    (None, ["runs_dir=first", "runs_dir=~/other"], "other"),
])  # fmt: skip
def test_the_home_folder_is_expanded_wherever_the_folder_is_named(written, home, option, extra, found):
    assert runs_folder(written(GRID), option, extra) == home / found


def test_without_a_name_it_is_runs(two_arms, home):
    assert runs_folder(two_arms) == Path("runs")
    assert runs_folder(two_arms, "a/~/b") == Path("a/~/b")


@pytest.mark.parametrize(("option", "extra", "fault"), [
    ("", [], "must have a name"),
    (None, ["runs_dir="], "must have a name"),
    (None, ["runs_dir=''"], "must have a name"),
    ("~nobody-of-that-name/runs", [], "no user nobody-of-that-name"),
    ("a", ["runs_dir=b"], "name two folders"),
])  # fmt: skip
def test_a_folder_that_there_cannot_be(two_arms, option, extra, fault):
    with pytest.raises(ConfigError, match=fault):
        runs_folder(two_arms, option, extra)


def test_plan_and_status_look_where_run_writes(written, home, recorded, capsys):
    study = written(GRID)
    assert plan(study).runs_dir == home / "mine"
    assert {one.folder.path.parent for one in plan(study).cells} == {home / "mine"}
    for record in recorded(study, lambda config: 0.5):
        folder = home / "mine" / record["signature"]
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(record))
    study_verb(["plan", str(study.path)], "")
    assert "of which 2 are finished" in " ".join(capsys.readouterr().out.split())
    study_verb(["status", str(study.path)], "")
    assert capsys.readouterr().out.startswith("2 runs: 2 completed")
    outcome = run_study(study)
    assert (outcome.code, outcome.earlier) == (0, 2)
    assert outcome.journal.parent == home / "mine" / "studies"
    study_verb(["table", str(study.path)], "")
    assert not Path("~").exists()
    assert not Path("runs").exists()


def test_each_verb_asks_the_same(written, home, monkeypatch):
    study = written(GRID)
    asked = []
    monkeypatch.setattr("poolab.study.commands.cancel_verb.cancel", lambda chosen, study, runs: asked.append(runs) or 0)
    monkeypatch.setattr("poolab.study.commands.submit_verb.submit", lambda chosen, study, runs: asked.append(runs) or 0)
    monkeypatch.setattr("poolab.study.commands.run_verb.run_here", lambda chosen, study, runs: asked.append(runs) or 0)
    monkeypatch.setattr("poolab.study.commands.sync_verb.sync", lambda chosen, runs: asked.append(runs) or 0)
    for verb in (["cancel"], ["submit", "--time", "1"], ["run"], ["sync"]):
        study_verb([verb[0], str(study.path), *verb[1:]], "")
    assert asked == [home / "mine"] * 4


def test_of_another_program_runs_dir_is_its_own_parameter(written, home):
    study = written("{runs_dir: {values: [a, b]}}", program="other.py")
    assert runs_folder(study) == Path("runs")


@pytest.mark.parametrize("verb", [["plan"], ["run"], ["status"], ["table"], ["cancel"], ["submit", "--time", "1"]])
def test_a_working_folder_that_was_deleted_is_named(two_arms, tmp_path, monkeypatch, verb):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(PoolabError, match="the working folder of this process is gone"):
        study_verb([verb[0], str(two_arms.path), *verb[1:]], "")
