"""The process that starts the cells begins its imports while the study is read; where none starts, no trace is left."""

import os
import signal

import pytest

from poolab import cli
from poolab.errors import ConfigError
from poolab.records import RunFolder
from poolab.study.run import run_study
from poolab.study.runner import connection
from poolab.study.runner.journal import Journal


@pytest.fixture
def links(monkeypatch):
    """Collects the servers that are started."""
    made = []

    class Seen(connection.Link):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(connection, "Link", Seen)
    return made


def test_the_server_is_there_when_the_cells_are_checked_and_gone_after_an_error(two_arms, tmp_path, links, monkeypatch):
    seen = []

    def all_cells(self):
        seen.extend(link.process.poll() for link in links)
        raise ConfigError("no")

    monkeypatch.setattr("poolab.study.run.Trained.all", all_cells)
    with pytest.raises(ConfigError, match=r"^no$"):
        run_study(two_arms, runs_dir=tmp_path / "some" / "runs")
    assert seen == [None]
    assert links[0].process.returncode == -9
    assert not (tmp_path / "some").exists()


def test_ctrl_c_while_the_cells_are_checked_is_told_and_leaves_nothing(two_arms, tmp_path, links, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))

    def ctrl_c(self):
        raise KeyboardInterrupt  # not os.kill: below a shell's background job SIGINT is ignored

    monkeypatch.setattr("poolab.study.run.Trained.all", ctrl_c)
    assert cli.main(["study", "run", str(two_arms.path)]) == 130
    assert capsys.readouterr().err.endswith("poolab: interrupted\n")
    assert links[0].process.returncode == -9
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.processes
def test_a_server_that_is_killed_while_it_imports_is_replaced(written, tmp_path, tiny, links, monkeypatch):
    found = connection.Link.tell

    def killed(self, message, files=()):
        os.kill(self.process.pid, signal.SIGKILL)  # `links` has the early server alone, not the one that replaces it
        self.process.wait()
        found(self, message, files)

    monkeypatch.setattr(connection.Link, "tell", killed)
    study = written("{pooling: {values: [max]}, seed: {values: [0]}}")
    outcome = run_study(study, tiny, runs_dir=tmp_path / "runs")
    assert (outcome.code, outcome.completed) == (0, 1)
    assert [link.process.returncode for link in links] == [-9]
    assert [entry["outcome"] for entry in Journal(outcome.journal).entries()][-1] == "completed"


def test_a_finished_study_ends_its_server_and_keeps_what_lies_there(two_arms, tmp_path, recorded, links):
    for record in recorded(two_arms, lambda config: 0.5):
        RunFolder(tmp_path, record["signature"]).make().write_json("result.json", record)
    logs = tmp_path / "studies" / "study.logs"
    logs.mkdir(parents=True)
    kept = logs / "fork-server.log"
    kept.touch()
    assert run_study(two_arms, runs_dir=tmp_path).earlier == 6
    assert links[0].process.returncode == -9
    assert kept.exists()


def test_other_programs_and_fresh_cells_need_no_server_early(written, two_arms, tmp_path, links, monkeypatch):
    def no_cells(self):
        raise ConfigError("no")

    for kind in ("Programs", "Trained"):
        monkeypatch.setattr(f"poolab.study.run.{kind}.all", no_cells)
    for study, isolate in ((two_arms, "spawn"), (written("{x: {values: [1]}}", program="other.py"), "auto")):
        with pytest.raises(ConfigError, match=r"^no$"):
            run_study(study, runs_dir=tmp_path / "runs", isolate=isolate)
    assert not links


def test_where_nothing_can_be_written_the_study_says_so_as_a_cell_starts(two_arms, tmp_path, links):
    (tmp_path / "runs").write_text("a file where the folder is to be")
    assert run_study(two_arms, runs_dir=tmp_path / "runs").error.startswith("the study cannot continue: ")
    assert not links
