"""`poolab study cancel`: the study's jobs in SLURM's queue, and its runners on this machine."""

import argparse
from pathlib import Path

from poolab.errors import ConfigError


def words(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def cancel(chosen: argparse.Namespace, runs: Path) -> int:
    """Stop whatever makes runs of this study; they keep their checkpoints, and the next `run` or `submit` goes on.

    Raises:
        PoolabError: SLURM refuses, or a word too many.
    """
    from poolab.study.runners import stop_runners
    from poolab.study.slurm.cancel import cancel
    from poolab.study.sweep_file import read_study

    if any(not word.startswith("runs_dir=") for word in chosen.extra):
        raise ConfigError(f"cancel ends all of a study and takes no key=value, found {' '.join(chosen.extra)}")
    name = read_study(chosen.file).name
    told = [*stop_runners(runs, name), *cancel(name, runs)]
    print("\n".join(told) if told else f"nothing of {name} runs or waits: there is nothing to cancel")
    return 0
