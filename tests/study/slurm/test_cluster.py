"""A real SLURM on this machine: arrays, their states, a killed job, preemption, the time limit, two nodes, cancel."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from poolab.cli import main

from .conftest import asked, until

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("cluster")]

NOT_REPEATABLE = ("cost/peak_memory_bytes", "speed/", "seconds")
COMMAND = "command: ['${env}', '${interpreter}', '${program}', '${args_no_hyphens}']\n"
# Python reads it at its start. A step of training then takes a tenth of a second, on any machine.
SLOW = """
import sys, threading, time
def patch():
    while not hasattr(sys.modules.get("poolab.training.module"), "Classifier"):
        time.sleep(0.05)
    classifier = sys.modules["poolab.training.module"].Classifier
    step = classifier.training_step
    classifier.training_step = lambda *words: (time.sleep(0.1), step(*words))[1]
threading.Thread(target=patch, daemon=True).start()
"""
TIMED = 80  # of half a second: SLURM looks every 30 s whether a limit is near
LONG = "trainer.epochs=60"  # of five steps each: some seconds


@pytest.fixture
def study(capsys):
    """`poolab study VERB ...` in this process: what it prints."""

    def call(*words, code=0):
        assert main(["study", *words]) == code
        return capsys.readouterr().out

    return call


def records():
    found = [json.loads(path.read_text()) for path in Path("runs").glob("*/result.json")]
    return {record["config"]["pooling"]["name"]: record for record in found}


def epochs():
    """The epochs in the history of each run, e.g. [[1, 2], [1]]."""
    paths = Path("runs").glob("*/history.jsonl")
    return [[json.loads(line)["epoch"] for line in path.read_text().splitlines()] for path in paths]


def logs(name):
    return [path.read_text() for path in sorted(Path(f"runs/studies/{name}.slurm").glob("*.logs/*.log"))]


def trained(runs=1, rows=2):
    return lambda: sum(len(found) >= rows for found in epochs()) >= runs


def over(name):
    return lambda: not asked("squeue", "--noheader", f"--name=poolab-{name}")


def task_of(name):
    """The process of a study's only running task."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "poolab.study.slurm.cell" in words[:5] and words[0] == sys.executable and f"/{name}.slurm/" in words[4]:
            return int(path.name)
    return pytest.fail("no task of it runs")


@pytest.fixture(scope="module")
def timed(cluster, tiny, tmp_path_factory):
    """A cell whose time limit is near as soon as it begins; it runs beside the other tests, and the last one looks."""
    place = tmp_path_factory.mktemp("timed")
    (place / "timed.yaml").write_text(
        "program: train.py\nmethod: grid\nparameters: {pooling: {value: avg}}\n" + COMMAND
    )
    (place / "sitecustomize.py").write_text(SLOW)
    words = ["timed.yaml", *tiny, f"trainer.epochs={TIMED}", "--setup", 'export PYTHONPATH="$PWD:$PYTHONPATH"']
    words += ["--time", "1", "--sbatch", "signal=USR1@45", "--sbatch", "nodelist=n2"]
    command = [sys.executable, "-m", "poolab", "study", "submit", *words]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    return place


def test_a_study_on_the_cluster_ends_as_runs_alone(timed, studied, study, tiny, launched, tmp_path):
    file = studied("s", ("max", "stochastic"))
    assert "2 of 2 cells to run: job" in study("submit", file, *tiny, "--time", "5")
    assert "2 in the queue already" in study("submit", file, *tiny, "--time", "5")
    until(lambda: "2 running" in study("status", file, *tiny), 30, "both to run")
    assert "on n" in study("status", file, *tiny)
    until(over("s"), 90, "the study")
    assert study("status", file, *tiny).startswith("2 runs: 2 completed")
    for pooling, record in records().items():
        alone, _, fresh = launched(tmp_path / "alone", "seed=3", f"pooling={pooling}")
        assert fresh
        assert alone.signature == record["signature"]
        assert repeatable(alone.to_json()) == repeatable(record)
    told = study("submit", file, *tiny, "--time", "5")
    assert told.endswith("0 of 2 cells to run: nothing to submit; 2 finished already\n")
    assert "max" in study("table", file, *tiny)


def repeatable(record):
    return {name: value for name, value in record["metrics"].items() if not name.startswith(NOT_REPEATABLE)}


