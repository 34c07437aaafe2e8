"""Begin a search, and give its conclusion."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from poolab.errors import ConfigError
from poolab.study.job_factory import Programs, Trained
from poolab.study.runner.sources import JobSource
from poolab.study.search.samplers import SAMPLERS, Sampler
from poolab.study.search.search import Search
from poolab.study.sweep.distributions import possible
from poolab.study.sweep.sweep_file import Study

FRESH = 5  # seeds that a comparison is proposed with


def search(
    study: Study, make: Trained | Programs, runs: Path, *, count: int | None, sampler: str | None, seed: int
) -> Search:
    """Return the search of a random or bayes study.

    Raises:
        ConfigError: what it needs is missing, or something that it may draw cannot be run: all errors at once.
    """
    sampler = sampler or default_sampler(study)
    errors = list(_errors(study, sampler, count, seed))
    if errors:
        raise ConfigError("\n".join(errors))
    make.check()
    limit = min(one for one in (count, study.run_cap) if one is not None)
    goal = study.metric.goal if study.metric else "minimize"
    return Search(study, make.extra, runs, make, Sampler(sampler, goal, seed, limit), limit)


def default_sampler(study: Study) -> str:
    """Return the default sampler of the file's method."""
    return "random" if study.method == "random" else "tpe"


def _errors(study: Study, sampler: str, count: int | None, seed: int) -> Iterator[str]:
    if sampler not in SAMPLERS:
        yield f"sampler must be one of {', '.join(SAMPLERS)}, found {sampler!r}"
    if seed < 0:
        yield f"the seed of a search must be at least 0, found {seed}"
    if count is not None and count < 1:
        yield f"--count must be at least 1, found {count}"
    if count is None and study.run_cap is None:
        yield f"{study.path} has no run_cap: say with --count N how many runs the search has in all"
    if sampler != "random" and study.metric is None:
        yield f"{study.path}: {sampler} needs a metric, e.g. name: val/accuracy and goal: maximize"
    if not study.trains and sampler != "random":
        yield (
            f"{study.path}: {sampler} needs results, and {study.program} leaves no record to read them from, only "
            "train.py does; method: random runs it here, and `wandb agent` reads what it logs"
        )
    if not study.trains and study.early_terminate:
        yield (
            f"{study.path}: early_terminate needs a history, which only train.py leaves, not {study.program}: "
            "take it out, or let `wandb agent` run it"
        )


def conclusion(source: JobSource) -> Iterator[str]:
    """Yield the conclusion of a search: why it ended, its best cell, and how to compare that with others."""
    if not isinstance(source, Search):
        return
    if source.over:
        yield f"{source.over}: the search is over"
    metric = source.study.metric
    if source.best is None or metric is None:
        return
    value, trial = source.best
    words = source.space.cell(trial.at).shown
    yield f"best {metric.name}: {value:.6g}"
    yield f"  {_command(source, words)}"
    yield (
        f"A search finds a good setting and no difference: its best is also the luckiest of {len(source.trials.known)} "
        "runs. To compare it with another setting, run both over seeds that the search has not seen:"
    )
    other = [word for word in words if not word.startswith("seed=")]
    yield f"  {_command(source, [*other, f'seed={fresh_seeds(source)}'], multirun=True)}"


def _command(source: Search, words: list[str], multirun: bool = False) -> str:
    folder = [] if source.runs == Path("runs").resolve() else [f"runs_dir={source.runs}"]
    program = source.study.program
    if source.study.trains and Path(program).name != "train.py":  # its command starts poolab in another way
        program = "train.py"
    return shlex.join(["python", program, *["-m"] * multirun, *words, *folder])


def fresh_seeds(source: Search) -> str:
    """Return seeds larger than any that the search can have drawn."""
    said = [word.removeprefix("seed=") for word in source.space.extra if word.startswith("seed=")]
    drawn = [possible(one) for one in source.study.parameters if one.name == "seed"]
    listed = [value for values in drawn for value in (values[-1:] if isinstance(values, range) else values)]
    used = [int(one) for one in (said or listed or [0]) if str(one).isdigit()]
    first = max(used, default=999) + 1
    return ",".join(str(first + index) for index in range(FRESH))
