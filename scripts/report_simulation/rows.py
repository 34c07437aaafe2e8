"""One line of a table: a share of studies with its Monte Carlo error and the bound that it must keep."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A share with what it is of. `low` and `high` are the bounds; None: the line is there for comparison only."""

    what: str
    share: float
    studies: int
    low: float | None = None
    high: float | None = None

    @property
    def error(self) -> float:
        """The Monte Carlo error of the share (one standard error)."""
        return math.sqrt(max(self.share * (1 - self.share), 1 / self.studies / 4) / self.studies)

    @property
    def kept(self) -> bool | None:
        """True if the bound is kept."""
        if self.low is None and self.high is None:
            return None
        return (self.low is None or self.share >= self.low) and (self.high is None or self.share <= self.high)
