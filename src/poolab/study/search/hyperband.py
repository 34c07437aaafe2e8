"""Early termination as W&B's hyperband does it: it decides which running runs to stop, from the histories of all.

W&B's words are followed, and the code of its `sweeps` package where they leave something open. One iteration is one row
of the history, an epoch. At a bracket, the runs that have reached it are ranked by their value there; whoever runs on
must at its best be as good as the last of the best 1/eta (rounded down, and one more, so that the first to arrive goes
on). That is asked again with each row and with each run that comes after: who was let through by few may be stopped by
many. In that package the bracket 3 looks at the fourth row, since it counts from 0; here at the third. Its `strict`
does nothing; here it is Hyperband's own rule: the value at the bracket itself, among the best 1/eta.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from poolab.study.sweep.sweep_file import EarlyTermination

Rows = Sequence[float]  # the metric after each epoch


@dataclass(frozen=True)
class Hyperband:
    """The rule of `early_terminate`.

    >>> rule = Hyperband({"type": "hyperband", "min_iter": 2, "eta": 2}, "maximize")
    >>> rule.verdict([0.5, 0.6], [[0.5, 0.6], [0.7, 0.8], [0.8, 0.9], [0.9, 0.9]])
    'not among the best 1/2 of 4 runs at epoch 2: 0.6 at best, 0.8 was needed'
    """

    given: EarlyTermination
    goal: str

    @property
    def eta(self) -> int:
        """The share kept: the best 1/eta go on."""
        return int(self.given.get("eta", 3))

    def verdict(self, own: Rows, everybody: Sequence[Rows]) -> str | None:
        """Return why a run is to be stopped, or None.

        Args:
            own: its values so far.
            everybody: those of all runs, its own among them.
        """
        bracket = next((one for one in reversed(list(brackets(self.given, len(own))))), None)
        if bracket is None:
            return None
        sign = 1 if self.goal == "minimize" else -1
        reached = sorted(sign * rows[bracket - 1] for rows in everybody if len(rows) >= bracket)
        if self.given.get("strict"):
            needed, mine = reached[max(len(reached) // self.eta, 1) - 1], sign * own[bracket - 1]
        else:
            needed, mine = reached[len(reached) // self.eta], min(sign * value for value in own)
        if mine <= needed:
            return None
        which = f"the best 1/{self.eta} of {len(reached)} runs at epoch {bracket}"
        when = "there" if self.given.get("strict") else "at best"
        return f"not among {which}: {sign * mine:.6g} {when}, {sign * needed:.6g} was needed"


def brackets(given: EarlyTermination, most: int) -> Iterator[int]:
    """Return the iterations up to `most` at which runs are compared, in order.

    >>> list(brackets({"min_iter": 3, "eta": 3}, 30)), list(brackets({"max_iter": 27, "s": 2}, 30))
    ([3, 9, 27], [3, 9])
    """
    eta = int(given.get("eta", 3))
    if "min_iter" in given:
        bracket = int(given["min_iter"])
        while bracket <= most:
            yield bracket
            bracket *= eta
        return
    steps = [int(given["max_iter"]) // eta**power for power in range(int(given["s"]), 0, -1)]
    yield from (bracket for bracket in steps if 1 <= bracket <= most)
