"""`poolab report --wandb`: the real client against a server on loopback, and what is refused before that."""

import json

import pytest
import yaml

from poolab.cli import main
from poolab.errors import ConfigError
from poolab.study.wandb.report_run import read_target
from tests.report.made import drawn, saved, study
from tests.wandb_server import KEY, Client, Fault, WandbServer

FILES = {"index.html", "report.md", "results.json", "methods.txt", "tables/table.csv", "tables/table.tex"}


@pytest.fixture(scope="module")
def server():
    with WandbServer() as one:
        yield one


@pytest.fixture
def client(server, tmp_path):
    saved(study(drawn({"max": 0.80, "avg": 0.75, "lp": 0.80}, 6)), tmp_path / "small.jsonl")
    server.faults.clear()
    return Client(server, tmp_path)


def report(client, *words, code=0, **more):
    """`poolab report small.jsonl ...` to its end: what it printed."""
    return client.run("-m", "poolab", "report", "small.jsonl", "--formats", "svg", *words, code=code, **more)


def new_run(server, before):
    (name,) = set(server.runs) - before
    return server.runs[name]


@pytest.mark.services
def test_a_report_is_a_run_with_its_verdict_tables_page_and_files(client, server):
    before = set(server.runs)
    told = report(client, "--wandb", "lab/poolings")
    run = new_run(server, before)
    assert f"on W&B: {server.url}/lab/poolings/runs/{run.id}" in told
    assert not server.unknown
    assert (run.entity, run.project, run.state, run.name) == ("lab", "poolings", "finished", "report of small.jsonl")
    assert (run.told["jobType"], run.group) == ("report", "small.jsonl")
    sentence = "No arm is shown to be better than max. Of the other 2 arms, 1 is worse and 1 is undecided"
    verdict = run.summary["verdict"]
    assert verdict == run.told["notes"]
    assert verdict.startswith(sentence)
    assert verdict in " ".join(told.split())
    counts = {name: run.summary[f"arms/{name}"] for name in ("better", "worse", "equivalent", "undecided")}
    assert counts == {"better": 0, "worse": 1, "equivalent": 0, "undecided": 1}
    assert run.config["report"]["baseline"] == "max"
    page = (client.folder / "report" / "index.html").read_bytes()
    assert run.summary["report"]["_type"] == "html-file"
    assert run.files[run.summary["report"]["path"]] == page
    results = json.loads((client.folder / "report" / "results.json").read_text())
    shown = run.summary["table/digits-keras_cnn"]
    table = json.loads(run.files[shown["path"]])
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    arms = {arm["arm"]: arm for arm in results["settings"][0]["arms"]}
    assert [row["arm"] for row in rows] == list(arms)
    for row in rows:
        arm = arms[row["arm"]]
        assert row["difference"] == arm["difference"]
        assert [row["interval_low"], row["interval_high"]] == (arm["interval"] or [None, None])
    (artifact,) = [one for one in server.artifacts.values() if one.type == "report" and one.run == run.id]
    assert (artifact.name, artifact.state) == ("report-small.jsonl", "COMMITTED")
    assert artifact.files.keys() == {*FILES, "manifest"}
    assert json.loads(artifact.files["results.json"]) == results
    assert KEY not in told
    assert not list((client.folder / "report").glob("wandb*"))


@pytest.mark.services
def test_offline_the_run_waits_for_wandb_sync(client, server):
    before = set(server.runs)
    told = report(client, "--wandb", "poolings", WANDB_MODE="offline", WANDB_BASE_URL="http://127.0.0.1:1")
    (session,) = (client.folder / "report" / "wandb").glob("offline-run-*")
    assert f"for W&B, offline: wandb sync {session.relative_to(client.folder)}" in told
    assert set(server.runs) == before
    client.run("-m", "wandb", "sync", session)
    run = new_run(server, before)
    assert (run.project, run.state, run.summary["arms/worse"]) == ("poolings", "finished", 1)


@pytest.mark.services
@pytest.mark.parametrize("where", ["UpsertBucket", "CreateArtifact", "PUT results.json"])
def test_a_server_that_refuses_costs_one_sentence_and_no_report(client, server, where):
    server.faults.append(Fault(where, status=403))
    told = report(client, "--wandb", "strangers/poolings", code=2)
    assert "W&B did not take the report for strangers/poolings" in told
    assert "The report itself is complete in report; the same command tries again" in told
    assert "Traceback" not in told
    assert (client.folder / "report" / "index.html").exists()


@pytest.mark.services
def test_a_server_that_is_not_there_is_told_before_the_report_is_made(client):
    told = report(client, "--wandb", "lab/poolings", code=2, WANDB_BASE_URL="http://user:word@127.0.0.1:1")
    assert "W&B's server http://" in told
    assert "cannot be reached" in told
    assert "word" not in told
    assert not (client.folder / "report").exists()


@pytest.mark.services
def test_the_environment_names_the_run_and_its_group(client, server):
    before = set(server.runs)
    report(client, "--wandb", "lab/poolings", WANDB_NAME="mine", WANDB_RUN_GROUP="paper", WANDB_TAGS="a,b")
    run = new_run(server, before)
    assert (run.name, run.group, run.told["tags"]) == ("mine", "paper", ["a", "b"])


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A folder with records, and no W&B that is known."""
    for name in ("API_KEY", "BASE_URL", "CONFIG_DIR", "IDENTITY_TOKEN_FILE", "MODE", "DISABLED", "DIR"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    saved(study(drawn({"max": 0.80, "avg": 0.75}, 4)), tmp_path / "small.jsonl")
    return tmp_path


@pytest.mark.parametrize(("environment", "said"), [
    ({}, "W&B has no key for https://api.forge.coreweave.com: wandb login, or WANDB_API_KEY"),
    ({"WANDB_MODE": "online"}, "W&B has no key"),
    ({"WANDB_MODE": "disabled"}, "leaves W&B out: unset it"),
    ({"WANDB_DISABLED": "true"}, "leaves W&B out: unset it"),
])  # fmt: skip
def test_what_prevents_it_is_told_before_a_report_is_made(alone, monkeypatch, capsys, environment, said):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["report", "small.jsonl", "--wandb", "lab/poolings"]) == 2
    assert said in capsys.readouterr().err
    assert not (alone / "report").exists()


@pytest.mark.parametrize("text", ["", "/", "a/", "/b", "a/b/c", "https://wandb.ai/a", "a?b", "a#b"])
def test_a_name_that_is_no_project(text):
    with pytest.raises(ConfigError, match="name a project of W&B as ENTITY/PROJECT"):
        read_target(text)


@pytest.mark.services
def test_the_client_sends_the_keys_of_a_report_to_its_server_as_they_are(client):
    """The client neither refuses nor warns of margin and looks in a sweep file; so it is the server that judges them.

    W&B's schema of sweep files (package sweeps 0.3.0) has additionalProperties: false, so they are in a file beside it.
    """
    content = {"program": "train.py", "method": "grid", "parameters": {"seed": {"values": [0, 1]}}}
    keys = {"margin": 0.3, "looks": [3, 5, 8]}
    (client.folder / "s.yaml").write_text(yaml.safe_dump({**content, **keys}))
    sweep, told = client.sweep("s.yaml")
    assert {key: sweep.config[key] for key in keys} == keys
    assert "WARNING" not in told
    assert "ERROR" not in told
    (client.folder / "t.yaml").write_text(yaml.safe_dump(content))
    (client.folder / "t.report.yaml").write_text(yaml.safe_dump(keys))
    sweep, told = client.sweep("t.yaml")
    assert sweep.config == content
    assert "WARNING" not in told
