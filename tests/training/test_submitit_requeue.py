"""A run in a job of submitit that was stopped: requeued by submitit's own handler, unless SLURM ends the job."""

import signal

import pytest

from poolab.errors import PoolabError
from poolab.training import submitit_requeue


class Requeued(Exception):
    pass


@pytest.fixture
def states(tmp_path, monkeypatch):
    """A stand-in for squeue; the handler of USR2 stands in for submitit's."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")

    def requeue(*_):
        raise Requeued

    def says(state):
        (tmp_path / "squeue").write_text(f'#!/bin/sh\ntest "$2" = --jobs=12_3 && echo "{state}"\n')
        (tmp_path / "squeue").chmod(0o755)

    before = signal.signal(signal.SIGUSR2, requeue)
    yield says
    signal.signal(signal.SIGUSR2, before)


def test_a_job_that_runs_is_requeued(states):
    states("RUNNING")
    with pytest.raises(Requeued):
        submitit_requeue.requeue(interrupted=True)
    submitit_requeue.requeue(interrupted=False)


@pytest.mark.parametrize("state", ["COMPLETING", "PENDING", ""])
def test_a_job_that_is_cancelled_or_requeued_by_slurm_is_not(states, state):
    states(state)
    with pytest.raises(PoolabError, match="its job was not requeued"):
        submitit_requeue.requeue(interrupted=True)


def test_without_a_job_nothing_is_asked(monkeypatch):
    assert not submitit_requeue.still_running({})
    assert not submitit_requeue.still_running({"SLURM_JOB_ID": "1; rm -rf"})
