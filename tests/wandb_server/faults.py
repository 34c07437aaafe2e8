"""Answers that a server gives on a bad day."""

from dataclasses import dataclass


@dataclass
class Fault:
    """Requests whose operation or path has `where` in it, of one run or of all, are answered with `status`.

    `times` is how often, None is for ever. The answer takes `wait` seconds; with status 200 it is a good one.
    """

    where: str
    status: int = 500
    run: str | None = None
    times: int | None = None
    wait: float = 0.0

    def meets(self, what, run):
        """Whether this request is one of them; counts it."""
        if self.where not in what or self.run not in (None, run) or self.times == 0:
            return False
        self.times = None if self.times is None else self.times - 1
        return True
