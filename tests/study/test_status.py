"""What became of runs, read from folders, locks and the journal."""

import fcntl
import json
import os
import re

import pytest

from poolab.records import RunFolder
from poolab.study import grid_cells
from poolab.study.commands.verbs import study as study_verb
from poolab.study.job_factory import Programs
from poolab.study.plan.cache import expected
from poolab.study.runner.locks import Claim
from poolab.study.status import State, counted, status
from tests.growth import assert_grows


def test_every_state_of_a_run(two_arms, tmp_path, recorded, capsys):
    records = recorded(two_arms, lambda config: 0.5 if config["seed"] == 0 else None)
    folders = [RunFolder(tmp_path / "runs", record["signature"]) for record in records]
    folders[0].make().write_json("result.json", records[0])
    folders[1].make().write_json("result.json", {**records[1], "status": "diverged", "reason": "loss is nan"})
    folders[2].make().write_json("result.json", records[2])  # failed
    folders[3].make()
    (folders[4].make() / "last.ckpt").touch()
    with folders[3].claimed():
        states = status(two_arms, tmp_path / "runs")
        each = ("completed", "diverged", "running", "waiting", "interrupted", "failed")
        assert counted(states) == dict.fromkeys(each, 1)
    states = status(two_arms, tmp_path / "runs")
    assert states[2].reason == "ValueError: no"
    assert states[4].reason.endswith("resumes from its checkpoint")
    assert counted(states)["missing"] == 1  # nobody runs it
    journal = tmp_path / "runs" / "studies" / "study.jsonl"
    journal.parent.mkdir()
    attempt = {"cell": records[5]["signature"], "outcome": "killed", "reason": "out of memory"}
    journal.write_text(json.dumps(attempt) + "\n" + '{"cell": "torn')
    assert status(two_arms, tmp_path / "runs")[5].reason == "out of memory"
    study_verb(["status", str(two_arms.path), "--runs", str(tmp_path / "runs")], "")
    told = capsys.readouterr().out
    assert told.startswith("6 runs: 1 completed")
    assert "failed: pooling=avg seed=2\n    out of memory" in told
    assert str(folders[0].path) not in told
    study_verb(["status", str(two_arms.path), "--runs", str(tmp_path / "runs"), "--all"], "")
    told = capsys.readouterr().out
    assert f"completed: pooling=max seed=0\n    {folders[0].path}\n" in told
    assert f"diverged: pooling=max seed=1\n    loss is nan\n    {folders[1].path}\n" in told


def attempts(path, *entries):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{entry if isinstance(entry, str) else json.dumps(entry)}\n" for entry in entries))


def test_of_another_program_the_claims_and_the_journal_are_known(written, tmp_path):
    study = written("{x: {values: [1, 2, 3]}}", program="other.py")
    programs = Programs(study, (), tmp_path)
    first, second, _ = (programs.key(cell) for cell in grid_cells(study))
    journal = tmp_path / "studies" / "study.jsonl"
    Claim.take(tmp_path / ".claims" / first).release(done=True)
    attempts(journal, {"cell": second, "outcome": "killed", "reason": "x"})
    told = status(study, tmp_path)
    assert told == [State("x=1", "completed"), State("x=2", "failed", "x"), State("x=3", "missing")]
    attempts(journal, {"cell": second, "what": "x=2"})
    assert counted(status(study, tmp_path)) == {"completed": 1, "missing": 1, "interrupted": 1}
    with open(tmp_path / ".claims" / second, "w") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        assert status(study, tmp_path)[1] == State("x=2", "running")
    journal.write_text("")  # emptied: what is done stays done
    assert counted(status(study, tmp_path)) == {"completed": 1, "missing": 2}


def test_cells_that_the_file_does_not_have_are_not_shown(written, tmp_path):
    before = written("{x: {values: [1, 2, 3]}}", program="other.py")
    keys = [Programs(before, (), tmp_path).key(cell) for cell in grid_cells(before)]
    attempts(tmp_path / "studies" / "study.jsonl", *({"cell": key, "outcome": "failed", "reason": "r"} for key in keys))
    changed = written("{x: {values: [3, 4]}}", program="other.py")
    assert [(one.run, one.state) for one in status(changed, tmp_path)] == [("x=3", "failed"), ("x=4", "missing")]
    other = written("{y: {values: [1]}}", program="other.py")  # another study of the same name
    assert status(other, tmp_path) == [State("y=1", "missing")]
    attempts(tmp_path / "studies" / "study.jsonl", *({"cell": key, "outcome": "completed"} for key in keys))
    assert counted(status(before, tmp_path)) == {"missing": 3}  # `run` would run them: no claim says that they are done


