"""Optuna's samplers, asked for one point at a time: it follows from the history and from a seed alone.

Optuna's study is built anew for each point (60 ms with 1,000 trials), since the truth is in the records and in the file
of trials, which several runners share: there is no second state that could disagree with it.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from poolab.study.search.space import Coordinates, Space
from poolab.study.sweep.distributions import possible
from poolab.study.sweep.parameters import Parameter

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study as OptunaStudy
    from optuna.trial import FrozenTrial

SAMPLERS = ("tpe", "random", "genetic")
STARTUP = 10  # trials that TPE draws at random before it models: Optuna's default
POPULATION = 50  # individuals of a generation at most: Optuna's default


class TrialResult(NamedTuple):
    """The result of a trial, for a sampler.

    `state` is complete (with its value), stopped (with its rows, one an epoch), failed or open. A run that diverged is
    complete with an infinitely bad value: as a failure it would say nothing, and be drawn again close by.
    """

    at: Mapping[str, float]
    attributes: Mapping[str, Any]
    state: str
    value: float | None = None
    rows: Sequence[float] = ()


class Sampler(NamedTuple):
    """A way to draw points: a sampler, a goal, a seed, and the approximate number of runs."""

    sampler: str
    goal: str = "minimize"
    seed: int = 0
    runs: int = 100

    def draw(
        self, space: Space, number: int, attempt: int, history: Sequence[TrialResult] = ()
    ) -> tuple[Coordinates, dict[str, Any]]:
        """Return the point of a trial, and the attributes that its sampler wants to keep with it.

        The same number, attempt and history give the same point; a random one needs no history.
        """
        import optuna
        from optuna.study import StudyDirection

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        space_of = {parameter.name: _distribution(parameter) for parameter in space.parameters}
        with warnings.catch_warnings():
            # Optuna 4 calls experimental what Optuna 5 does by default.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            direction = StudyDirection.MAXIMIZE if self.goal == "maximize" else StudyDirection.MINIMIZE
            study = optuna.create_study(direction=direction, sampler=self._sampler(number, attempt))
        if self.sampler != "random":
            study.add_trials([_trial(told, space_of, self.goal) for told in history])
        asked = study.ask(fixed_distributions=space_of)
        return dict(asked.params), _attributes(study)

    def _sampler(self, number: int, attempt: int) -> "BaseSampler":
        from numpy.random import SeedSequence
        from optuna import samplers

        seed = int(SeedSequence([self.seed, number, attempt]).generate_state(1)[0])
        if self.sampler == "random":
            return samplers.RandomSampler(seed=seed)
        if self.sampler == "genetic":
            # As many generations as a generation has individuals.
            return samplers.NSGAIISampler(population_size=min(max(math.isqrt(self.runs), 4), POPULATION), seed=seed)
        startup = min(STARTUP, max(self.runs // 3, 2))  # else a search of 10 would be a random one
        return samplers.TPESampler(n_startup_trials=startup, multivariate=True, constant_liar=True, seed=seed)


def _distribution(parameter: Parameter) -> "BaseDistribution":
    """Return Optuna's distribution: choices of equal weight and integers as they are, all else by its quantile."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values = possible(parameter)
    if not values or parameter.probabilities:
        return FloatDistribution(0.0, 1.0)
    if parameter.distribution == "int_uniform":
        return IntDistribution(values[0], values[-1])
    return CategoricalDistribution(range(len(values)))


def _trial(told: TrialResult, distributions: dict[str, "BaseDistribution"], goal: str) -> "FrozenTrial":
    from optuna.trial import TrialState, create_trial

    states = {
        "complete": TrialState.COMPLETE,
        "stopped": TrialState.PRUNED,
        "failed": TrialState.FAIL,
        "open": TrialState.RUNNING,
    }
    worst = -math.inf if goal == "maximize" else math.inf
    value = (worst if told.value is None else told.value) if told.state == "complete" else None
    return create_trial(
        state=states[told.state],
        value=value,
        params=dict(told.at),
        distributions=distributions,
        intermediate_values=dict(enumerate(told.rows, 1)) if told.state == "stopped" else {},
        system_attrs=dict(told.attributes),
    )


def _attributes(study: "OptunaStudy") -> dict[str, Any]:
    """Return the generation that a genetic algorithm has given to the trial."""
    own = study.get_trials(deepcopy=False)[-1].system_attrs
    return {key: value for key, value in own.items() if "generation" in key}
