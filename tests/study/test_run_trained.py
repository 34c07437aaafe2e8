"""`poolab study run` with train.py: forked cells are as good as fresh ones, also when the runner is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from poolab.errors import ConfigError
from poolab.study.run import run_study
from poolab.study.runner.journal import Journal
from poolab.study.sweep.sweep_file import read_study

NOT_REPEATABLE = ("cost/peak_memory_bytes", "speed/", "seconds")
COMMAND = ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]


@pytest.fixture
def study_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parameters = {"pooling": {"values": ["max", "stochastic"]}, "seed": {"value": 3}}
    content = {"program": "train.py", "method": "grid", "parameters": parameters, "command": COMMAND}
    Path("s.yaml").write_text(yaml.safe_dump(content))
    return "s.yaml"


def records():
    found = [json.loads(path.read_text()) for path in Path("runs").glob("*/result.json")]
    return {record["config"]["pooling"]["name"]: record for record in found}


def repeatable(record):
    return {name: value for name, value in record["metrics"].items() if not name.startswith(NOT_REPEATABLE)}


@pytest.mark.processes
def test_a_study_whose_runner_is_killed_ends_as_runs_alone(study_file, tiny, launched, tmp_path):
    words = [*tiny, "trainer.epochs=12"]
    command = [sys.executable, "-m", "poolab", "study", "run", study_file, "--workers", "2", *words]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 100
    while sum(path.read_text().count("\n") > 1 for path in Path("runs").glob("*/history.jsonl")) < 2:
        assert runner.poll() is None, runner.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(runner.pid, signal.SIGKILL)
    runner.communicate()
    while len(records()) < 2:  # the fork server sees to it that they write their checkpoints
        assert time.monotonic() < end
        time.sleep(0.05)
    assert {record["status"] for record in records().values()} == {"interrupted"}

    outcome = run_study(read_study(study_file), words, workers=2)
    assert (outcome.code, outcome.completed, outcome.earlier) == (0, 2, 0)
    entries = Journal(outcome.journal).entries()
    assert [entry["outcome"] for entry in entries] == ["interrupted"] * 2 + ["completed"] * 2
    logs = sorted(Path("runs/studies/s.logs").glob("*.log"))
    assert sum("going on from its checkpoint" in log.read_text() for log in logs) == 2
    for pooling, record in records().items():
        alone, _, fresh = launched(tmp_path / "alone", "seed=3", "trainer.epochs=12", f"pooling={pooling}")
        assert fresh
        assert alone.signature == record["signature"]
        assert repeatable(alone.to_json()) == repeatable(record)
        assert alone.environment["threads"] == record["environment"]["threads"]


@pytest.mark.slow
def test_what_is_forked_has_one_thread_and_becomes_as_a_fresh_process():
    code = """if True:
        import os, signal, sys
        from poolab.study.runner.child import facts, import_for_runs, may_fork, settle
        import_for_runs("none")
        assert "pytorch_lightning" in sys.modules
        assert facts() == {"threads": 1, "cuda": False} and may_fork()
        import numpy, threadpoolctl, torch
        before = numpy.random.get_state()[1].tolist(), torch.initial_seed()
        if os.fork() == 0:
            settle()
            drawn, seed = numpy.random.get_state()[1].tolist(), torch.initial_seed()
            pools = threadpoolctl.ThreadpoolController().select(internal_api="openblas").info()
            print([pool["num_threads"] for pool in pools], drawn != before[0], seed == before[1], flush=True)
            os._exit(0)
        os.wait()
    """
    fresh = "import numpy, scipy.linalg, threadpoolctl as t; print([p['num_threads'] for p in t.threadpool_info()])"
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    said, wanted = (
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, env=environment).stdout
        for text in (code, fresh)
    )
    assert said.split("]")[1].split() == ["True", "True"]
    assert set(json.loads(said.split("]")[0] + "]")) == set(json.loads(wanted))


def test_a_cell_that_cannot_be_run_keeps_all_from_beginning(study_file):
    with pytest.raises(ConfigError, match="pooling"):
        run_study(read_study(study_file), ["pooling=avg_topk", "pooling.k=-1"])
    assert not Path("runs").exists()


def test_the_folder_is_said_with_runs(study_file):
    with pytest.raises(ConfigError, match="--runs"):
        run_study(read_study(study_file), ["runs_dir=elsewhere"])


def test_the_words_of_the_command_line(study_file, capsys):
    from poolab.cli import main

    with pytest.raises(SystemExit):
        main(["study", "run", "--help"])
    assert "--isolate" in capsys.readouterr().out
    assert main(["study", "run", study_file, "--workers", "0"]) == 2
    assert "workers must be between 1 and 256" in capsys.readouterr().err
