"""What became of runs, read from folders, locks and the journal."""

import fcntl
import json
import time

import pytest

from poolab.records import RunFolder
from poolab.study.expected import expected
from poolab.study.status import State, counted, status
from poolab.study.verbs import study as study_verb


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
    assert states[4].reason.endswith("goes on from its checkpoint")
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


def test_of_another_program_the_journal_is_known(written, tmp_path):
    study = written("{x: {values: [1, 2, 3]}}", program="other.py")
    journal = tmp_path / "studies" / "study.jsonl"
    journal.parent.mkdir()
    journal.write_text('{"cell": "a", "outcome": "completed"}\n{"cell": "b", "outcome": "killed", "reason": "x"}\n')
    assert counted(status(study, tmp_path)) == {"completed": 1, "missing": 1, "failed": 1}
    journal.write_text('{"cell": "a", "what": "x=1"}\n')
    assert counted(status(study, tmp_path)) == {"missing": 2, "interrupted": 1}
    (tmp_path / ".claims").mkdir()
    with open(tmp_path / ".claims" / "a", "w") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        assert status(study, tmp_path)[0] == State("x=1", "running")


def test_the_signatures_are_kept_and_a_changed_file_is_read_anew(two_arms, written, tmp_path, monkeypatch):
    first = expected(two_arms, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("poolab.study.plan.plan", lambda *_: pytest.fail("composed again"))
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


def test_two_thousand_runs_take_less_than_a_second(written, tmp_path, recorded):
    study = written("{seed: {distribution: int_uniform, min: 0, max: 1999}}")
    for record in recorded(study, lambda config: 0.5):
        folder = tmp_path / record["signature"]
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps(record))
    expected(study, tmp_path)
    start = time.process_time()  # of this process: others may be at work
    assert counted(status(study, tmp_path)) == {"completed": 2000}
    assert time.process_time() - start < 1.0
