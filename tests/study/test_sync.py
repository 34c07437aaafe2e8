"""Runs that were tracked offline reach W&B's server, each once, whatever happens on the way."""

import fcntl
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml

from poolab.study.runner.journal import Journal
from poolab.study.wandb.ledger import Synced, due
from poolab.study.wandb.sessions import sessions
from poolab.study.wandb.sync import sync as upload
from poolab.study.wandb.uploader import failures
from tests.wandb_server import KEY, Client, Fault, WandbServer, as_sent

COMMAND = ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]
SEEDS = [0, 1, 2]


@pytest.fixture
def server():
    with WandbServer() as one:
        yield one


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory):
    """A study of three runs that was made without a server; `group` is left to the study."""
    folder = tmp_path_factory.mktemp("offline")
    parameters = {"seed": {"values": SEEDS}, "pooling": {"value": "avg_topk"}}
    content = {"program": "train.py", "method": "grid", "command": COMMAND, "parameters": parameters}
    (folder / "s.yaml").write_text(yaml.safe_dump(content))
    words = [word for word in tiny if word != "tracker=none"]
    (folder / "words").write_text("\n".join(words))
    with WandbServer() as nobody:
        Client(nobody, folder).poolab("study", "run", "s.yaml", "--workers", "2", *words)
        assert not nobody.requests
    return folder


@pytest.fixture
def client(server, study, tmp_path):
    """A client in a copy of the study's folder."""
    folder = shutil.copytree(study, tmp_path / "copy", symlinks=True)
    return Client(server, folder)


def sync(client, *words, code=0, **more):
    return client.poolab("study", "sync", *words, code=code, **more)


def ids(client):
    return [one.id for one in sessions(client.folder / "runs")]


def whole(client, server):
    """Whether each run is at the server: ended once, with the figures of its record and each epoch's row once."""
    for one in sessions(client.folder / "runs"):
        run = server.runs[one.id]
        record = json.loads((client.folder / "runs" / one.signature / "result.json").read_text())
        assert (run.state, run.sessions, run.summary["status"]) == ("finished", 1, "completed")
        assert {name: run.summary[name] for name in record["metrics"]} == pytest.approx(record["metrics"])
        assert run.config.keys() - {"_wandb"} == {"cfg"}
        assert run.config["cfg"] == as_sent(record["config"])
        assert [row["epoch"] for row in run.history if "val/accuracy" in row] == [0, 1]
    return len(server.runs) == 3


