"""The states of a study's runs: from their folders and locks, the journal of `poolab study run`, and SLURM's queue."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from poolab.errors import PoolabError
from poolab.records import FINISHED, RunFolder, run_folder
from poolab.study.plan.cache import expected
from poolab.study.runner.attempts import Attempt, last_attempts
from poolab.study.runner.locks import CLAIMS, Claim, busy_elsewhere, is_held
from poolab.study.search.trials import Trial, trials_of
from poolab.study.slurm.ending import job_ending
from poolab.study.slurm.queue import RUNNING, Queue, look
from poolab.study.sweep.grid import grid_cells
from poolab.study.sweep.sweep_file import Study

# The order of the lines; a run that diverged is done, and its record says so.
STATES = ("completed", "diverged", "stopped", "running", "waiting", "missing", "interrupted", "failed")


@dataclass(frozen=True)
class State:
    """The state of one run, why it did not end well, if it did not, and the folder of a finished run."""

    run: str
    state: str
    reason: str = ""
    folder: Path | None = None


def status(study: Study, runs_dir: str | Path, extra: Sequence[str] = (), queue: Queue | None = None) -> list[State]:
    """Return the state of every run of a study, in the order of its file.

    A run that nobody has begun is waiting while a runner of this machine works at others, or in SLURM's queue, else it
    is missing. Which runs there are follows from the file, and whether they are done from their folders and claims; the
    journal says why others ended. A search's runs are its trials, and what its
    run_cap leaves to be drawn; without trials, since W&B's agents ran it, those that it may have drawn.

    Args:
        queue: what SLURM says, where it was asked already.

    Raises:
        ConfigError: a cell that cannot be run.
    """
    attempts = last_attempts(study, Path(runs_dir))
    trials = trials_of(study, Path(runs_dir), extra).read() if study.method != "grid" else []
    if trials:
        states = [_drawn(trial, study, Path(runs_dir), attempts) for trial in trials]
        states += [State("", "missing")] * max((study.run_cap or 0) - len(trials), 0)
    elif not study.trains:
        states = _of_programs(study, Path(runs_dir), extra, attempts)
    else:
        runs = expected(study, Path(runs_dir), extra)
        queue = look(runs_dir) if queue is None else queue
        states = [_state(run.words, run_folder(runs_dir, run.names), attempts, queue) for run in runs]
    if any(one.state == "running" and not one.reason for one in states):  # SLURM's have a reason: their job
        states = [State(one.run, "waiting") if one.state == "missing" else one for one in states]
    return states


def counted(states: Iterable[State]) -> dict[str, int]:
    """Return how many runs are in each state, those of `STATES` first."""
    counts = Counter(one.state for one in states)
    return {state: counts[state] for state in (*STATES, *counts) if counts[state]}


def _of_programs(study: Study, runs_dir: Path, extra: Sequence[str], attempts: Mapping[str, Attempt]) -> list[State]:
    """Return the states of the cells of a program without records: their claims say which are done."""
    if study.method != "grid":
        return [State("", "missing")] * (study.run_cap or 0)
    from poolab.study.job_factory import Programs

    programs = Programs(study, extra, runs_dir)
    return [_claimed(str(cell), programs.key(cell), runs_dir, attempts) for cell in grid_cells(study, extra)]


def _claimed(text: str, key: str, runs_dir: Path, attempts: Mapping[str, Attempt]) -> State:
    if is_held(runs_dir / CLAIMS / key):
        return State(text, "running")
    if Claim.done(runs_dir / CLAIMS / key):
        return State(text, "completed")
    attempt = attempts.get(key)
    if attempt is None or attempt.outcome in FINISHED:  # what its claim does not say is run again
        return State(text, "missing")
    return replace(_attempted(attempt, runs_dir), run=text)


def _attempted(attempt: Attempt, runs_dir: Path) -> State:
    """Return the state of a cell's last attempt; without an end it runs, or its runner was killed."""
    name, outcome = attempt.what or attempt.cell, attempt.outcome
    if outcome is None:
        runs = is_held(runs_dir / CLAIMS / attempt.cell)
        return State(name, "running") if runs else State(name, "interrupted", "it was killed before its record")
    known = outcome in ("completed", "diverged", "interrupted", "stopped")
    return State(name, outcome if known else "failed", attempt.reason)


def _drawn(trial: Trial, study: Study, runs_dir: Path, attempts: Mapping[str, Attempt]) -> State:
    """Return the state of a search's trial, which runs on this machine alone."""
    if trial.refused is not None:
        return State(trial.what, "failed", trial.refused)
    if study.trains:
        return _state(trial.what, RunFolder(runs_dir, trial.cell), attempts, Queue())
    return _claimed(trial.what, trial.cell, runs_dir, attempts)


def _state(words: str, folder: RunFolder, attempts: Mapping[str, Attempt], queue: Queue) -> State:
    key = folder.signature
    try:
        found = folder.result
    except PoolabError as error:  # it is damaged: `run` leaves it alone
        return State(words, "failed", str(error))
    if found is not None and found.finished:
        return State(words, found.status, found.reason or "", folder.path)
    task = queue.tasks.get(key)
    if task is not None and task.queued:
        return State(words, "running" if task.state in RUNNING else "waiting", str(task))
    runs_dir = folder.path.parent
    if busy_elsewhere(runs_dir, key):
        return State(words, "running")
    attempt, submitted = attempts.get(key), queue.submitted.get(key)
    later = attempt is not None and (submitted is None or attempt.started > submitted.submitted)
    if later and attempt is not None and attempt.outcome not in (None, *FINISHED, "busy"):
        return replace(_attempted(attempt, runs_dir), run=words)  # killed, refused or stopped
    unsaid = found is None or found.status == "interrupted"
    became = job_ending(queue, key, folder / "result.json") if unsaid else None
    if became is not None:
        return State(words, became[0], f"{became[1]}{_goes_on(folder)}")
    if found is not None:
        return State(words, found.status, found.reason or "")
    if folder.path.exists():
        return State(words, "interrupted", f"it was killed before its record{_goes_on(folder)}")
    return State(words, "missing")


def _goes_on(folder: RunFolder) -> str:
    return ", and resumes from its checkpoint" if folder.checkpoint else ""
