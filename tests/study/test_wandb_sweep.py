"""A study file at W&B: the real client against a server on loopback."""

import json
import shutil
import time
from pathlib import Path

import pytest
import yaml

from poolab.study import grid_cells, read_study
from poolab.study.plan.plan import plan
from tests.wandb_server import KEY, Client, WandbServer, as_sent

COMMAND = ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]
NOT_REPEATABLE = ("cost/peak_memory_bytes", "speed/", "seconds")
SWEEPS = Path(__file__).parents[2] / "sweeps"
STUDIES = sorted(
    path.relative_to(SWEEPS).as_posix() for path in SWEEPS.rglob("*.yaml") if not path.name.endswith(".report.yaml")
)
FLAT = ("test/accuracy", "val/accuracy", "cost/peak_memory_bytes", "cost/parameters", "speed/train_images_per_s")


@pytest.fixture(scope="module")
def server():
    with WandbServer() as one:
        yield one


@pytest.fixture
def client(server, tmp_path, pytestconfig):
    return prepared(server, tmp_path, pytestconfig)


def prepared(server, folder, pytestconfig):
    """A folder with train.py in it, as a checkout has."""
    shutil.copy(pytestconfig.rootpath / "train.py", folder)
    return Client(server, folder)


def study_file(folder, tiny, **parameters):
    """A study of tiny runs, which says nothing of the tracker, as those in sweeps/."""
    settings = dict(word.split("=") for word in tiny if word != "tracker=none")
    fixed = {name: {"value": yaml.safe_load(value)} for name, value in settings.items() if name not in parameters}
    swept = {name: {"values": values} for name, values in parameters.items()}
    content = {"program": "train.py", "method": "grid", "command": COMMAND}
    parameters = {**swept, **fixed, "trainer.gradient_clip": {"value": None}}  # W&B would write None
    (folder / "s.yaml").write_text(yaml.safe_dump({**content, "parameters": parameters}, sort_keys=False))
    return folder / "s.yaml"


def records(folder):
    found = [json.loads(path.read_text()) for path in (folder / "runs").glob("*/result.json")]
    return {record["signature"]: record for record in found}


def until(true, process, seconds=60):
    """Wait until something is true while a process runs."""
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def swept(server, tiny, tmp_path_factory, pytestconfig):
    """A grid of four points, run by two agents: the folder, the file, the sweep, and all that was printed."""
    folder = tmp_path_factory.mktemp("swept")
    client = prepared(server, folder, pytestconfig)
    study_file(folder, tiny, pooling=["max", "avg_topk"], seed=[0, 1]).rename(folder / "grid.yaml")
    file = folder / "grid.yaml"
    sweep, told = client.sweep("grid.yaml")
    agents = [client.agent(sweep), client.agent(sweep)]
    told += "".join(agent.communicate(timeout=200)[0] for agent in agents)
    assert [agent.returncode for agent in agents] == [0, 0], told
    return client, file, sweep, told


@pytest.mark.services
def test_every_point_of_the_grid_runs_once(swept):
    _, _, sweep, told = swept
    points = [(run.config["pooling"], run.config["seed"]) for run in sweep.runs]
    assert sorted(points) == [("avg_topk", 0), ("avg_topk", 1), ("max", 0), ("max", 1)]
    assert {(run.state, run.exit_code, run.sessions) for run in sweep.runs} == {("finished", 0, 1)}, told
    assert sweep.next_point() is None


@pytest.mark.services
def test_the_summary_has_the_figures_of_the_record(swept):
    client, _, sweep, _ = swept
    found = records(client.folder)
    assert len(found) == 4
    for run in sweep.runs:
        record = found[run.summary["signature"]]
        assert run.summary["status"] == record["status"] == "completed"
        assert {name: run.summary[name] for name in record["metrics"]} == pytest.approx(record["metrics"])
        assert set(FLAT) <= record["metrics"].keys()


@pytest.mark.services
def test_a_swept_group_keeps_its_value_and_cfg_has_its_settings(swept):
    client, _, sweep, _ = swept
    for run in sweep.runs:
        config = records(client.folder)[run.summary["signature"]]["config"]
        assert run.config["pooling"] == run.config["cfg"]["pooling"]["name"]
        assert run.config["cfg"] == as_sent(config)
        assert (run.config["cfg"]["pooling"].get("k") == 2) is (run.config["pooling"] == "avg_topk")


@pytest.mark.services
def test_the_signatures_are_those_of_the_plan(swept):
    client, file, _, _ = swept
    planned = [one.signature for one in plan(read_study(file)).cells]
    assert sorted(planned) == sorted(records(client.folder))


@pytest.mark.services
def test_the_records_are_those_of_a_local_study_which_is_a_group(swept, server):
    client, _, _, _ = swept
    before = set(server.runs)
    client.poolab("study", "run", "grid.yaml", "--workers", "2", "--runs", "local/runs", "tracker=wandb_online")
    local = records(client.folder / "local")
    runs = [server.runs[name] for name in set(server.runs) - before]
    assert {(run.state, run.group, run.sweep, run.project) for run in runs} == {("finished", "grid", None, "poolab")}
    assert sorted(run.summary["signature"] for run in runs) == sorted(local)
    assert local.keys() == records(client.folder).keys()
    for name, record in records(client.folder).items():
        assert {key: record[key] for key in ("status", "seed")} == {key: local[name][key] for key in ("status", "seed")}
        assert repeatable(record) == repeatable(local[name])


def repeatable(record):
    return {name: value for name, value in record["metrics"].items() if not name.startswith(NOT_REPEATABLE)}


@pytest.mark.services
def test_the_key_is_in_no_file_and_nothing_printed(swept):
    client, _, _, told = swept
    files = [path for path in client.folder.rglob("*") if path.is_file()]
    assert len(files) > 80
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert KEY not in told


