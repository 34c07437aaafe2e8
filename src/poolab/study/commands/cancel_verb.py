"""`poolab study cancel`: the study's jobs in SLURM's queue, and its runners on this machine."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from poolab.errors import ConfigError
from poolab.study.folders import without_folder
from poolab.text import printable

if TYPE_CHECKING:
    from poolab.study.sweep.sweep_file import Study


def words(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the verb has none of its own."""


def cancel(chosen: argparse.Namespace, study: "Study", runs: Path) -> int:
    """Stop all runs of this study. They keep their checkpoints, and the next `run` or `submit` continues them.

    Raises:
        PoolabError: SLURM refuses, or a word too many.
    """
    from poolab.study.runner.registry import stop_runners
    from poolab.study.slurm.cancel import cancel

    if without_folder(chosen.extra):
        raise ConfigError(f"cancel ends all of a study and takes no key=value, found {' '.join(chosen.extra)}")
    name = study.name
    told = [*stop_runners(runs, name), *cancel(name, runs)]
    print(printable("\n".join(told) if told else f"nothing of {name} runs or waits: there is nothing to cancel"))
    return 0
