"""Submit a study as arrays of jobs: plan it whole, then submit every cell without a result and without a queued job."""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from poolab.errors import ConfigError, PoolabError
from poolab.study.job_factory import grouped, with_threads
from poolab.study.plan.plan import Plan, Planned, plan
from poolab.study.runner.locks import busy_elsewhere
from poolab.study.slurm.queue import look
from poolab.study.slurm.resources import Resources
from poolab.study.slurm.script import batch_script, option_names
from poolab.study.slurm.submission import Submission, folder_of
from poolab.study.slurm.tools import SlurmError, call, clean_environment, there
from poolab.study.sweep.cells import assignments, in_words
from poolab.study.sweep.sweep_file import Study

MAX_ARRAY = 1001  # SLURM's own MaxArraySize, where it cannot be asked
TRAPS = re.compile(r"[\x00-\x1f\x7f\"\\]")  # in a path: sbatch's lines have no way to say them


@dataclass(frozen=True)
class Sent:
    """The result of a submission: the arrays with their scripts, and the cells that were left out."""

    total: int
    finished: int
    queued: int
    elsewhere: int
    arrays: tuple[tuple[Submission, str], ...]
    added: tuple[str, ...]

    def __str__(self) -> str:
        """Return the last output of the command."""
        left = [(self.finished, "finished already"), (self.queued, "in the queue already")]
        left.append((self.elsewhere, "being run by another process"))
        count = sum(len(one.cells) for one, _ in self.arrays)
        jobs = ", ".join(f"{one.job or 'not submitted'} ({len(one.cells)})" for one, _ in self.arrays)
        head = f"{count} of {self.total} cells to run" + (f": job {jobs}" if jobs else ": nothing to submit")
        words = [f"with {' '.join(self.added)}: status and table find that by themselves"] if self.added else []
        return "\n".join(["; ".join([head, *(f"{number} {text}" for number, text in left if number)]), *words])


def submit(
    study: Study, extra: Sequence[str], resources: Resources, runs_dir: str | Path = "runs", dry_run: bool = False
) -> Sent:
    """Plan a study, and submit the cells that need a run; with `dry_run` only show what would be submitted.

    Raises:
        ConfigError: a cell that cannot be run, or not with these resources: all errors, and nothing is submitted.
        PoolabError: SLURM refuses; what was submitted before is told.
    """
    _check(study, extra)
    if not dry_run and not there("sbatch"):
        raise PoolabError("sbatch is not on the PATH: submit from a machine of the cluster, or look with --dry-run")
    folder = folder_of(runs_dir, study.name)
    if TRAPS.search(f"{folder}{os.getcwd()}"):
        raise ConfigError(
            f"the path {str(folder)!r} has a character that SLURM's options cannot have: choose another --runs"
        )
    added = resources.words(extra)
    made = plan(study, [*extra, *added, f"runs_dir={in_words(str(folder.parents[1]))}"])
    _check_tasks(made, resources)
    if dry_run:
        return _send(made, extra, added, resources, folder, dry_run)
    from poolab.study.plan.cache import remember

    remember(replace(made, extra=(*extra, *added)))
    with _alone(folder):
        return _send(made, extra, added, resources, folder, dry_run)


def _check(study: Study, extra: Sequence[str]) -> None:
    if study.method != "grid":
        raise ConfigError(
            f"{study.path} is a {study.method} study, whose cells are drawn one after the other: submit an array of "
            f"`wandb agent --count 1 SWEEP`, or `poolab study run` inside one allocation"
        )
    said = dict(assignments(extra))
    if "runs_dir" in said:
        raise ConfigError("set the folder of the runs with --runs, not with runs_dir=")
    if said.get("force", "false") != "false" or any(p.name == "force" for p in study.parameters):
        raise ConfigError(
            "force=true: a requeued job would start from scratch each time; delete the runs' folders instead"
        )


def _check_tasks(made: Plan, resources: Resources) -> None:
    """Raise an error that the run itself would raise only on its node, after a night in the queue."""
    from poolab.training import task_fault

    tasks = [resources.tasks] * resources.nodes
    errors = {task_fault(one.config.trainer, tasks) for one in made.cells} - {None}
    if any(one.config.trainer.accelerator == "cpu" for one in made.cells) and resources.gpus_per_node:
        errors.add("trainer.accelerator=cpu would leave the GPUs idle: leave out --gpus-per-node")
    if errors:
        raise ConfigError("\n".join(sorted(map(str, errors))))


def _send(
    made: Plan, extra: Sequence[str], added: list[str], resources: Resources, folder: Path, dry_run: bool
) -> Sent:
    runs_dir = folder.parents[1]
    queue = look(runs_dir)
    if queue.error and not dry_run:
        raise PoolabError(f"the queue cannot be asked, so that cells might be submitted twice: {queue.error}")
    left = [one for one in made.cells if one.signature not in made.finished]
    new = [one for one in left if one.signature not in queue.queued]
    free = [one for one in new if not busy_elsewhere(runs_dir, one.signature)]
    arrays = _arrays(free, extra, added, resources, folder)
    scripts = [(one, batch_script(one, resources, made.study.name, Path.cwd())) for one in arrays]
    sent = Sent(
        total=len(made.cells),
        finished=len(made.cells) - len(left),
        queued=len(left) - len(new),
        elsewhere=len(new) - len(free),
        arrays=tuple(scripts),
        added=tuple(added),
    )
    return sent if dry_run else replace(sent, arrays=tuple(_submitted(scripts, resources)))


def _arrays(
    cells: Sequence[Planned], extra: Sequence[str], added: list[str], resources: Resources, folder: Path
) -> list[Submission]:
    now = datetime.now(UTC)
    most = _max_array()
    parts = [cells[start : start + most] for start in range(0, len(cells), most)]
    return [
        Submission(
            path=folder / f"{now:%Y%m%d-%H%M%S-%f}-{os.getpid()}-{number}.json",
            submitted=now.isoformat(timespec="milliseconds"),
            user=os.getuid(),
            extra=list(extra),
            added=added,
            signatures=[one.signature for one in part],
            cells=[grouped(with_threads(one.config, resources.cpus_per_task), folder.stem).tree() for one in part],
        )
        for number, part in enumerate(parts)
    ]


def _submitted(scripts: list[tuple[Submission, str]], resources: Resources) -> Iterator[tuple[Submission, str]]:
    environ = clean_environment(option_names(resources))
    before: list[str] = []
    for one, script in scripts:
        # Several arrays each keep to --max-parallel, and all of them together only one after the other.
        after = [f"--dependency=afterany:{before[-1]}"] if before and resources.max_parallel else []
        try:
            one.write(script)
            told = call(["sbatch", "--parsable", *after, str(one.script)], environ)
        except (OSError, SlurmError) as error:
            one.forget()
            done = f" (submitted before that: job {', '.join(before)})" if before else ""
            raise PoolabError(f"nothing more was submitted: {error}{done}") from error
        done_one = replace(one, job=told.strip().split(";")[0])  # NUMBER;CLUSTER in a federation
        done_one.save()
        before.append(str(done_one.job))
        yield done_one, script


def _max_array() -> int:
    """Return how many jobs an array may have; 0 means that arrays are switched off."""
    try:
        found = re.search(r"MaxArraySize\s*=\s*(\d+)", call(["scontrol", "show", "config"]))
    except SlurmError:
        return MAX_ARRAY
    size = int(found[1]) if found else MAX_ARRAY
    if size == 0:
        raise PoolabError("this cluster has no job arrays (MaxArraySize is 0)")
    return size


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock, so that a study is submitted once at a time: another submit would submit the same cells."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
