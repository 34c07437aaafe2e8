"""Draw a cell that was not drawn before, since the result of one that was is known already."""

from collections.abc import Callable, Mapping, Sequence

from poolab.study.runner.jobs import Job
from poolab.study.search.samplers import Sampler, TrialResult
from poolab.study.search.space import Coordinates, Space
from poolab.study.search.trials import Trial

Made = tuple[Job, str | None]  # the job of a cell, and why it cannot be run
Drawn = tuple[Coordinates, Mapping[str, object], Made, str]  # coordinates, attributes, job, sampler
Make = Callable[[Mapping[str, float]], Made]

SAME = 20  # times that a sampler may propose what there is before chance takes its place
TRIES = 200  # proposals without a new cell until a search is over
LISTED = 100_000  # cells of a space that are looked through for one that is left


def new_cell(
    drawer: Sampler, space: Space, trials: Sequence[Trial], history: Sequence[TrialResult], make: Make
) -> Drawn | str:
    """Return a new cell, or why there is none."""
    known = {trial.cell for trial in trials}
    for attempt in range(TRIES):
        asked = drawer if attempt < SAME else drawer._replace(sampler="random")
        at, attributes = asked.draw(space, len(trials), attempt, history)
        made = make(at)
        if made[0].key not in known:
            return at, attributes, made, asked.sampler
        if attempt == SAME and 0 < (space.size or 0) <= LISTED:
            return _left(drawer.seed, space, trials, make)
    return f"{TRIES} draws one after the other gave cells that were there already"


def _left(seed: int, space: Space, trials: Sequence[Trial], make: Make) -> Drawn | str:
    """Return one of the cells that are left of a space that can be listed."""
    from numpy.random import default_rng

    known, drawn = {trial.cell for trial in trials}, {space.same(trial.at) for trial in trials}
    left = [at for at in space.everything() if space.same(at) not in drawn]
    for index in default_rng([seed, len(trials)]).permutation(len(left)):
        made = make(left[index])
        if made[0].key not in known:
            return left[index], {}, made, "random"
    return f"all {len(known)} different cells that can be drawn have been"
