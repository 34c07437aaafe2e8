"""What W&B did not get while a run was made is told at its end, and reaches the server with `poolab study sync`."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from poolab.study.wandb.sessions import sessions
from tests.wandb_server import Client, Fault, WandbServer

WORDS = ("trainer.epochs=3", "tracker.finish_timeout=20")


@pytest.fixture
def server():
    with WandbServer() as one:
        yield one


@pytest.fixture
def client(server, tmp_path):
    return Client(server, tmp_path)


def record_of(client):
    (path,) = client.folder.glob("runs/*/result.json")
    return json.loads(path.read_text())


def arrived(client, server):
    """Whether the one run is whole at the server: its record's figures, and each epoch's row once."""
    record = record_of(client)
    (run,) = [one for one in server.runs.values() if one.summary.get("signature") == record["signature"]]
    assert {name: run.summary[name] for name in record["metrics"]} == pytest.approx(record["metrics"])
    epochs = [row["epoch"] for row in run.history if "val/accuracy" in row]
    return epochs == list(range(int(record["metrics"]["epochs"])))


@pytest.mark.services
@pytest.mark.parametrize("where", ["file_stream", "UpsertBucket"])
def test_a_server_that_refuses_is_told_of_and_has_all_later(client, server, tiny, where):
    server.faults.append(Fault(where, status=403))
    told = client.poolab("train", *tiny, *WORDS, "tracker=wandb_online")
    assert record_of(client)["status"] == "completed"
    if where == "file_stream":
        assert "its server refused a part" in told
        assert "`poolab study sync` sends the rest" in told
    else:
        assert "this run is tracked offline" in told
    assert "0 of 1 runs uploaded" in client.poolab("study", "sync", "runs", code=1, WANDB__FILE_STREAM_RETRY_MAX="1")
    server.faults.clear()
    assert "1 of 1 runs uploaded" in client.poolab("study", "sync", "runs")
    assert arrived(client, server)
    assert "0 of 0 runs uploaded, 1 were before" in client.poolab("study", "sync", "runs")


@pytest.mark.services
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_run_whose_wandb_process_dies_or_hangs_is_written_down_again(client, server, tiny, mode, how):
    words = [*tiny, "trainer.epochs=100", "tracker.finish_timeout=10", f"tracker=wandb_{mode}"]
    process = client.start("-m", "poolab", "train", *words)
    end = time.monotonic() + 100
    while not list(client.folder.glob("runs/*/history.jsonl")):
        assert time.monotonic() < end
        time.sleep(0.02)
    (core,) = [child for child in children(process.pid) if b"wandb-core" in command(child)]
    os.kill(core, how)
    told = process.communicate(timeout=200)[0]
    assert process.returncode == 0, told
    assert record_of(client)["status"] == "completed"
    assert "the run was written down again for W&B" in told
    assert "Traceback" not in told
    assert "1 of 1 runs uploaded" in client.poolab("study", "sync", "runs")
    assert arrived(client, server)
    assert len(server.runs) == 1  # not a second one beside that which was lost


def children(process):
    found = [path.read_text().split() for path in Path(f"/proc/{process}/task").glob("*/children")]
    return [int(child) for some in found for child in some]


def command(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.services
def test_data_that_lie_in_wandb_dir_are_found(client, server, tiny):
    place = {"WANDB_DIR": str(client.folder / "elsewhere"), "WANDB_PROJECT": "mine", "WANDB_NAME": "n"}
    client.poolab("train", *tiny, *WORDS, "tracker=wandb_auto", **place)
    assert not list(client.folder.glob("runs/*/wandb"))
    assert "1 of 1 runs uploaded" in client.poolab("study", "sync", "runs", **place)
    (run,) = server.runs.values()
    assert (run.project, run.name) == ("mine", "n")
    assert arrived(client, server)


@pytest.mark.services
def test_a_login_in_the_servers_address_is_printed_and_written_nowhere(client, server, tiny):
    address = server.url.replace("http://", "http://me:hunter22@")
    own = {"WANDB_BASE_URL": address, "WANDB_API_KEY": ""}
    told = client.poolab("train", *tiny, *WORDS, "tracker=wandb_online", **own)
    assert "W&B has no key" in told
    told += client.poolab("study", "sync", "runs", code=2, **own)
    server.die()
    own = {"WANDB_BASE_URL": address, "HTTPS_PROXY": "http://me:hunter22@127.0.0.1:9"}
    told += client.poolab("study", "sync", "runs", code=2, **own)
    assert "cannot be reached" in told
    assert "hunter22" not in told
    ours = [path for path in client.folder.glob("runs/**/*") if path.is_file() and "wandb" not in path.parts]
    assert len(ours) > 3
    assert not [path for path in ours if b"hunter22" in path.read_bytes()]


def made(runs, name):
    folder = runs / "0123456789ab" / "wandb" / name
    folder.mkdir(parents=True)
    (runs / "0123456789ab" / "result.json").write_text(json.dumps({"status": "completed", "reason": None}))


@pytest.mark.parametrize(("online", "offline"), [("zzzz", "aaaa"), ("aaaa", "zzzz")])
def test_an_offline_session_of_the_same_second_came_behind(tmp_path, online, offline):
    made(tmp_path, f"run-20260101_100000-{online}")
    made(tmp_path, f"offline-run-20260101_100000-{offline}")
    assert [one.id for one in sessions(tmp_path)] == [offline]


@pytest.mark.parametrize("content", ['{"status": "unknown"}', "", "[]", '{"status": ["completed"]}'])
def test_a_damaged_record_holds_no_upload_up(tmp_path, content):
    made(tmp_path, "offline-run-20260101_100000-a")
    (tmp_path / "0123456789ab" / "result.json").write_text(content)
    assert [one.state for one in sessions(tmp_path)] == ["unfinished"]
