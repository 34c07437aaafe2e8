"""`poolab study run` of a search, with a stand-in program: kill -9, two runners, the cap, failures."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from poolab.errors import ConfigError
from poolab.study.run import run_study
from poolab.study.runner.journal import Journal
from poolab.study.search.trials import trials_of
from poolab.study.status import counted, status
from poolab.study.sweep.sweep_file import read_study


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


DURABLE = 'trap "" TERM; sleep 0.05; echo "$*" >> done'


def study_file(script, cap=None, more=None):
    content = {
        "program": "s.sh",
        "method": "random",
        "parameters": {"a": {"min": 0.0, "max": 1.0}, "b": {"distribution": "normal"}},
        "command": ["sh", "${program}", "${args_no_hyphens}"],
        **({"run_cap": cap} if cap else {}),
        **(more or {}),
    }
    Path("s.sh").write_text(script)
    Path("s.yaml").write_text(yaml.safe_dump(content))
    return read_study("s.yaml")


def started(*options, **how):
    command = [sys.executable, "-m", "poolab", "study", "run", "s.yaml", "--workers", "2", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)


def done():
    return sorted(Path("done").read_text().splitlines()) if Path("done").exists() else []


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def drawn(study):
    return sorted(trial.what for trial in trials_of(study, Path("runs").resolve()).read())


def outcomes():
    return Counter(entry.get("outcome") for entry in Journal("runs/studies/s.jsonl").entries())


def test_a_random_study_of_a_program(place, capsys):
    study = study_file('echo "$*" >> done', 12)
    outcome = run_study(study, workers=3)
    assert (outcome.code, outcome.completed, outcome.total) == (0, 12, 12)
    assert done() == drawn(study)
    assert len(set(done())) == 12
    again = run_study(study)
    assert (again.code, again.earlier) == (0, 12)
    assert len(done()) == 12
    assert run_study(study, count=5).completed == 12  # no further ones
    assert run_study(study, ["b=0"], count=2).completed == 2
    assert sum(line.endswith("b=0") for line in done()) == 2
    states = counted(status(study, "runs"))
    assert states == {"completed": 12}
    capsys.readouterr()


def test_kill_9_of_the_runner_loses_no_trial_and_draws_none_twice(place):
    study = study_file(DURABLE, 30)
    runner = started()
    wait_for(lambda: len(done()) > 5)
    os.kill(runner.pid, signal.SIGKILL)
    runner.communicate(timeout=60)
    before = drawn(study)
    assert 5 < len(before) <= 30
    again = started()
    said = again.communicate(timeout=60)[0]
    assert again.returncode == 0, said
    assert done() == drawn(study)
    assert len(set(done())) == 30
    assert set(before) <= set(done())
    assert outcomes()["completed"] == 30


def test_two_runners_on_one_folder_keep_to_the_cap(place):
    study = study_file(DURABLE, 30)
    runners = [started() for _ in range(2)]
    said = [runner.communicate(timeout=60)[0] for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0], said
    assert len(done()) == len(set(done())) == 30
    assert done() == drawn(study)
    assert outcomes() == {"completed": 30}
    assert all("30 of 30 cells completed" in text for text in said)


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [3000, 8000])
def test_a_disk_that_is_full_for_the_trials_or_for_the_journal(place, size):
    """A limit on the size of files stands for it; first the one, then the other file is the longer one."""
    words = "x" * 400 if size == 3000 else "x"
    study = study_file(DURABLE, 20, {"parameters": {"a": {"min": 0.0, "max": 1.0}, words: {"value": 1}}})
    full = started(preexec_fn=limited(size))
    said = full.communicate(timeout=60)[0]
    assert full.returncode == 1, said
    assert "the disk is full" in said
    assert 0 < len(done()) < 20
    before = drawn(study)
    assert run_study(study).code == 0
    assert len(set(done())) == len(done()) == 20
    assert set(before) <= set(drawn(study))


def test_a_trial_that_fails_is_a_trial_and_the_next_run_tries_it_again(place):
    study = study_file('[ -e mended ] || case "$*" in *a=0.[0-4]*) exit 3;; esac; echo "$*" >> done', 8)
    outcome = run_study(study, retries=1, workers=2)
    failed = sum(trial.at["a"] < 0.5 for trial in trials_of(study, Path("runs").resolve()).read())
    assert (outcome.code, len(outcome.failed), outcome.completed) == (1, failed, 8 - failed)
    assert 0 < failed < 8
    Path("mended").touch()
    assert run_study(study).code == 0
    assert done() == drawn(study)


@pytest.mark.parametrize(("more", "options", "words"), [
    ({}, {}, "has no run_cap: say with --count N"),
    ({}, {"count": 0}, "--count must be at least 1"),
    ({}, {"count": 3, "sampler": "grid"}, "sampler must be one of tpe, random, genetic"),
    ({}, {"count": 3, "seed": -1}, "at least 0"),
    ({}, {"count": 3, "sampler": "tpe"}, "tpe needs a metric"),
    ({"method": "bayes", "metric": {"name": "loss"}}, {"count": 3}, "leaves no record to read them from"),
    ({"metric": {"name": "loss"}, "early_terminate": {"type": "hyperband", "min_iter": 3}}, {"count": 3}, "a history"),
    ({"method": "grid", "parameters": {"a": {"value": 1}}}, {"count": 3}, "is a grid"),
])  # fmt: skip
def test_what_cannot_be_searched(place, more, options, words):
    with pytest.raises(ConfigError, match=words):
        run_study(study_file("true", more=more), **options)
    assert not Path("runs").exists()


def test_the_help_and_the_states_need_no_optuna(place):
    code = (
        "import sys; from poolab.cli import main\n"
        "for words in (['--help'], ['run', '--help'], ['status', 's.yaml']):\n"
        "    try: main(['study', *words])\n"
        "    except SystemExit: pass\n"
        "assert not {'optuna', 'torch', 'hydra', 'scipy'} & sys.modules.keys(), sys.modules.keys()"
    )
    study = study_file("true", 3)
    with contextlib.suppress(KeyboardInterrupt):
        run_study(study)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
