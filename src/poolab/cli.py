"""The console command `poolab`. Each room is imported where it is used, so that a command starts fast."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from poolab.errors import INTERRUPTED, ConfigError, PoolabError, nearest

STUDY_VERBS = ("plan", "run", "submit", "status", "cancel", "sync")  # typed without `study`
VERBS = {
    "train": "train, measure and record one network (arguments as for Hydra: --help, -m, key=value)",
    "shapes": "print size, parameters and activation bytes of every slot of a network",
    "pools": "list all pooling methods, or describe one; --show draws what it keeps of an image",
    "table": "print the records of a folder as a table: one line for each arm",
    "measure": "measure finished runs from their checkpoints, without training: RUN... measure=full",
    "pictures": "draw the pictures of finished runs: learning curves, test images, confusion matrix",
    "predict": "print the classes that a finished run's network sees in pictures",
    "export": "write a finished run's network as a file for other programs, such as ONNX Runtime",
    "report": "compare poolings: verdicts, tables, figures and a page from records",
    "new": "write a study file from settings: new study pooling=max,avg seed=0,1,2",
    "study": "make many runs from one sweep file: plan, run, submit, status, cancel, table, sync",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; the exit code is 0, 1 for a run that failed, 2 for a wrong setting, 130 for an interrupted run."""
    try:
        return _verb(list(sys.argv[1:] if arguments is None else arguments))
    except BrokenPipeError:
        return _unread()


