"""Timing in interleaved rounds: in each round every case once, in a newly shuffled order.

A machine that is slow for a second, warms up or changes its clock then hits all cases alike, and the ratio of two cases
within a round is free of it.
"""

import gc
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter

from poolab.bench.figures import Figure, figure, paired

Step = Callable[[], object]

MOST_REPEATS = 10_000
WARM_UP_CALLS = 3
LEAST_ROUNDS = 5  # however slow a case is: fewer have no interval


@dataclass(frozen=True)
class Case:
    """One thing to time.

    Attributes:
        prepare: returns the step to be timed; its own work (a forward before a backward) is not timed.
        baseline: the case that it is compared with, round by round.
        around: a context for prepare and step, entered outside the timed stretch.
    """

    prepare: Callable[[], Step]
    baseline: str | None = None
    around: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class Plan:
    """The time and number of rounds of a measurement.

    Attributes:
        rounds: rounds for every case.
        extra_rounds: further rounds at most, for the cases that are still unsteady.
        seconds: after this time a case is left out of further rounds, but has at least 5.
        seed: of the order in each round.
        sample_seconds: a sample repeats its call for at least this time, so that the clock and a synchronisation do not
            matter. On a machine that others use, 20 ms steady a figure: preempted for 4 ms, one of 1 ms is lost.
    """

    rounds: int = 15
    extra_rounds: int = 30
    seconds: float = 10.0
    seed: int = 0
    sample_seconds: float = 1e-3


@dataclass
class Samples:
    """The measurements of one case: seconds of one call by round, calls in a sample, total time; or its error."""

    seconds: dict[int, float] = field(default_factory=dict)
    repeats: int = 1
    spent: float = 0.0
    fault: str | None = None


class Interleaved:
    """Times all cases of a group in interleaved rounds.

    Args:
        cases: by name; a baseline is one of them.
        plan: how many rounds.
        synchronise: waits until the device has finished its work.
        clock: seconds.
        progress: called with the finished rounds, the largest number of rounds, and what runs now.

    >>> timed = Interleaved({"a": Case(lambda: lambda: None), "b": Case(lambda: lambda: None, "a")}, Plan(rounds=5))
    >>> sorted(timed.run()), timed.ratio("b").rounds >= 5
    (['a', 'b'], True)
    """

    def __init__(
        self,
        cases: Mapping[str, Case],
        plan: Plan,
        *,
        synchronise: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = perf_counter,
        progress: Callable[[int, int, str], None] = lambda done, total, text: None,
    ) -> None:
        self.cases = dict(cases)
        self.plan = plan
        self.samples = {name: Samples() for name in cases}
        self._synchronise, self._clock, self._progress = synchronise, clock, progress

    def run(self) -> dict[str, Samples]:
        """Warm up, then measure; a case that raises keeps the reason and takes no further part."""
        most = self.plan.rounds + self.plan.extra_rounds
        for name in self.cases:
            self._progress(0, most, f"warm-up: {name}")
            self._guarded(name, self._warm_up)
        shuffler = random.Random(self.plan.seed)
        for round_number in range(most):
            due = self._due(round_number)
            if not due:
                break
            shuffler.shuffle(due)
            for name in due:
                self._progress(round_number, most, name)
                self._guarded(name, self._sample, round_number)
        self._progress(most, most, "done")
        return self.samples

    def seconds(self, name: str) -> Figure | None:
        """Return the seconds of one call, or None without a sample."""
        values = list(self.samples[name].seconds.values())
        return figure(values) if values else None

    def ratio(self, name: str, to: str | None = None) -> Figure | None:
        """Return the ratio to another case, by default the baseline, within each round; None where there is none."""
        other = to or self.cases[name].baseline
        return paired(self.samples[name].seconds, self.samples[other].seconds) if other else None

    def _due(self, round_number: int) -> list[str]:
        """Return the cases of this round, each with its baseline."""
        extra = round_number >= self.plan.rounds
        own = [name for name in self.cases if self._has_time(name) and (not extra or self._unsteady(name))]
        if extra and not own:
            return []
        baselines = {self.cases[name].baseline for name in own}
        return [name for name in self.cases if name in own or (name in baselines and not self.samples[name].fault)]

    def _has_time(self, name: str) -> bool:
        samples = self.samples[name]
        return samples.fault is None and (samples.spent < self.plan.seconds or len(samples.seconds) < LEAST_ROUNDS)

    def _unsteady(self, name: str) -> bool:
        return any(each is not None and each.refused for each in (self.seconds(name), self.ratio(name)))

    def _guarded(self, name: str, action: Callable[..., None], *arguments: int) -> None:
        try:
            with self.cases[name].around():
                action(name, *arguments)
        except Exception as fault:  # one method that a device or compiler refuses must not end the others
            first_line = str(fault).strip().partition("\n")[0]
            self.samples[name].fault = f"{type(fault).__name__}: {first_line}"

    def _warm_up(self, name: str) -> None:
        """Compile, fill caches, and find how many calls make a sample long enough."""
        step, samples = self.cases[name].prepare(), self.samples[name]
        for _ in range(WARM_UP_CALLS):
            step()
        least = self.plan.sample_seconds
        while (elapsed := self._timed(step, samples.repeats)) < least and samples.repeats < MOST_REPEATS:
            wanted = ceil(samples.repeats * least / max(elapsed, least / 10))
            samples.repeats = min(max(wanted, samples.repeats + 1), MOST_REPEATS)

    def _sample(self, name: str, round_number: int) -> None:
        samples, start = self.samples[name], self._clock()
        step = self.cases[name].prepare()
        if samples.repeats > 1:
            step()  # a short step would pay for the cache that the case before it has filled
        samples.seconds[round_number] = self._timed(step, samples.repeats) / samples.repeats
        samples.spent += self._clock() - start

    def _timed(self, step: Step, repeats: int) -> float:
        collecting = gc.isenabled()
        gc.disable()  # as timeit does: a collection would fall on whichever case runs then
        try:
            self._synchronise()
            start = self._clock()
            for _ in range(repeats):
                step()
            self._synchronise()
            return self._clock() - start
        finally:
            if collecting:
                gc.enable()
