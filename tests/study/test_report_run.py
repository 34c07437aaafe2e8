"""The end of `poolab study run`: the verdict and the report's path, and nothing that changes how the study ended."""

import json
from pathlib import Path

import pytest

from poolab.records import RunFolder
from poolab.study.commands.verbs import study as study_verb
from poolab.study.commands.verdict import report_folder, report_run
from poolab.study.run import Outcome

SCORES = {"max": (0.50, 0.60, 0.65), "avg": (0.40, 0.51, 0.54)}


@pytest.fixture
def runs(two_arms, recorded, tmp_path):
    """A folder with a record of each cell."""
    for record in recorded(two_arms, lambda config: SCORES[config["pooling"]["name"]][config["seed"]]):
        RunFolder(tmp_path / "runs", record["signature"]).make().write_json("result.json", record)
    return tmp_path / "runs"


@pytest.fixture
def ended(monkeypatch):
    """The study has run: with this exit code."""

    def make(interrupted=False, failed=()):
        outcome = Outcome(6, 6 - len(failed), 0, 0, dict.fromkeys(failed), interrupted, None, Path("journal"))
        monkeypatch.setattr("poolab.study.run.run_study", lambda *_, **__: outcome)

    return make


def test_the_verdict_and_the_reports_path(two_arms, runs):
    said = []
    report_run(two_arms, runs, [], said.append)
    (text,) = said
    assert "No arm is shown to be better than max. The other arm is worse." in " ".join(text.split())
    assert text.endswith(f"report: {runs / 'studies' / 'study.report' / 'index.html'}")
    folder = report_folder(two_arms, runs)
    assert {path.suffix for path in (folder / "figures").iterdir()} == {".svg"}
    assert (folder / "results.json").exists()


@pytest.mark.parametrize("most", [1, 0])
def test_a_few_arms_have_their_sentences_and_many_have_not(two_arms, runs, monkeypatch, most):
    monkeypatch.setattr("poolab.study.commands.verdict.DETAILED", most)
    said = []
    report_run(two_arms, runs, [], said.append)
    assert ("avg is worse than max by" in said[0]) == bool(most)


def test_the_command_says_it_and_keeps_its_code(two_arms, runs, ended, capsys):
    ended()
    assert study_verb(["run", str(two_arms.path), "--runs", str(runs)], "") == 0
    assert f"report: {runs}/studies/study.report/index.html" in capsys.readouterr().out
    ended(failed=["a"])
    assert study_verb(["run", str(two_arms.path), "--runs", str(runs)], "") == 1


def test_it_can_be_left_out_and_a_study_that_was_stopped_has_none(two_arms, runs, ended, capsys):
    ended()
    assert study_verb(["run", str(two_arms.path), "--runs", str(runs), "--no-report"], "") == 0
    ended(interrupted=True)
    assert study_verb(["run", str(two_arms.path), "--runs", str(runs)], "") == 130
    assert "report" not in capsys.readouterr().out
    assert not report_folder(two_arms, runs).exists()


def test_a_study_of_another_program_has_none(written, tmp_path, ended, capsys):
    ended()
    other = written("{x: {values: [1]}}", program="other.py")
    assert study_verb(["run", str(other.path), "--runs", str(tmp_path / "runs")], "") == 0
    assert "report" not in capsys.readouterr().out


@pytest.mark.parametrize("fault", [ValueError("no\nfont"), MemoryError("none"), OSError(28, "No space left"),
                                   KeyError("x")])  # fmt: skip
def test_a_fault_of_the_report_costs_one_sentence(two_arms, runs, ended, monkeypatch, capsys, fault):
    def broken(*_, **__):
        raise fault

    ended()
    monkeypatch.setattr("poolab.report.write.draw_all", broken)
    assert study_verb(["run", str(two_arms.path), "--runs", str(runs)], "") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("no report: ")]
    assert len(lines) == 1


def test_nothing_completed_is_one_sentence_too(two_arms, tmp_path):
    said = []
    report_run(two_arms, tmp_path, [], said.append)
    assert said == ["no report: no run is completed (there are none): there is nothing to compare yet"]


def test_the_last_line_names_a_trained_network(two_arms, runs):
    by_arm = {}
    for path in runs.glob("*/result.json"):
        record = json.loads(path.read_text())
        name, seed = record["config"]["pooling"]["name"], record["seed"]
        better = name == "avg"  # by its validation scores; by its test scores it is the worse one
        path.write_text(json.dumps({**record, "metrics": {**record["metrics"], "val/accuracy": 0.5 + 0.1 * better}}))
        by_arm[name, seed] = path.parent
    said = []
    report_run(two_arms, runs, [], said.append)
    assert len(said) == 1, "no run has kept its network"
    (by_arm["max", 0] / "last.ckpt").touch()
    for seed in (1, 2):
        (by_arm["avg", seed] / "last.ckpt").touch()
    report_run(two_arms, runs, [], said.append)
    assert said[-1] == f"use a trained network: poolab predict {by_arm['avg', 1]} PICTURE"


def test_without_validation_scores_the_baselines_network_is_named(two_arms, runs):
    folders = {}
    for path in runs.glob("*/result.json"):
        record = json.loads(path.read_text())
        folders[record["config"]["pooling"]["name"], record["seed"]] = path.parent
        (path.parent / "last.ckpt").touch()
    said = []
    report_run(two_arms, runs, [], said.append)
    assert said[-1] == f"use a trained network: poolab predict {folders['max', 0]} PICTURE"