def _verb(given: list[str]) -> int:
    if given and given[0] in ("-m", "--multirun") and given[1:2] == ["train"]:  # where Hydra's own programs have it
        given = ["train", given[0], *given[2:]]
    if given and given[0] == "train":  # everything after it is for Hydra
        return train(given[1:], program="poolab train")
    # These read their arguments themselves.
    own = {"pools": _pools, "study": _study, "new": _new, "report": _report, "measure": _measure}
    own |= {"pictures": _pictures, "predict": _predict, "export": _export}
    if given and given[0] in own:
        return _guarded(lambda: own[given[0]](given[1:]))
    if given and not given[0].startswith("-") and given[0] not in VERBS:
        return _complain(PoolabError(_unknown_verb(given[0])))
    parser = argparse.ArgumentParser(
        prog="poolab", description="Which pooling should this CNN use, and how sure are we?"
    )
    parser.add_argument("--version", action="version", version=f"poolab {_version()}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    verbs.add_parser("train", help=VERBS["train"])
    shapes = verbs.add_parser("shapes", help=VERBS["shapes"], description=VERBS["shapes"])
    shapes.add_argument("overrides", nargs="*", help="backbone=... pooling=... data=..., as for train")
    verbs.add_parser("pools", help=VERBS["pools"])
    verbs.add_parser("measure", help=VERBS["measure"])
    verbs.add_parser("pictures", help=VERBS["pictures"])
    verbs.add_parser("predict", help=VERBS["predict"])
    verbs.add_parser("export", help=VERBS["export"])
    verbs.add_parser("report", help=VERBS["report"])
    verbs.add_parser("new", help=VERBS["new"])
    verbs.add_parser("study", help=VERBS["study"])
    table = verbs.add_parser("table", help=VERBS["table"], description=VERBS["table"])
    table.add_argument("folder", nargs="?", help="the folder of the records, as --runs")
    table.add_argument("--runs", default="runs", help="the folder of the records (default: runs)")
    table.add_argument("--markdown", action="store_true", help="as Markdown instead of a terminal table")
    chosen = parser.parse_args(given)
    return _guarded(lambda: {"shapes": _shapes, "table": _table}[chosen.verb](chosen))


def _unknown_verb(word: str) -> str:
    """Return the message for an unknown verb; verbs of `poolab study` and settings get their own message."""
    if word in STUDY_VERBS:
        return f"poolab {word}: write poolab study {word} FILE"
    if "=" in word:
        return f"poolab {word}: a setting comes after a verb: poolab train {word}"
    return f"poolab {word}: there is no such verb; {nearest(word, list(VERBS))}the verbs are {', '.join(VERBS)}"


def _version() -> str:
    from importlib import metadata

    return metadata.version("poolab")


def train(arguments: Sequence[str], program: str = "train.py") -> int:
    """Train from Hydra's arguments: one run, or with -m one run after the other. Return the exit code."""
    try:
        told = _told(arguments, program)
        if told is None:
            return _train(_hydras(arguments), program)
        print(told)
        return 0
    except PoolabError as fault:
        return _complain(fault)
    except BrokenPipeError:
        return _unread()


def _told(arguments: Sequence[str], program: str) -> str | None:
    """Return the help or the versions, where the arguments ask for them."""
    if {"--help", "-h"} & set(arguments):
        from poolab.hydra_words import ordered
        from poolab.train_help import train_help

        return train_help(ordered(arguments)[0], program)
    if "--version" in arguments:
        from importlib import metadata

        return f"poolab {_version()} (Hydra {metadata.version('hydra-core')}, torch {metadata.version('torch')})"
    return None


def _train(arguments: list[str], program: str) -> int:
    import hydra

    from poolab.configuration import check_launcher, config_dir, explain

    codes: list[int] = []
    here = os.getpid()

    def job(config: Any) -> None:
        _dispatch(config, here, codes)

    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    entry = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")(job)
    try:
        check_launcher(arguments)
        if "hydra/launcher=ray" in arguments:
            _quiet_ray()
        with _hydra_hears([program, *arguments]):
            entry()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as fault:
        if wants_traceback or not type(fault).__module__.startswith(("hydra", "omegaconf")):
            raise
        return _complain(PoolabError(explain(fault)))
    return max(codes, default=0)


def _hydras(arguments: Sequence[str]) -> list[str]:
    """Return the words of the command line as Hydra takes them.

    Raises:
        ConfigError: Hydra could not read one of them, or a value of a sweep's server looks something up.
    """
    from poolab.configuration import prepared
    from poolab.hydra_words import ordered

    if os.environ.get("WANDB_SWEEP_ID"):
        from poolab.study.wandb.agent_args import in_hydras_words

        arguments = in_hydras_words(arguments)
    settings, options = ordered(arguments)
    sweep = bool({"-m", "--multirun"} & set(options))
    launcher = next((word for word in settings if word.lstrip("+").startswith("hydra/launcher=")), None)
    if launcher is not None and not sweep:
        raise ConfigError(f"{launcher} starts the runs of a multirun: add -m, and a setting with several values")
    return [*prepared(settings, sweep=sweep), *options]


def _dispatch(config: Any, here: int, codes: list[int]) -> None:
    """Run in this process and keep the exit code; in a launcher's process, which passes no code back, raise faults."""
    if "SUBMITIT_EXECUTOR" in os.environ:
        _run_by_submitit(config)
    elif os.getpid() != here:
        _run_elsewhere(config)
    else:
        codes.append(_run(config))
        if codes[-1] == INTERRUPTED:  # Hydra would go on with the next run of a sweep
            raise KeyboardInterrupt


@contextmanager
def _hydra_hears(arguments: list[str]) -> Iterator[None]:
    """Set sys.argv, which Hydra reads, and make Hydra raise its errors: its own printed advice is wrong for poolab."""
    argv, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = arguments, "1"
    try:
        yield
    finally:
        sys.argv = argv
        del os.environ["HYDRA_FULL_ERROR"]
        if full_error is not None:
            os.environ["HYDRA_FULL_ERROR"] = full_error


def _quiet_ray() -> None:
    import warnings

    os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # Ray otherwise merges lines that differ only in numbers
    # poolab's file has the name of the plugin's own, which Hydra validates it against: Hydra calls that deprecated.
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/ray' is validated against ConfigStore schema")


def _run(config: Any) -> int:
    try:
        return _launched(config)
    except PoolabError as fault:
        return _complain(fault)


def _run_elsewhere(config: Any) -> None:
    """Run, and both print and raise faults: of several runs, Hydra raises only the first one's."""
    try:
        code = _launched(config)
    except PoolabError as fault:
        _complain(fault)
        raise
    if code == INTERRUPTED:
        raise PoolabError("a run was stopped; the same command resumes it from its checkpoint")


def _launched(config: Any) -> int:
    from poolab.configuration import plain
    from poolab.training import launch_and_print

    return launch_and_print(plain(config))


def _run_by_submitit(config: Any) -> None:
    from poolab.training import requeue

    requeue(_launched(config) == INTERRUPTED)


def _shapes(chosen: argparse.Namespace) -> None:
    from rich.console import Console

    from poolab.backbones import render_shapes
    from poolab.configuration import compose
    from poolab.training import matched_shapes

    rows, match = matched_shapes(compose(chosen.overrides))
    console = Console(highlight=False)
    console.print(render_shapes(rows))
    if match is not None:
        console.print(f"matched: {match}")


def _pools(given: Sequence[str]) -> None:
    from poolab.catalogue.verb import pools

    pools(given, VERBS["pools"])


def _study(given: Sequence[str]) -> int:
    from poolab.study.commands.verbs import study

    return study(given, VERBS["study"])


def _new(given: Sequence[str]) -> int:
    from poolab.study.commands.new_verb import new

    return new(given, VERBS["new"])


def _report(given: Sequence[str]) -> int:
    from poolab.study.commands.report_verb import report

    return report(given)


def _measure(given: Sequence[str]) -> int:
    from poolab.training import measure

    return measure(given, VERBS["measure"])


def _pictures(given: Sequence[str]) -> int:
    from poolab.training import pictures_of_runs

    return pictures_of_runs(given, VERBS["pictures"])


def _predict(given: Sequence[str]) -> int:
    from poolab.export import predict

    return predict(given, VERBS["predict"])


def _export(given: Sequence[str]) -> int:
    from poolab.export import export

    return export(given, VERBS["export"])


def _table(chosen: argparse.Namespace) -> None:
    from poolab.records import print_table

    print_table(chosen.folder or chosen.runs, chosen.markdown)


def _guarded(action: Any) -> int:
    try:
        return action() or 0
    except PoolabError as fault:
        return _complain(fault)
    except KeyboardInterrupt:
        print("poolab: interrupted", file=sys.stderr)
        return INTERRUPTED


def _unread() -> int:
    """Handle a closed output (`... | head`): it is no fault, and the interpreter's last flush must not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _complain(fault: PoolabError) -> int:
    print(f"poolab: {fault}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
