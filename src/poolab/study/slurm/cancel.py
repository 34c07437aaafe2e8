"""Cancel a study's own jobs in the queue."""

from collections import Counter
from pathlib import Path

from poolab.study.slurm.queue import RUNNING, tasks
from poolab.study.slurm.submission import folder_of, submissions
from poolab.study.slurm.tools import call, there

MOST = 200  # arrays that one call of scancel names


def cancel(study: str, runs_dir: str | Path) -> list[str]:
    """Cancel the jobs of a study, and return which. Jobs that run write their checkpoints first.

    A job is the study's by the path of its batch script: a number from long ago may be somebody else's by now.

    Raises:
        SlurmError: SLURM cannot be asked, or refuses.
    """
    known = submissions(folder_of(runs_dir, study))
    if not known or not there("squeue"):
        return []
    queued = [task for task in tasks(known) if task.queued]
    arrays = Counter(task.job.split("_")[0] for task in queued)
    numbers = list(arrays)
    for start in range(0, len(numbers), MOST):
        call(["scancel", *numbers[start : start + MOST]])
    if not arrays:
        return []
    running = sum(task.state in RUNNING for task in queued)
    jobs = ", ".join(f"{number} ({count} cells)" for number, count in arrays.items())
    return [f"cancelled {len(queued)} cells in the queue, {running} of them running: job {jobs}"]
