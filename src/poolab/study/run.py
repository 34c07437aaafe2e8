"""`poolab study run`: a study on this machine, without a server; it goes on from wherever it was."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from poolab.errors import ConfigError, PoolabError
from poolab.study.cells import Cell, assignments, grid_cells, in_words
from poolab.study.command import command
from poolab.study.endings import INTERRUPTED, Ending
from poolab.study.jobs import Files, Job, State
from poolab.study.progress import Progress
from poolab.study.scheduler import Scheduler
from poolab.study.sweep_file import Study

RETRIES = 2
ISOLATIONS = ("auto", "fork", "spawn")


@dataclass(frozen=True)
class Outcome:
    """What became of a study: counts of cells, and `code`, the exit code of the command."""

    total: int
    completed: int
    diverged: int
    earlier: int
    failed: Mapping[str, Ending]  # by the cell's key
    interrupted: bool
    fault: str | None
    journal: Path

    @property
    def code(self) -> int:
        """0 when every cell has a result, 130 when it was stopped, else 1."""
        if self.interrupted:
            return INTERRUPTED
        return 0 if self.completed + self.diverged == self.total else 1

    def __str__(self) -> str:
        """The last words of the command."""
        parts = [f"{self.completed} of {self.total} cells completed"]
        parts += [f"{self.diverged} diverged"] if self.diverged else []
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        parts += [f"{self.earlier} were there before"] if self.earlier else []
        again = "; the same command goes on from here" if self.code else ""
        lines = [self.fault] if self.fault else []
        return "\n".join([*lines, f"{', '.join(parts)}{again}", f"journal: {self.journal}"])


def run_study(
    study: Study,
    extra: Sequence[str] = (),
    *,
    workers: int = 1,
    runs_dir: str | Path = "runs",
    retries: int = RETRIES,
    isolate: str = "auto",
) -> Outcome:
    """Run every cell of a study that has no result yet, `workers` at a time.

    Args:
        extra: key=value pairs for every cell.
        retries: how often a cell that crashed or was killed is tried again. One that diverges is a result.
        isolate: "fork" copies a process that has the imports for each cell of train.py, "spawn" starts each afresh;
            "auto" forks where there is no accelerator.

    Raises:
        ConfigError: a cell cannot be run; all faults at once, and nothing has begun.
        PoolabError: the process that starts the cells cannot live.
    """
    if workers < 1 or retries < 0:
        raise ConfigError(f"workers must be at least 1 and retries at least 0, found {workers} and {retries}")
    if isolate not in ISOLATIONS:
        raise ConfigError(f"isolate must be one of {', '.join(ISOLATIONS)}, found {isolate!r}")
    if study.method != "grid":
        raise ConfigError(
            f"{study.path} is a {study.method} study; only grid studies run locally so far: "
            f"`wandb sweep {study.path}` and `wandb agent` run it as it is"
        )
    runs = Path(runs_dir).resolve()
    jobs = _trained(study, extra, Path(runs_dir), workers) if study.trains else _programs(study, extra, runs)
    tracker = "none" if all("tracker=none" in job.words for job in jobs) else "wandb"
    with Progress(workers) as progress:
        scheduler = Scheduler(
            jobs,
            Files(runs, study.name),
            progress,
            workers=workers,
            retries=retries,
            fork=study.trains and _forks(isolate),
            tracker=tracker,
        )
        state = scheduler.run()
    return _outcome(state, scheduler.requests > 0, Files(runs, study.name).journal)


def _trained(study: Study, extra: Sequence[str], runs: Path, workers: int) -> list[Job]:
    """The cells of train.py: checked, and known by their runs' signatures, so that studies share runs."""
    from poolab.study.expected import remember
    from poolab.study.plan import plan

    if any(key == "runs_dir" for key, _ in assignments(extra)):
        raise ConfigError("the folder of the runs is said with --runs, not with runs_dir=")
    jobs: dict[str, Job] = {}
    made = plan(study, [*extra, f"runs_dir={in_words(str(runs))}"])
    remember(made)
    for planned in made.cells:
        words = planned.cell.overrides
        if planned.config["trainer"]["threads"] is None:
            # Each of two runs would take all cores, and torch's small operations then wait milliseconds for each other.
            words += (f"trainer.threads={max(1, _cores() // workers)}",)
        tracker = planned.config["tracker"]
        if tracker["name"] == "wandb" and tracker["group"] is None:
            words += (f"tracker.group={in_words(study.name)}",)  # what W&B shows together
        jobs[planned.signature] = Job(
            key=planned.signature,
            text=_text(planned.cell),
            command=(sys.executable, "-m", "poolab", "train", *words),
            words=words,
            folder=planned.folder.path,
            forced=bool(planned.config["force"]),
        )
    return list(jobs.values())


def _programs(study: Study, extra: Sequence[str], runs: Path) -> list[Job]:
    """The cells of any other program, known by the hash of what starts them."""
    jobs: dict[str, Job] = {}
    for cell in grid_cells(study, extra):
        said = command(study.command, study.program, cell.values)
        content = json.dumps([study.program, study.command, dict(cell.values), os.getcwd()])
        key = hashlib.sha256(content.encode()).hexdigest()[:12]
        if "${args_json_file}" in study.command:
            said = _with_file(study, cell, runs / "studies" / f"{study.name}.arguments" / f"{key}.json")
        jobs[key] = Job(key, _text(cell), tuple(said))
    return list(jobs.values())


def _with_file(study: Study, cell: Cell, path: Path) -> list[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(cell.values)))
    except OSError as fault:
        raise PoolabError(f"cannot write the arguments of a cell to {path}: {fault}") from fault
    return command(study.command, study.program, cell.values, str(path))


def _forks(isolate: str) -> bool:
    """Whether cells are forked; not by itself where an accelerator's driver may be touched by an import."""
    if isolate == "auto":
        devices = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
        return sys.platform == "linux" and not any(map(os.path.exists, devices))
    if isolate == "fork" and sys.platform != "linux":
        raise ConfigError("--isolate fork: only Linux can fork a process with torch in it; leave it out")
    return isolate == "fork"


def _text(cell: Cell) -> str:
    return " ".join(text for text in cell.overrides if not text.startswith("runs_dir="))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outcome(state: State, interrupted: bool, journal: Path) -> Outcome:
    finished = state.count("completed", "diverged")
    return Outcome(
        total=state.total,
        completed=state.count("completed"),
        diverged=state.count("diverged"),
        earlier=len(state.earlier),
        failed={key: ended for key, ended in state.ended.items() if ended.outcome in ("failed", "killed", "refused")},
        interrupted=interrupted and finished < state.total,
        fault=state.fault,
        journal=journal,
    )
