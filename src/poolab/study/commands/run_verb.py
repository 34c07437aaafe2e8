"""The arguments of `poolab study run`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.study.commands.verdict import report_run
from poolab.study.folders import without_folder
from poolab.study.runner.output import Output

if TYPE_CHECKING:
    from poolab.study.sweep.sweep_file import Study


def words(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    from poolab.study.run import ISOLATIONS, RETRIES
    from poolab.study.search.samplers import SAMPLERS

    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="number of cells that run at the same time (default: 1)"
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=RETRIES,
        metavar="N",
        help=f"number of new attempts of a cell that crashed or was killed (default: {RETRIES})",
    )
    parser.add_argument(
        "--isolate",
        choices=ISOLATIONS,
        default="auto",
        help="fork: copy a process that has the imports for each cell; spawn: start a new process; "
        "auto (default): fork where there is no accelerator",
    )
    parser.add_argument("--no-report", action="store_true", help="do not write a report and print verdicts at the end")
    drawn = parser.add_argument_group("random and bayes studies")
    drawn.add_argument(
        "--count", type=int, metavar="N", help="total number of runs of the search, including those of earlier calls"
    )
    drawn.add_argument(
        "--sampler",
        choices=SAMPLERS,
        help="sampler: tpe (default for bayes), random (default for random), genetic (NSGA-II)",
    )
    drawn.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the sampler (default: 0)")


def measure_words(parser: argparse.ArgumentParser) -> None:
    """Add the options of `poolab study measure`."""
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="number of runs that are measured together (default: 1)"
    )


def measure_here(chosen: argparse.Namespace, study: "Study", runs: Path) -> int:
    """Add the measures that trained cells lack; return the exit code.

    Raises:
        PoolabError: what cannot be measured, with all errors.
    """
    from poolab.study.run import run_study

    extra = without_folder(chosen.extra)
    outcome = run_study(study, extra, workers=chosen.workers, runs_dir=runs, only_measure=True)
    Output().say(str(outcome))
    return outcome.code


def run_here(chosen: argparse.Namespace, study: "Study", runs: Path) -> int:
    """Run the study; the exit code is 0 when every cell has a result, 130 when it was stopped, else 1.

    Raises:
        PoolabError: what cannot be run, with all errors.
    """
    from poolab.study.run import run_study

    outcome = run_study(
        study,
        without_folder(chosen.extra),
        workers=chosen.workers,
        runs_dir=runs,
        retries=chosen.retries,
        isolate=chosen.isolate,
        count=chosen.count,
        sampler=chosen.sampler,
        seed=chosen.seed,
    )
    output = Output()
    output.say(str(outcome))
    if study.trains and not chosen.no_report and not outcome.interrupted:
        report_run(study, runs, chosen.extra, output.say)
    return outcome.code