@pytest.mark.services
def test_each_run_is_uploaded_once(client, server):
    told = sync(client, "runs", "--dry-run")
    assert told.count("offline-run-") == 3
    assert not server.requests
    assert "3 of 3 runs uploaded" in sync(client, "runs", "--project", "mine", "--entity", "us")
    assert whole(client, server)
    seen = {(run.name, run.group, run.project, run.entity) for run in server.runs.values()}
    assert seen == {(f"avg_topk-keras_cnn-digits-{seed}", "s", "mine", "us") for seed in SEEDS}
    requests = list(server.requests)
    assert "0 of 0 runs uploaded, 3 were before" in sync(client)
    shutil.rmtree(client.folder / "runs" / "studies" / "wandb-sync")  # the client's own markers are heeded too
    assert "0 of 0 runs uploaded, 3 were before" in sync(client)
    assert server.requests == requests
    files = [path for path in client.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert not (client.folder / "wandb").exists()  # the client's own log lies elsewhere


@pytest.mark.services
def test_a_study_file_names_its_runs(client, server):
    other = yaml.safe_load((client.folder / "s.yaml").read_text())
    other["parameters"]["seed"]["values"] = [1, 7]
    (client.folder / "other.yaml").write_text(yaml.safe_dump(other))
    words = (client.folder / "words").read_text().splitlines()
    assert "1 of 1 runs uploaded" in sync(client, "other.yaml", *words)
    (run,) = server.runs.values()
    assert run.config["cfg"]["seed"] == 1
    assert "2 of 2 runs uploaded, 1 were before" in sync(client, "s.yaml", *words)
    assert whole(client, server)


@pytest.mark.services
@pytest.mark.parametrize("where", ["file_stream", "UpsertBucket"])
def test_a_failure_stops_no_other_and_is_tried_again(client, server, where):
    """The client marks the first as synced, and exits with 0 after both."""
    broken = ids(client)[1]
    server.faults.append(Fault(where, run=broken))
    few = {f"WANDB__{what}_RETRY_MAX": "1" for what in ("GRAPHQL", "FILE_STREAM")}
    told = sync(client, "runs", code=1, **few)
    assert "2 of 3 runs uploaded; the same command resumes here" in told
    assert f"{broken}\n    " in told
    assert "Fatal error while uploading" in told if where == "file_stream" else "HTTP 500" in told
    assert server.count(where, broken) >= 4  # in the batch, and once more by itself
    server.faults.clear()
    assert "1 of 1 runs uploaded, 2 were before" in sync(client, "runs")
    assert whole(client, server)


@pytest.mark.services
def test_a_sync_that_is_killed_loses_nothing_and_sends_nothing_twice(client, server):
    server.faults.append(Fault("file_stream", status=200, wait=2.0))
    process = client.start("-m", "poolab", "study", "sync", "runs")
    waited_for(lambda: server.count("UpsertBucket"))
    process.kill()
    process.communicate()
    assert "another `poolab study sync`, or the client" in sync(client, "runs", code=2)
    lock = client.folder / "runs" / "studies" / "wandb-sync" / "lock"
    waited_for(lambda: free(lock))  # the client goes on to its end
    ledger = Journal(lock.parent / "ledger.jsonl")
    assert [entry.get("outcome") for entry in ledger.entries()] == [None] * 3
    assert "0 of 0 runs uploaded, 3 were before" in sync(client, "runs")
    assert [entry.get("outcome") for entry in ledger.entries()] == [None] * 3 + ["uploaded"] * 3
    assert whole(client, server)


@pytest.mark.services
def test_a_client_that_is_killed_too_is_started_again(client, server):
    server.faults.append(Fault("UpsertBucket", status=200, wait=60.0))
    process = client.start("-m", "poolab", "study", "sync", "runs")
    waited_for(lambda: server.count("UpsertBucket"))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.communicate()
    for child in children:
        os.killpg(int(child), signal.SIGKILL)
    server.faults.clear()
    waited_for(lambda: free(client.folder / "runs" / "studies" / "wandb-sync" / "lock"))
    assert "3 of 3 runs uploaded" in sync(client, "runs")
    assert whole(client, server)


def waited_for(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def free(lock):
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.services
def test_two_at_once_upload_nothing_twice(client, server):
    server.faults.append(Fault("file_stream", status=200, wait=0.5))
    both = [client.start("-m", "poolab", "study", "sync", "runs") for _ in range(2)]
    told = [process.communicate(timeout=100)[0] for process in both]
    assert sorted(process.returncode for process in both) in ([0, 0], [0, 2]), told
    assert whole(client, server)


@pytest.mark.services
def test_ctrl_c_lets_what_is_under_way_arrive(client, server):
    server.faults.append(Fault("file_stream", status=200, wait=1.0))
    process = client.start("-m", "poolab", "study", "sync", "runs")
    waited_for(lambda: server.count("UpsertBucket"))
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[0]
    assert (process.returncode, "3 of 3 runs uploaded" in told) == (130, True), told
    assert whole(client, server)


@pytest.mark.services
def test_a_server_that_cannot_be_reached_is_said_once(client, server):
    server.die()
    started = time.monotonic()
    told = sync(client, "runs", code=2)
    assert time.monotonic() - started < 30
    assert told.count("cannot be reached") == 1
    server.start()
    assert "3 of 3 runs uploaded" in sync(client, "runs")


@pytest.mark.services
def test_a_server_that_goes_away_in_the_middle_ends_it(client, server, monkeypatch):
    for name, value in {**client.environment, "WANDB__GRAPHQL_RETRY_MAX": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("poolab.study.wandb.sync.BATCH", 1)
    told = []
    runs = client.folder / "runs"
    outcome = upload(runs, report=lambda done, total: told.append((done, total)) or server.die())
    assert told == [(1, 3), (2, 3)]
    assert (outcome.code, len(outcome.uploaded), outcome.left) == (1, 1, 1)
    assert "refused" in str(outcome)
    assert "1 of 3 runs uploaded; the same command resumes here" in str(outcome)
    server.start()
    (failed,) = outcome.failed
    left, _ = due(runs)
    assert [one.name == failed for one in left] == [False, True]  # what failed holds nobody up
    upload(runs)
    assert whole(client, server)


def test_a_reason_is_said_once():
    outcome = Synced(failed={"a": "no server", "b": "no server", "c": "no room"}, left=4)
    assert str(outcome).startswith("a\nb\n    no server\nc\n    no room\n0 of 7 runs uploaded")


@pytest.mark.services
def test_a_server_that_takes_nothing_and_says_nothing_is_given_up(client, server):
    server.faults.append(Fault("UpsertBucket", status=200, wait=60.0))
    told = sync(client, "runs", "--patience", "2", code=1)
    assert told.count("given up after 2 s without progress") == 1
    server.faults.clear()
    assert "3 of 3 runs uploaded" in sync(client, "runs")


@pytest.mark.services
def test_without_a_key_nothing_is_begun(client, server):
    assert f"W&B has no key for {server.url}" in sync(client, "runs", code=2, WANDB_API_KEY="")
    assert not server.requests


@pytest.mark.services
def test_what_runs_or_goes_on_some_day_waits(client, server):
    first, second, _ = sessions(client.folder / "runs")
    record = client.folder / "runs" / second.signature / "result.json"
    record.write_text(record.read_text().replace('"status": "completed"', '"status": "interrupted"'))
    with open(client.folder / "runs" / first.signature / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "1 of 1 runs uploaded, 1 still run, 1 have not ended yet" in sync(client, "runs")


def made(runs, *names, record="completed"):
    """The folder of a run with these sessions."""
    for name in names:
        folder = runs / "0123456789ab" / "wandb" / name
        folder.mkdir(parents=True)
        (folder / f"run-{name.rpartition('-')[2]}.wandb").touch()
    (runs / "0123456789ab" / "result.json").write_text(json.dumps({"status": record, "reason": None}))


def test_the_last_session_of_a_run_counts(tmp_path):
    made(tmp_path, "offline-run-20260101_100000-a", "run-20260101_110000-b", "offline-run-20260101_120000-c")
    (session,) = sessions(tmp_path)
    assert (session.id, session.state, session.name) == ("c", "due", "0123456789ab/offline-run-20260101_120000-c")
    assert sessions(tmp_path, ["no such run"]) == []


def test_an_online_session_counts_where_its_server_has_not_had_all(tmp_path):
    made(tmp_path, "offline-run-20260101_100000-a", "run-20260101_110000-b")
    assert sessions(tmp_path) == []
    (tmp_path / "0123456789ab" / "wandb" / "run-20260101_110000-b" / "unsent").touch()
    assert [one.id for one in sessions(tmp_path)] == ["b"]


@pytest.mark.parametrize(("record", "state"), [
    ("completed", "due"), ("diverged", "due"), ("failed", "due"), ("interrupted", "unfinished"),
])  # fmt: skip
def test_a_run_that_goes_on_some_day_waits_for_its_end(tmp_path, record, state):
    made(tmp_path, "offline-run-20260101_100000-a", record=record)
    assert [one.state for one in sessions(tmp_path)] == [state]


def test_what_the_client_says_of_each(tmp_path):
    made(tmp_path, *(f"offline-run-20260101_10000{number}-{name}" for number, name in enumerate("abc")))
    folders = sorted((tmp_path / "0123456789ab" / "wandb").iterdir())
    batch = [sessions(tmp_path)[0]._replace(path=folder) for folder in folders]
    for one in batch[:2]:
        one.marker.touch()
    log = tmp_path / "log"
    log.write_text(
        "wandb: [p/b] uploading summary\nwandb: ERROR [p/b] Fatal error while uploading data.\n"
        "wandb: [p/b] Finished syncing b\nwandb: ERROR Error initializing run: HTTP 500\n"
    )
    found = failures(batch, log)
    assert found[batch[1].name] == "[p/b] Fatal error while uploading data."
    assert "HTTP 500" in found[batch[2].name]
    assert len(found) == 2
    assert [one.marker.exists() for one in batch] == [True, False, False]


def test_a_folder_that_is_not_there(capsys, tmp_path):
    from poolab.cli import main

    assert main(["study", "sync", "--runs", str(tmp_path / "no")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main(["study", "sync", str(tmp_path), "--runs", "x"]) == 2
    assert "name two folders" in capsys.readouterr().err
    assert main(["study", "sync", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "0 of 0 runs uploaded\n"
    assert not list(tmp_path.iterdir())
