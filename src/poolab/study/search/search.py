"""A search as a source of jobs: each is drawn when a worker is free, from the results of all earlier ones."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from poolab.errors import ConfigError
from poolab.study.runner.attempts import last_attempts
from poolab.study.runner.jobs import Job
from poolab.study.runner.outcomes import Ending
from poolab.study.search.hyperband import Hyperband
from poolab.study.search.proposals import Made, new_cell
from poolab.study.search.results import Results, better
from poolab.study.search.samplers import Sampler
from poolab.study.search.space import Space
from poolab.study.search.trials import Trial, trials_of
from poolab.study.sweep.cells import Cell
from poolab.study.sweep.sweep_file import Study


class Search:
    """The trials of a random or bayes study, at most `limit` of them; several runners may draw from one search.

    Args:
        make: the job of a cell; it raises ConfigError for one that cannot be run.
    """

    def __init__(
        self,
        study: Study,
        extra: Sequence[str],
        runs: Path,
        make: Callable[[Cell], Job],
        drawer: Sampler,
        limit: int,
    ):
        self.study, self.make, self.drawer, self.limit = study, make, drawer, limit
        self.runs = runs
        self.space = Space(study, extra)
        self.trials = trials_of(study, runs, extra)
        self.results = Results(study, runs)
        rule, metric = study.early_terminate, study.metric
        self.hyperband = Hyperband(rule, metric.goal) if rule and metric else None
        self.best: tuple[float, Trial] | None = None
        self.over: str | None = None  # why nothing is drawn any more
        self.error: str | None = None
        self._jobs: deque[Job] = deque()
        self._handed: set[int] = set()
        self._by_key: dict[str, Trial] = {}
        self._closed = False
        self._take_in()  # those of earlier runners come first, so that what was interrupted goes on
        self.over = self._over()

    @property
    def total(self) -> int:
        """The number of trials, those to be drawn among them."""
        known = len(self.trials.known)
        return known if self.over is not None else max(self.limit, known)

    @property
    def waiting(self) -> int:
        """The number of trials that have not been started yet."""
        if self._closed:
            return 0
        return len(self._jobs) + (self.limit - len(self.trials.known) if self.over is None else 0)

    @property
    def note(self) -> str:
        """The best result so far, as a note to show."""
        if self.best is None or self.study.metric is None:
            return ""
        value, trial = self.best
        drawn = {parameter.name for parameter in self.space.parameters}
        words = [word for word in self.space.cell(trial.at).overrides if word.partition("=")[0] in drawn]
        return f"best {self.study.metric.name} {value:.6g}: {' '.join(words)}"

    def next(self) -> Job | None:
        """Return a trial that was interrupted, else a new one, else one that another runner has drawn.

        Raises:
            ConfigError: the records have no such metric.
            DiskFull: the trial cannot be written down.
        """
        if self.error is not None:
            raise ConfigError(self.error)
        if not self._jobs and self.over is None:
            self._draw()
            if self.over is not None:
                self._take_in()
        return self._jobs.popleft() if self._jobs else None

    def again(self, job: Job, soon: bool = False) -> None:
        """Take a job back, to give it again."""
        (self._jobs.appendleft if soon else self._jobs.append)(job)

    def before(self, job: Job) -> Ending | None:
        """Return the outcome of a trial that was stopped early (by whichever runner) or that cannot be run."""
        refused = self._by_key[job.key].refused
        if refused is not None or self.hyperband is None:
            return Ending("refused", refused) if refused is not None else None
        last = last_attempts(self.study, self.runs).get(job.key)
        return Ending("stopped", last.reason) if last is not None and last.outcome == "stopped" else None

    def ended(self, job: Job, became: Ending) -> None:
        """Remember the best result. Without a metric in the records, the search ends with an error."""
        if became.outcome != "completed" or self.study.metric is None or not self.study.trains:
            return
        trial = self._by_key[job.key]
        try:
            (told,) = self.results.of([trial])
        except ConfigError as error:
            self.error = str(error)
            return
        if told.value is None:
            return
        value, other = self.best or (None, trial)
        first = told.value == value and trial.number < other.number  # of equals the first, whichever ended first
        if value is None or better(told.value, value, self.study.metric) or first:
            self.best = told.value, trial

    def stops(self, running: Iterable[Job]) -> Mapping[str, str]:
        """Return the keys of the running jobs that early termination ends, with the reason."""
        if self.hyperband is None:
            return {}
        own = {job.key: self.results.rows(job.key) for job in running}
        if not any(own.values()):
            return {}
        everybody = [self.results.rows(trial.cell) for trial in self.trials.known]
        verdicts = {key: self.hyperband.verdict(rows, everybody) for key, rows in own.items()}
        return {key: f"stopped early: {why}" for key, why in verdicts.items() if why is not None}

    def close(self) -> None:
        """Draw no more."""
        self._closed = True
        self._jobs.clear()

    def _take_in(self) -> None:
        """Make jobs of the known trials that have not been started yet."""
        for trial in self.trials.read():
            if trial.number not in self._handed:
                job, refused = self._made(trial.at)
                # The settings of a run may have another signature than when it was drawn.
                self._take(replace(trial, cell=job.key, refused=refused), job)

    def _take(self, trial: Trial, job: Job) -> None:
        self.trials.known[trial.number] = trial
        self._handed.add(trial.number)
        self._by_key[job.key] = trial
        self._jobs.append(job)

    def _draw(self) -> None:
        """Draw a trial and write it down, unless there is nothing more to draw."""
        with self.trials.drawing() as file:
            self.over = self._over()
            if self.over is not None:
                return
            known = self.trials.known
            history = [] if self.drawer.sampler == "random" else self.results.of(known)
            found = new_cell(self.drawer, self.space, known, history, self._made)
            if isinstance(found, str):
                self.over = found
                return
            at, attributes, (job, refused), sampler = found
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            trial = Trial(len(known), job.key, job.text, at, sampler, now, attributes, refused)
            self.trials.add(file, trial)
        self._take(trial, job)
        self.over = self._over()

    def _over(self) -> str | None:
        known, size, metric = self.trials.known, self.space.size, self.study.metric
        if len(known) >= self.limit:
            return ""
        if size is not None and len(known) >= size:
            return f"all {size} cells that can be drawn have been"
        if metric is not None and metric.target is not None and self.best is not None:
            value, trial = self.best
            if value == metric.target or better(value, metric.target, metric):
                return f"the target {metric.target:g} was reached by {trial.what}"
        return None

    def _made(self, at: Mapping[str, float]) -> Made:
        """Return the job at these coordinates, and why it cannot be run."""
        cell = self.space.cell(at)
        try:
            return self.make(cell), None
        except ConfigError as error:
            return Job(f"refused {hash_of(cell)}", str(cell), ()), " ".join(str(error).split())


def hash_of(cell: Cell) -> str:
    """Return twelve digits that identify the settings of a cell."""
    return hashlib.sha256(str(cell).encode()).hexdigest()[:12]