FOREIGN = [
    *("[]", "3", "null", "", "{", '"text"', "[" * 100_000, "NaN", '{"cell": 3, "outcome": "failed"}'),
    *('{"outcome": "failed"}', '{"cell": "CELL", "outcome": "eaten"}', '{"cell": "CELL", "outcome": ["failed"]}'),
    *('{"cell": "CELL", "outcome": "failed", "reason": 3}', '{"cell": "CELL", "outcome": "failed", "what": {}}'),
    *('{"cell": "CELL", "outcome": "failed", "started": [1]}', '{"cell": ["CELL"], "outcome": "failed"}'),
]


@pytest.mark.parametrize("line", FOREIGN, ids=lambda line: line[:30])
@pytest.mark.parametrize("program", ["other.py", "train.py"])
def test_a_line_of_a_journal_that_is_no_attempt_is_skipped(written, tmp_path, line, program):
    study = written("{seed: {values: [1, 2]}}", program=program)
    if program == "train.py":
        keys = [run.signature for run in expected(study, tmp_path)]
    else:
        keys = [Programs(study, (), tmp_path).key(cell) for cell in grid_cells(study)]
    last = {"cell": keys[1], "outcome": "failed", "reason": "why"}
    attempts(tmp_path / "studies" / "study.jsonl", line.replace("CELL", keys[0]), last)
    assert status(study, tmp_path) == [State("seed=1", "missing"), State("seed=2", "failed", "why")]


@pytest.mark.parametrize("kind", ["folder", "pipe", "bytes"])
def test_a_journal_that_is_none(two_arms, tmp_path, kind):
    journal = tmp_path / "studies" / "study.jsonl"
    journal.parent.mkdir()
    if kind == "bytes":
        journal.write_bytes(bytes(range(256)) * 10)
    else:
        (os.mkdir if kind == "folder" else os.mkfifo)(journal)
    assert counted(status(two_arms, tmp_path)) == {"missing": 6}


def test_what_a_terminal_would_obey_is_shown(written, tmp_path, capsys):
    study = written('{x: {values: ["\\e[2J", "a\\nb", c]}}', program="other.py")
    key = Programs(study, (), tmp_path).key(grid_cells(study)[0])
    attempts(tmp_path / "studies" / "study.jsonl", {"cell": key, "outcome": "failed", "reason": "\x1b]0;x\x07\u202e"})
    study_verb(["status", str(study.path), "--runs", str(tmp_path), "--all"], "")
    told = capsys.readouterr().out
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", told)
    assert "failed: x='\\x1b[2J'\n    \\x1b]0;x\\x07\\u202e\n" in told
    assert "missing: x='a\\nb'\n" in told


def test_the_signatures_are_kept_and_a_changed_file_is_read_anew(two_arms, written, tmp_path, monkeypatch):
    first = expected(two_arms, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("poolab.study.plan.plan.plan", lambda *_: pytest.fail("composed again"))
        assert expected(two_arms, tmp_path) == first
        assert expected(two_arms, tmp_path, ["runs_dir=elsewhere"]) == first
    changed = written("{pooling: {values: [max, avg]}, seed: {values: [0, 5]}}")
    assert len(expected(changed, tmp_path)) == 4
    assert expected(changed, tmp_path, ["optim.lr=0.1"]) != expected(changed, tmp_path)


def test_the_runs_of_a_search_are_those_of_the_folder(written, tmp_path, recorded):
    drawn = written("{pooling: {values: [avg]}, optim.lr: {values: [0.15, 0.5]}}")
    for record in recorded(drawn, lambda config: 0.5):
        RunFolder(tmp_path, record["signature"]).make().write_json("result.json", record)
    search = written("{pooling: {values: [max, avg]}, optim.lr: {min: 0.1, max: 0.2}}", "random")
    (state,) = status(search, tmp_path)
    assert (state.state, state.run) == ("completed", "pooling=avg optim.lr=0.15")


def test_the_time_of_a_status_grows_with_the_number_of_runs(written, tmp_path, recorded):
    def prepared(runs):
        study = written(f"{{seed: {{distribution: int_uniform, min: 0, max: {runs - 1}}}}}")
        place = tmp_path / str(runs)
        if not place.exists():
            for record in recorded(study, lambda config: 0.5):
                RunFolder(place, record["signature"]).make().write_json("result.json", record)
        expected(study, place)

        def look():
            assert counted(status(study, place)) == {"completed": runs}

        return look

    # 0.4 s for 2,000 on an idle machine; with quadratic work the ratio would be 100.
    assert_grows(prepared, (50, 500), less_than=30)


def test_a_verb_without_its_file_names_the_file_alone(capsys):
    with pytest.raises(SystemExit):
        study_verb(["run"], "")
    assert capsys.readouterr().err.endswith("the following arguments are required: FILE\n")
