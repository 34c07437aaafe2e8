"""What a run sends to W&B beside its figures: the real client against a server on loopback, online and afterwards."""

import json
from pathlib import Path

import pytest

from tests.wandb_server import Client, WandbServer

ALL = ("tracker.tags=[a,b]", "tracker.log_model=true", "tracker.export_model=true")
NONE = ("tracker.pictures=false", "tracker.learning_rate=false")


@pytest.fixture
def server():
    with WandbServer() as one:
        yield one


def trained(server, folder, tiny, *words):
    """A run in a folder of its own: the client, the run at the server (None: it has none yet), the run's folder."""
    client = Client(server, folder)
    client.poolab("train", *[word for word in tiny if word != "tracker=none"], *words)
    (own,) = [path.parent for path in Path(folder).glob("runs/*/result.json")]
    return client, next(iter(server.runs.values()), None), own


def pictures(run):
    return {row_key for row in run.history for row_key in row if row_key.startswith("pictures/")}


def check_all(server, run, own):
    rows = [json.loads(line) for line in (own / "history.jsonl").read_text().splitlines()]
    rates = {row["epoch"]: row["learning_rate"] for row in run.history if "learning_rate" in row}
    assert rates == {row["epoch"] - 1: pytest.approx(row["learning_rate"]) for row in rows}
    assert sorted(run.told["tags"]) == ["a", "b"]
    assert pictures(run) == {"pictures/samples", "pictures/confusion"}
    sent = {name.split("/")[3].partition("_")[0]: name for name in run.files if name.startswith("media/images/")}
    for name in ("samples", "confusion"):
        assert run.files[sent[name]] == (own / f"{name}.png").read_bytes()
    (artifact,) = server.store.artifacts.values()
    assert (artifact.name, artifact.type, artifact.run, artifact.state) == (
        f"model-{own.name}",
        "model",
        run.id,
        "COMMITTED",
    )
    assert artifact.files["last.ckpt"] == (own / "last.ckpt").read_bytes()
    assert artifact.files["model.json"] == (own / "model.json").read_bytes()
    assert artifact.files["model.onnx"] == (own / "model.onnx").read_bytes()
    kept = json.loads(artifact.files["result.json"])
    assert kept["metrics"] == json.loads((own / "result.json").read_text())["metrics"]
    assert run.state == "finished"
    assert not server.unknown


@pytest.mark.services
def test_pictures_rate_tags_and_model_arrive(server, tiny, tmp_path):
    _, run, own = trained(server, tmp_path, tiny, "tracker=wandb_online", *ALL)
    check_all(server, run, own)


@pytest.mark.services
def test_they_arrive_from_a_run_without_a_server_too(server, tiny, tmp_path):
    client, run, own = trained(server, tmp_path, tiny, "tracker=wandb_offline", *ALL)
    assert run is None
    client.poolab("study", "sync", "runs")
    check_all(server, next(iter(server.runs.values())), own)


@pytest.mark.services
def test_they_are_left_out_where_they_are_switched_off(server, tiny, tmp_path):
    _, run, own = trained(server, tmp_path, tiny, "tracker=wandb_online", *NONE)
    assert pictures(run) == set()
    assert not any("learning_rate" in row for row in run.history)
    assert not any(name.startswith("media/") for name in run.files)
    assert server.store.artifacts == {}
    assert run.summary["status"] == "completed"
    assert (own / "samples.png").exists()  # beside the record they are
