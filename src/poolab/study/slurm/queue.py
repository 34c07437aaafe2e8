"""The states of a study's jobs in SLURM: one call of squeue for all, which also knows those that have just ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from poolab.study.slurm.submission import Submission, all_submissions
from poolab.study.slurm.tools import SlurmError, call, there

WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT")
RUNNING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
FORMAT = "%F|%K|%T|%r|%N|%o"  # array, index, state, reason, nodes; the path of the script may have a |


@dataclass(frozen=True)
class Task:
    """One job of an array: `job` is its number and index, e.g. 12_3."""

    job: str
    state: str
    reason: str
    nodes: str
    submission: Submission
    index: int

    @property
    def queued(self) -> bool:
        """True if the job waits or runs."""
        return self.state in WAITING or self.state in RUNNING

    @property
    def log(self) -> Path:
        """The log of the job."""
        return self.submission.logs / f"{self.index}.log"

    def __str__(self) -> str:
        """Return the job's number, and its state and reason in SLURM."""
        if self.state == "RUNNING":
            return f"job {self.job} on {self.nodes}"
        said = [text for text in (self.state, self.reason) if text not in ("PENDING", "None", "")]
        return f"job {self.job}: {', '.join(said)}" if said else f"job {self.job}"


@dataclass(frozen=True)
class Queue:
    """The last job of every run that was submitted; `error` says why SLURM could not be asked."""

    tasks: dict[str, Task] = field(default_factory=dict)  # by the run's signature
    submitted: dict[str, Submission] = field(default_factory=dict)  # the last one of each run
    error: str | None = None

    @property
    def queued(self) -> frozenset[str]:
        """The signatures of the runs that wait or run."""
        return frozenset(name for name, task in self.tasks.items() if task.queued)

    @cached_property
    def accounted(self) -> dict[str, str]:
        """Return the states of jobs that squeue has forgotten, e.g. {"12_3": "FAILED"}; empty without accounting."""
        numbers = sorted({one.job for name, one in self.submitted.items() if one.job and name not in self.tasks})
        if not numbers or not there("sacct"):
            return {}
        form = ["--noheader", "--parsable2", "--allocations", "--format=JobID,State"]
        try:
            told = call(["sacct", *form, f"--jobs={','.join(numbers)}"])
        except SlurmError:  # "accounting storage is disabled"
            return {}
        pairs = (line.partition("|") for line in told.splitlines())
        return {job: state.split()[0] for job, _, state in pairs if state}  # CANCELLED by 0


def look(runs_dir: str | Path) -> Queue:
    """Return the queue's part of a folder. Without a submission, or without SLURM, nothing is asked."""
    found = all_submissions(runs_dir)
    if not found or not there("squeue"):
        return Queue()
    submitted = {name: one for one in found for name in one.signatures}
    try:
        told = tasks(found)
    except SlurmError as error:
        return Queue(submitted=submitted, error=str(error))
    last: dict[str, Task] = {}
    for task in told:
        name = task.submission.signatures[task.index]
        if name not in last or _rank(task) > _rank(last[name]):
            last[name] = task
    return Queue(last, submitted)


def tasks(known: Sequence[Submission]) -> list[Task]:
    """Return the jobs of these submissions: all that wait or run, and the ended ones that SLURM still keeps.

    Raises:
        SlurmError: SLURM cannot be asked.
    """
    if not known:
        return []
    users = ",".join(sorted({str(one.user) for one in known}))
    words = ["squeue", "--noheader", "--array", "--states=all", f"--user={users}", f"--format={FORMAT}"]
    scripts = {str(one.script): one for one in known}
    found = []
    for line in call(words).splitlines():
        array, index, state, reason, nodes, script = line.split("|", 5)
        if script in scripts and index.isdigit() and int(index) < len(scripts[script].cells):
            found.append(Task(f"{array}_{index}", state, reason, nodes, scripts[script], int(index)))
    return found


def _rank(task: Task) -> tuple[bool, str, int]:
    return task.queued, task.submission.submitted, int(task.job.split("_")[0])
