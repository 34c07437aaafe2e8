"""`poolab study run`: run a study on this machine, without a server; it continues from where it was."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from poolab.errors import INTERRUPTED, ConfigError, PoolabError
from poolab.records import RunFolder
from poolab.study.folders import expanded, runs_folder
from poolab.study.job_factory import Programs, Trained
from poolab.study.runner.connection import early_link
from poolab.study.runner.jobs import Files, Job
from poolab.study.runner.outcomes import Ending
from poolab.study.runner.progress import Progress
from poolab.study.runner.registry import announced
from poolab.study.runner.scheduler import Scheduler
from poolab.study.runner.sources import JobSource, Listed
from poolab.study.runner.state import State
from poolab.study.search.setup import conclusion, search
from poolab.study.sweep.sweep_file import Study

RETRIES = 2
WORKERS = 256  # a runner holds a file for each, and may often have 1,024 in all
ISOLATIONS = ("auto", "fork", "spawn")


@dataclass(frozen=True, repr=False)
class Outcome:
    """The result of a study: counts of cells, and `code`, the exit code of the command."""

    total: int
    completed: int
    diverged: int
    earlier: int
    failed: Mapping[str, Ending]  # by the cell's key
    interrupted: bool
    error: str | None
    journal: Path
    stopped: int = 0
    conclusion: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code: 0 if every cell has a result, 130 if the study was stopped, else 1."""
        if self.interrupted:
            return INTERRUPTED
        return 0 if self.completed + self.diverged + self.stopped == self.total and self.error is None else 1

    def __str__(self) -> str:
        """Return the last output of the command."""
        parts = [f"{self.completed} of {self.total} cells completed"]
        parts += [f"{self.diverged} diverged"] if self.diverged else []
        parts += [f"{self.stopped} stopped early"] if self.stopped else []
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        parts += [f"{self.earlier} were there before"] if self.earlier else []
        again = "; the same command resumes here" if self.code else ""
        lines = [self.error] if self.error else []
        return "\n".join([*lines, f"{', '.join(parts)}{again}", *self.conclusion, f"journal: {self.journal}"])

    __repr__ = __str__  # what a notebook shows


def run_study(
    study: Study,
    extra: Sequence[str] = (),
    *,
    workers: int = 1,
    runs_dir: str | Path | None = None,
    retries: int = RETRIES,
    isolate: str = "auto",
    count: int | None = None,
    sampler: str | None = None,
    seed: int = 0,
    only_measure: bool = False,
) -> Outcome:
    """Run every cell of a study that has no result yet, `workers` at a time; a search draws its cells first.

    Args:
        extra: key=value pairs for every cell.
        runs_dir: the folder of the runs; the file's own where it names one, else `runs`.
        retries: how often a cell that crashed or was killed is tried again. One that diverges is a result.
        isolate: "fork" copies a process that has the imports for each cell of train.py, "spawn" starts each afresh;
            "auto" forks where there is no accelerator.
        count: how many runs a search has in all, beside the file's run_cap.
        sampler: "tpe", "random" or "genetic"; None is random for method: random, and tpe for method: bayes.
        seed: of a search's draws.
        only_measure: leave out the cells that are not trained yet; the others get the measures that they lack.

    Raises:
        ConfigError: a cell cannot be run; all errors at once, and nothing has begun.
        PoolabError: the process that starts the cells cannot live.
    """
    if not 1 <= workers <= WORKERS or retries < 0:
        raise ConfigError(
            f"workers must be between 1 and {WORKERS} and retries at least 0, found {workers} and {retries}"
        )
    if isolate not in ISOLATIONS:
        raise ConfigError(f"isolate must be one of {', '.join(ISOLATIONS)}, found {isolate!r}")
    folder = runs_folder(study) if runs_dir is None else expanded(runs_dir)
    files = Files(folder.resolve(), study.name)
    fork = study.trains and _forks(isolate)
    tracker = "none" if "tracker=none" in extra or _untracked(study) else "wandb"
    with early_link(files, fork, tracker) as link:
        make = Trained(study, extra, folder, workers) if study.trains else Programs(study, extra, files.runs)
        source: JobSource
        if study.method == "grid":
            if count is not None or sampler is not None:
                raise ConfigError(f"{study.path} is a grid: it draws nothing, and takes neither --count nor --sampler")
            source = Listed(_trained(study, make.all()) if only_measure else make.all())
        elif only_measure:
            raise ConfigError(f"{study.path} is a search: name its runs, poolab measure RUN... measure=full")
        else:
            source = search(study, make, files.runs, count=count, sampler=sampler, seed=seed)
        with Progress(workers) as progress, announced(files.runs, study.name):
            scheduler = Scheduler(
                source, files, progress, workers=workers, retries=retries, fork=fork, tracker=tracker, link=link
            )
            state = scheduler.run()
    return _outcome(state, scheduler.requests > 0, files.journal)


def _trained(study: Study, jobs: Sequence[Job]) -> list[Job]:
    """Return the cells that have a network.

    Raises:
        ConfigError: none has.
    """
    found = [job for job in jobs if _is_trained(job)]
    if not found:
        raise ConfigError(f"no cell of {study.path} is trained: run it first, or name the folder with --runs")
    return found


def _is_trained(job: Job) -> bool:
    """Return whether a cell has a network; a damaged record is told where the cell is started."""
    try:
        record = None if job.folder is None else RunFolder(job.folder.parent, job.folder.name).result
    except PoolabError:
        return True
    return record is not None and record.completed


def _untracked(study: Study) -> bool:
    """Return True if no cell has a tracker, so that W&B need not be imported."""
    return any(one.name == "tracker" and set(one.values) == {"none"} for one in study.parameters)


def _forks(isolate: str) -> bool:
    """Return True if cells are forked; "auto" does not fork if an import may touch an accelerator's driver."""
    if isolate == "auto":
        devices = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
        return sys.platform == "linux" and not any(map(os.path.exists, devices))
    if isolate == "fork" and sys.platform != "linux":
        raise ConfigError("--isolate fork: only Linux can fork a process with torch in it; leave it out")
    return isolate == "fork"


def _outcome(state: State, interrupted: bool, journal: Path) -> Outcome:
    finished = state.count("completed", "diverged", "stopped")
    said = conclusion(state.source)
    return Outcome(
        total=state.source.total,
        completed=state.count("completed"),
        diverged=state.count("diverged"),
        earlier=len(state.earlier),
        failed={key: ended for key, ended in state.ended.items() if ended.outcome in ("failed", "killed", "refused")},
        interrupted=interrupted and finished < state.source.total,
        error=state.error or state.source.error,
        journal=journal,
        stopped=state.count("stopped"),
        conclusion=tuple(said),
    )
