"""Where a scheduler's jobs come from: a list, or a search that draws the next one from what the others gave."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from poolab.study.runner.jobs import Job
from poolab.study.runner.outcomes import Ending


class JobSource(Protocol):
    """Asked for a job when a worker is free, and told of each one's end."""

    @property
    def total(self) -> int:
        """How many jobs there are in all, those that have ended among them."""

    @property
    def waiting(self) -> int:
        """How many have not been handed out yet."""

    @property
    def note(self) -> str:
        """What is to be shown beside the counts."""

    @property
    def fault(self) -> str | None:
        """Why it gave no further jobs, where that is an error."""

    def next(self) -> Job | None:
        """A job, or None where there is none now.

        Raises:
            PoolabError, OSError: there can be no more.
        """

    def again(self, job: Job, soon: bool = False) -> None:
        """Take a job back that is to be handed out again: before all others, or after those that are known."""

    def before(self, job: Job) -> Ending | None:
        """How a job ended before, without a result, where that was its end."""

    def ended(self, job: Job, became: Ending) -> None:
        """A job has ended for good."""

    def stops(self, running: Iterable[Job]) -> Mapping[str, str]:
        """Which of the running jobs are to be stopped, by their keys, and why."""

    def close(self) -> None:
        """Nothing is to be begun any more."""


class Listed:
    """Jobs that are all known from the start."""

    note = ""
    fault: str | None = None

    def __init__(self, jobs: Sequence[Job]):
        self.total = len(jobs)
        self._jobs = deque(jobs)

    @property
    def waiting(self) -> int:
        """How many have not been handed out yet."""
        return len(self._jobs)

    def next(self) -> Job | None:
        """The first one."""
        return self._jobs.popleft() if self._jobs else None

    def again(self, job: Job, soon: bool = False) -> None:
        """Put it at one end or the other."""
        (self._jobs.appendleft if soon else self._jobs.append)(job)

    def before(self, job: Job) -> Ending | None:
        """Whatever has no result is run."""
        return None

    def ended(self, job: Job, became: Ending) -> None:
        """It changes nothing for the others."""

    def stops(self, running: Iterable[Job]) -> Mapping[str, str]:
        """Every job runs to its end."""
        return {}

    def close(self) -> None:
        """Forget what has not begun."""
        self._jobs.clear()
