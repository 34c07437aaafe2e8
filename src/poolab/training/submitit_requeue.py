"""A run in a job of submitit (Hydra's `hydra/launcher=slurm`): requeue the job when the run was stopped."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping

from poolab.errors import PoolabError

SECONDS = 20  # for an answer of squeue


def requeue(interrupted: bool) -> None:
    """Have submitit requeue the job of a run that was stopped, which then continues from the checkpoint.

    submitit requeues inside its handler of USR2, in the middle of a training step. So the run takes the signal over,
    stops between two steps, gives the handler back, and the signal is raised again here.

    Raises:
        PoolabError: the job is not requeued, since SLURM itself ends it (scancel, or a preemption that requeues).
    """
    if not interrupted:
        return
    if still_running(os.environ):
        signal.raise_signal(signal.SIGUSR2)  # does not return where the job is requeued
    raise PoolabError("the run was stopped and its job was not requeued; the same command resumes from its checkpoint")


def still_running(environ: Mapping[str, str]) -> bool:
    """Return True if SLURM has this job as running. (A job that it cancels must not be requeued.)"""
    array, index = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{index}" if array else environ.get("SLURM_JOB_ID", "")
    if not re.fullmatch(r"\d+(_\d+)?", job):
        return False
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%T"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.stdout.strip() == "RUNNING"