def test_a_killed_job_is_failed_with_its_reason_and_submitted_again(studied, study, tiny):
    file = studied("killed")
    words = [file, *tiny, LONG]
    study("submit", *words, "--time", "5")
    until(trained(), 60, "two epochs")
    os.kill(task_of("killed"), signal.SIGKILL)
    until(over("killed"), 30, "its end")
    told = study("status", *words)
    assert told.startswith("1 runs: 1 failed")
    assert "(FAILED): task 0: killed, and resumes from its checkpoint" in told
    assert "requeued" not in logs("killed")[0]
    assert "1 of 1 cells to run" in study("submit", *words, "--time", "5")
    until(over("killed"), 90, "the second job")
    assert records()["max"]["status"] == "completed"
    assert "going on from its checkpoint" in logs("killed")[-1]
    assert epochs() == [list(range(1, 61))]


def test_a_preempted_run_goes_on_from_its_checkpoint(studied, study, tiny):
    file = studied("preempted")
    words = [file, *tiny, LONG]
    study("submit", *words, "--time", "5", "--partition", "debug", "--sbatch", "nodelist=n1")
    until(trained(), 60, "two epochs")
    urgent = ["--partition=urgent", "--nodelist=n1", "--exclusive", "--output=/dev/null", "--wrap=sleep 1"]
    asked("sbatch", *urgent)
    until(lambda: "1 waiting" in study("status", *words), 30, "the requeue")
    assert "stopped by SIGTERM" in logs("preempted")[0]
    until(over("preempted"), 90, "its end")
    (log,) = logs("preempted")
    assert log.count("poolab: requeued") == 1
    assert [line.split()[-1] for line in log.splitlines() if line.startswith("poolab: job")] == ["0", "1"]
    assert log.count("going on from its checkpoint") == 1
    assert epochs() == [list(range(1, 61))]  # none twice
    assert records()["max"]["status"] == "completed"


def test_two_processes_on_two_nodes(studied, study, tiny):
    file = studied("both")
    told = study("submit", file, *tiny, "--time", "5", "--nodes", "2")
    assert "with trainer=ddp trainer.devices=1 trainer.num_nodes=2" in told
    until(over("both"), 90, "its end")
    record = records()["max"]
    assert (record["status"], record["environment"]["processes"]) == ("completed", 2), logs("both")
    assert record["metrics"]["test/samples"] == 100
    assert study("status", file, *tiny).startswith("1 runs: 1 completed")
    assert "max" in study("table", file, *tiny)


def test_cancel_leaves_a_checkpoint_and_nothing_in_the_queue(studied, study, tiny):
    file = studied("cancelled", ("max", "avg"))
    words = [file, *tiny, "trainer.epochs=2000"]
    study("submit", *words, "--time", "5", "--max-parallel", "1")
    until(trained(), 60, "two epochs")
    assert study("status", *words).startswith("2 runs: 1 running, 1 waiting")
    other = asked("sbatch", "--parsable", "--hold", "--output=/dev/null", "--wrap=true").strip()
    assert study("cancel", file).startswith("cancelled 2 cells in the queue, 1 of them running: job ")
    until(over("cancelled"), 30, "the end of its jobs")
    assert asked("squeue", "--noheader", "--format=%i").split().count(other) == 1  # nobody else's
    asked("scancel", other)
    told = study("status", *words)
    assert told.startswith("2 runs: 1 missing, 1 interrupted")
    assert "was cancelled, and resumes from its checkpoint" in told
    assert "poolab: requeued" not in logs("cancelled")[0]
    assert records()["max"]["status"] == "interrupted"
    assert study("cancel", file) == "nothing of cancelled runs or waits: there is nothing to cancel\n"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_hydras_launcher(studied, tiny, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ["-m", "hydra/launcher=slurm", "hydra.launcher.timeout_min=5", "pooling=avg_topk", "pooling.k=2,9"]
    command = [sys.executable, "-m", "poolab", "train", *words, *tiny]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "k must be an int from 1 to 4 (the window has no more taps), found 9" in done.stderr
    assert [json.loads(path.read_text())["status"] for path in tmp_path.glob("runs/*/result.json")] == ["completed"]
    (script,) = tmp_path.glob("runs/multirun/*/.submitit/*/*_submission.sh")
    assert {"#SBATCH --requeue", "#SBATCH --open-mode=append"} <= set(script.read_text().splitlines())


def test_before_the_time_limit_a_run_is_requeued_with_its_checkpoint(timed, monkeypatch):
    monkeypatch.chdir(timed)
    until(over("timed"), 150, "its end")
    (log,) = logs("timed")
    assert "interrupted: stopped by SIGUSR1" in log
    assert "poolab: requeued" in log
    assert "TIME LIMIT" not in log
    assert records()["avg"]["status"] == "completed", log
    assert epochs() == [list(range(1, TIMED + 1))]
