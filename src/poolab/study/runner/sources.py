"""The sources of a scheduler's jobs: a list, or a search that draws each job from the results of the others."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from poolab.study.runner.jobs import Job
from poolab.study.runner.outcomes import Ending


class JobSource(Protocol):
    """Gives a job when a worker is free, and is told how each one ended."""

    @property
    def total(self) -> int:
        """The number of all jobs, with those that have ended."""

    @property
    def waiting(self) -> int:
        """The number of jobs that have not been started yet."""

    @property
    def note(self) -> str:
        """A note to show beside the counts."""

    @property
    def error(self) -> str | None:
        """The error that keeps the source from giving more jobs, or None."""

    def next(self) -> Job | None:
        """Return a job, or None if there is none now.

        Raises:
            PoolabError, OSError: there can be no more.
        """

    def again(self, job: Job, soon: bool = False) -> None:
        """Take a job back, to give it again: before all others (`soon`), or after those that are known."""

    def before(self, job: Job) -> Ending | None:
        """Return the final outcome that a job had before without a result, or None."""

    def ended(self, job: Job, became: Ending) -> None:
        """Take note of a job's final outcome."""

    def stops(self, running: Iterable[Job]) -> Mapping[str, str]:
        """Return the keys of the running jobs to stop, with the reason."""

    def close(self) -> None:
        """Start no more jobs."""


class Listed:
    """Jobs that are all known from the start."""

    note = ""
    error: str | None = None

    def __init__(self, jobs: Sequence[Job]):
        self.total = len(jobs)
        self._jobs = deque(jobs)

    @property
    def waiting(self) -> int:
        """The number of jobs that have not been started yet."""
        return len(self._jobs)

    def next(self) -> Job | None:
        """Return the first job."""
        return self._jobs.popleft() if self._jobs else None

    def again(self, job: Job, soon: bool = False) -> None:
        """Put a job at the beginning or the end."""
        (self._jobs.appendleft if soon else self._jobs.append)(job)

    def before(self, job: Job) -> Ending | None:
        """Return None: every job without a result is run."""
        return None

    def ended(self, job: Job, became: Ending) -> None:
        """Do nothing: the jobs do not depend on each other."""

    def stops(self, running: Iterable[Job]) -> Mapping[str, str]:
        """Return nothing: every job runs to its end."""
        return {}

    def close(self) -> None:
        """Drop the jobs that have not begun."""
        self._jobs.clear()
