"""A search over cells of train.py: early termination, kill -9, and what a grid makes of a cell that was stopped."""

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
from poolab.study.record_file import read_records
from poolab.study.run import run_study
from poolab.study.runner.journal import Journal
from poolab.study.search.samplers import Sampler
from poolab.study.search.space import Space
from poolab.study.search.trials import trials_of
from poolab.study.status import counted, status
from poolab.study.sweep.sweep_file import read_study
from tests.study.compared import compare

COMMAND = ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]
PARAMETERS = {"optim.lr": {"values": [0.01, 1.0e-7]}, "seed": {"values": [0, 1, 2]}}


@pytest.fixture
def study_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(name, method, **more):
        content = {"program": "train.py", "method": method, "command": COMMAND, "parameters": PARAMETERS, **more}
        Path(f"{name}.yaml").write_text(yaml.safe_dump(content))
        return read_study(f"{name}.yaml")

    return write


def first_two(study, seed):
    """What is drawn at random before TPE models anything."""
    space, drawer = Space(study), Sampler("tpe", "maximize", seed, 6)
    return [str(space.cell(drawer.draw(space, number, 0)[0])) for number in range(2)]


@pytest.mark.long
def test_a_search_that_is_killed_goes_on_and_stops_what_falls_behind(study_file, tiny):
    study = study_file(
        "s",
        "bayes",
        metric={"name": "val/accuracy", "goal": "maximize"},
        early_terminate={"type": "hyperband", "min_iter": 4, "eta": 3},
        run_cap=6,
    )
    words = [*tiny, "trainer.epochs=60"]
    # With two good ones at first, no order in which the runs end lets a bad one be among the best third.
    seed = next(seed for seed in range(100) if all("lr=0.01" in one for one in first_two(study, seed)))
    options = ["--workers", "2", "--seed", str(seed)]
    command = [sys.executable, "-m", "poolab", "study", "run", "s.yaml", *options, *words]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 100
    while sum(path.read_text().count("\n") > 1 for path in Path("runs").glob("*/history.jsonl")) < 2:
        assert runner.poll() is None, runner.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(runner.pid, signal.SIGKILL)
    runner.communicate()
    before = trials_of(study, Path("runs"), words).read()
    outcome = run_study(study, words, workers=2, seed=seed)
    trials = trials_of(study, Path("runs"), words).read()
    assert trials[: len(before)] == before
    assert (outcome.code, outcome.total, outcome.completed + outcome.stopped) == (0, 6, 6)
    assert len({trial.cell for trial in trials}) == 6
    slow = {trial.cell for trial in trials if "optim.lr=1e-07" in trial.what}
    ends = {one["cell"]: one for one in Journal(outcome.journal).entries()}
    stopped = {cell for cell, one in ends.items() if one["outcome"] == "stopped"}
    assert slow <= stopped  # and of the good ones those that others are ahead of
    assert all("not among the best 1/3 of" in ends[cell]["reason"] for cell in stopped)
    assert any("going on from its checkpoint" in path.read_text() for path in Path("runs/studies/s.logs").glob("*.log"))
    for cell in stopped:
        assert json.loads(Path(f"runs/{cell}/result.json").read_text())["status"] == "interrupted"
        assert Path(f"runs/{cell}/last.ckpt").exists()
    assert "optim.lr=0.01" in outcome.conclusion[1]

    assert counted(status(study, "runs", words)) == {"completed": 6 - len(stopped), "stopped": len(stopped)}
    arms = compare(study, read_records("runs"), words, runs=Path("runs"))
    assert sum(arm.stopped for arm in arms) == len(stopped)
    assert sum(len(arm.scores) for arm in arms) == 6 - len(stopped)
    assert not any(arm.failed or arm.missing for arm in arms)
    assert run_study(study, words).earlier == 6  # none of them is tried again

    grid = study_file("g", "grid")
    outcome = run_study(grid, words, workers=2)
    assert (outcome.code, outcome.completed, outcome.earlier) == (0, 6, 6 - len(stopped))
    logs = list(Path("runs/studies/g.logs").glob("*.log"))
    assert sum("going on from its checkpoint" in path.read_text() for path in logs) == len(stopped)


def test_everything_that_can_be_drawn_is_checked_before_anything_begins(study_file, tiny):
    study = study_file("s", "random", parameters={"pooling": {"value": "avg_topk"}, "pooling.k": {"min": -1, "max": 3}})
    with pytest.raises(ConfigError, match="k"):
        run_study(study, list(tiny), count=3)
    assert not Path("runs").exists()


def test_a_search_is_not_forced(study_file, tiny):
    with pytest.raises(ConfigError, match="force=true: a search continues its trials"):
        run_study(study_file("s", "random"), [*tiny, "force=true"], count=3)