@pytest.mark.services
def test_points_that_were_finished_before_have_their_figures_too(swept, server, tiny):
    client, _, first, _ = swept
    study_file(client.folder, tiny, pooling=["max", "avg_topk"], seed=[1])
    before = {path: path.stat().st_mtime_ns for path in client.folder.glob("runs/*/result.json")}
    sweep, _ = client.sweep("s.yaml")
    told = client.agent(sweep).communicate(timeout=200)[0]
    assert {path: path.stat().st_mtime_ns for path in client.folder.glob("runs/*/result.json")} == before
    assert told.count("completed earlier, not run again") == 2
    earlier = {run.summary["signature"]: run for run in first.runs}
    assert len(sweep.runs) == 2
    for run in sweep.runs:
        other = earlier[run.summary["signature"]]
        assert (run.state, run.config) == ("finished", {**other.config, "_wandb": run.config["_wandb"]})
        assert measured(run.summary) == measured(other.summary)
        accuracy = [[row["val/accuracy"] for row in one.history if "val/accuracy" in row] for one in (run, other)]
        assert accuracy[0] == pytest.approx(accuracy[1])
        assert len(accuracy[0]) == 2
    assert not server.unknown


def measured(summary):
    """Return the figures, and the pictures by their content: W&B puts the number of the row into a file's name."""
    return {
        name: value["sha256"] if name.startswith("pictures/") else value
        for name, value in summary.items()
        if "/" in name
    }


@pytest.mark.services
def test_an_early_stop_leaves_a_record_and_an_agent_that_goes_on(client, server, tiny):
    study_file(client.folder, tiny, **{"seed": [0, 1], "trainer.epochs": [100000]})
    sweep, _ = client.sweep("s.yaml")
    agent = client.agent(
        sweep, WANDB_AGENT_MAX_INITIAL_FAILURES="1"
    )  # it would give up at the first failure, not the fifth
    for number in range(2):
        until(lambda at=number: len(sweep.runs) > at and sweep.runs[at].history, agent)
        server.stop(sweep.runs[number].id)
    told = agent.communicate(timeout=100)[0]
    assert agent.returncode == 0, told
    found = records(client.folder)
    assert {(one["status"], one["reason"]) for one in found.values()} == {("interrupted", "stopped by SIGTERM")}
    assert [(run.state, run.summary["status"]) for run in sweep.runs] == [("finished", "interrupted")] * 2
    for run in sweep.runs:
        rows = (client.folder / "runs" / run.summary["signature"] / "history.jsonl").read_text().splitlines()
        assert len([row for row in run.history if "val/accuracy" in row]) == len(rows)


@pytest.mark.services
def test_a_server_that_dies_holds_no_run_up(client, server, tiny):
    words = [word for word in tiny if word not in ("tracker=none", "trainer.epochs=2")]
    words += ["tracker=wandb_online", "tracker.finish_timeout=2", "trainer.epochs=100"]
    before = set(server.runs)
    process = client.start("train.py", *words)
    try:
        until(lambda: set(server.runs) - before, process)
        server.die()
        told = process.communicate(timeout=100)[0]
        ended = time.time()
    finally:
        server.start()
    assert process.returncode == 0, told
    assert ended - next(client.folder.glob("runs/*/result.json")).stat().st_mtime < 30  # 2 and the end of a process
    (record,) = records(client.folder).values()
    assert (record["status"], record["metrics"]["epochs"]) == ("completed", 100)
    assert "`poolab study sync` sends the rest" in told
    (folder,) = client.folder.glob("runs/*/wandb/run-*")
    assert (folder / "unsent").exists()
    assert "1 of 1 runs uploaded" in client.poolab("study", "sync", "runs")
    run = server.runs[folder.name.rpartition("-")[2]]
    assert (run.state, run.summary["test/accuracy"]) == ("finished", pytest.approx(record["metrics"]["test/accuracy"]))
    assert {row["epoch"] for row in run.history if "val/accuracy" in row} == set(range(100))


@pytest.mark.services
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_a_sweep_for_the_client(client, server, name):
    path = SWEEPS / name
    sweep, told = client.sweep(path)
    sent = sweep.config
    for parameter in sent["parameters"].values():
        if parameter.get("distribution") in ("int_uniform", "uniform"):
            del parameter["distribution"]  # the client writes out what it takes for granted
    wanted = yaml.safe_load(path.read_text())
    for parameter in wanted["parameters"].values():
        if parameter.get("distribution") in ("int_uniform", "uniform"):
            del parameter["distribution"]
    assert sent == wanted
    assert "WARNING" not in told


def test_the_stand_in_steps_through_a_grid_as_a_study_does(tmp_path, tiny):
    file = study_file(tmp_path, tiny, pooling=["max", "avg"], seed=[0, 1, 2])
    store = WandbServer().store
    sweep = store.new_sweep("team", "p", file.read_text())
    points = []
    while (point := sweep.next_point()) is not None:
        points.append(point)
        store.hand_out(sweep, point)
    assert points == [dict(cell.values) for cell in grid_cells(read_study(file))]


def test_a_swept_key_that_a_run_writes_into_makes_its_point_come_again(tmp_path, tiny):
    file = study_file(tmp_path, tiny, pooling=["max", "avg"])
    store = WandbServer().store
    sweep = store.new_sweep("team", "p", file.read_text())
    first = sweep.next_point()
    run = store.hand_out(sweep, first)
    assert sweep.next_point() != first
    run.told["config"] = json.dumps({"pooling": {"value": {"name": "max"}}, "seed": {"value": 0}})
    assert sweep.next_point() == first
