"""`poolab study plan|run|submit|cancel|status|table|sync`: the arguments of each verb and what it prints."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from poolab.errors import ConfigError, PoolabError, nearest
from poolab.study.commands import cancel_verb, submit_verb
from poolab.study.folders import runs_folder, without_folder, working_folder
from poolab.text import one_line, printable

if TYPE_CHECKING:
    from poolab.study.sweep.sweep_file import Study

REASONS = 20  # runs of one state that are shown with their reasons


class Verb(NamedTuple):
    """A verb: its help in one sentence, its own arguments, and its action."""

    help: str
    words: Callable[[argparse.ArgumentParser], None]
    action: Callable[[argparse.Namespace], int | None]  # its exit code, or None for 0
    file: str = "FILE"  # "[FILE]": it can do without


def study(given: Sequence[str], description: str) -> int:
    """Run one of the verbs and return the exit code.

    Raises:
        PoolabError: the file, a cell or a word of the command line is wrong.
    """
    if not given or given[0] in ("-h", "--help"):
        lines = [f"  {name:8}{verb.help}" for name, verb in VERBS.items()]
        print("\n".join(["usage: poolab study verb FILE [key=value ...]", "", description, "", *lines]))
        return 0
    name, *rest = given
    if name not in VERBS:
        hint = "write poolab new study; " if name == "new" else nearest(name, list(VERBS))
        raise ConfigError(f"poolab study {name}: {hint}the verbs are {', '.join(VERBS)}")
    parser = argparse.ArgumentParser(prog=f"poolab study {name}", description=VERBS[name].help)
    optional = "?" if VERBS[name].file.startswith("[") else None
    parser.add_argument("file", metavar="FILE", nargs=optional, help="a study file, e.g. sweeps/pooling_small.yaml")
    settings = parser.add_argument(
        "extra", nargs="*", metavar="key=value", help="a setting for every cell, e.g. trainer.epochs=3"
    )
    settings.required = False  # until 3.12 argparse names it as required where FILE is left out
    parser.add_argument("--runs", metavar="DIR", help="the folder of the runs (default: the file's runs_dir, or runs)")
    VERBS[name].words(parser)
    # Settings may stand behind an option: FILE --runs DIR trainer.epochs=3.
    try:
        return VERBS[name].action(parser.parse_intermixed_args(rest)) or 0
    except PoolabError as error:
        text = printable(str(error))
        if text == str(error):
            raise
        raise type(error)(text) from error


def named(chosen: argparse.Namespace) -> tuple["Study", Path]:
    """Return the study that the command line names, and the folder of its runs."""
    from poolab.study.sweep.sweep_file import read_study

    working_folder()  # all paths are read from there
    read = read_study(chosen.file)
    return read, runs_folder(read, chosen.runs, chosen.extra)


def _plan_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--measure", action="store_true", help="run one epoch of each network and data set to estimate the time"
    )
    parser.add_argument("--per-hour", metavar="PRICE", type=float, help="price of an hour of a device")


def _plan(chosen: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from poolab.study.plan.cache import remember
    from poolab.study.plan.estimate import from_records, like_records, measured
    from poolab.study.plan.page import page
    from poolab.study.plan.plan import plan
    from poolab.study.record_file import read_records
    from poolab.study.sweep.cells import in_words

    if chosen.per_hour is not None and not 0 <= chosen.per_hour < float("inf"):
        raise ConfigError(f"--per-hour must be a price of at least 0, found {chosen.per_hour}")
    read, runs = named(chosen)
    planned = plan(read, [*without_folder(chosen.extra), f"runs_dir={in_words(str(runs))}"])
    remember(planned)
    left = [one for one in planned.cells if one.signature not in planned.finished]
    like = like_records(planned, read_records(runs))
    estimate = measured(left) if chosen.measure and left else from_records(left, like)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), width=80)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    records = [record for some in like.values() for record in some]
    for title, text in page(planned, estimate, records, chosen.per_hour):
        table.add_row(title, printable(text))
    Console(highlight=False, markup=False, width=80).print(table)


def _run_words(parser: argparse.ArgumentParser) -> None:
    from poolab.study.commands.run_verb import words

    words(parser)


def _run(chosen: argparse.Namespace) -> int:
    from poolab.study.commands.run_verb import run_here

    return run_here(chosen, *named(chosen))


def _status_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all",
        action="store_true",
        help="list all runs, not only those that did not complete, and the folders of finished runs",
    )


def _status(chosen: argparse.Namespace) -> None:
    from poolab.study.slurm.queue import look
    from poolab.study.slurm.submission import with_added
    from poolab.study.status import STATES, counted, status

    study, runs = named(chosen)
    queue = look(runs)
    states = status(study, runs, with_added(runs, study.name, without_folder(chosen.extra)), queue)
    counts = counted(states)
    print(f"{len(states)} runs: " + (", ".join(f"{number} {state}" for state, number in counts.items()) or "none yet"))
    for state in (*STATES, *(other for other in counts if other not in STATES)):
        some = [one for one in states if one.state == state and one.run]
        quiet = state in ("completed", "missing") or (state == "waiting" and not any(one.reason for one in some))
        if quiet and not chosen.all:
            continue
        shown = some if chosen.all else some[:REASONS]
        for one in shown:
            below = [printable(" ".join(one.reason.split()))]
            below += [one_line(str(one.folder))] if chosen.all and one.folder is not None else []
            print("\n    ".join([f"{state}: {one_line(one.run)}", *filter(None, below)]))
        if len(some) > len(shown):
            print(f"{state}: and {len(some) - len(shown)} more (--all)")
    if queue.error:
        print(f"the queue could not be asked, and is left out: {printable(queue.error)}")


def _table_words(parser: argparse.ArgumentParser) -> None:
    from poolab.study.commands.table_verb import words

    words(parser)


def _table(chosen: argparse.Namespace) -> None:
    from poolab.study.commands.table_verb import table

    table(chosen, *named(chosen))


def _sync_words(parser: argparse.ArgumentParser) -> None:
    from poolab.study.commands.sync_verb import words

    words(parser)


def _sync(chosen: argparse.Namespace) -> int:
    from poolab.study.commands.sync_verb import sync

    if chosen.file is None or Path(chosen.file).is_dir():
        return sync(chosen, runs_folder(None, chosen.runs, chosen.extra))
    return sync(chosen, named(chosen)[1])


def _measure_words(parser: argparse.ArgumentParser) -> None:
    from poolab.study.commands.run_verb import measure_words

    measure_words(parser)


def _measure(chosen: argparse.Namespace) -> int:
    from poolab.study.commands.run_verb import measure_here

    return measure_here(chosen, *named(chosen))


VERBS = {
    "plan": Verb("check all cells; estimate the time and the smallest detectable difference", _plan_words, _plan),
    "run": Verb("run the cells that have no result yet, on this machine", _run_words, _run),
    "measure": Verb(
        "add measures to the cells that are trained, without training: FILE measure=full", _measure_words, _measure
    ),
    "submit": Verb(
        "submit the cells that have no result yet to SLURM",
        submit_verb.words,
        lambda chosen: submit_verb.submit(chosen, *named(chosen)),
    ),
    "cancel": Verb(
        "stop the study's jobs and runners; they write their checkpoints",
        cancel_verb.words,
        lambda chosen: cancel_verb.cancel(chosen, *named(chosen)),
    ),
    "status": Verb("list finished, running, waiting and failed cells, with the reasons", _status_words, _status),
    "table": Verb("compare arms with a baseline: paired differences, intervals and verdicts", _table_words, _table),
    "sync": Verb("upload the offline runs of a study, or of a folder DIR, to W&B", _sync_words, _sync, "[FILE]"),
}
