"""Make a run from a resolved configuration as a command: its output, its messages and its exit code."""

import sys
from collections.abc import Mapping
from typing import Any

from poolab.errors import INTERRUPTED, PoolabError
from poolab.training.imports import without_collector


def launch_and_print(tree: Mapping[str, Any], *, pictures: bool = True) -> int:
    """Make a run, print its record, and return the exit code: 0, or 130 of an interrupted run.

    Args:
        tree: the resolved configuration, as `poolab.configuration.compose` gives it.
        pictures: draw the run's pictures.

    Raises:
        PoolabError: as `launch`.
    """
    from poolab.training.console import print_record

    with without_collector("torch"):
        from poolab.training.launcher import launch
        from poolab.training.wandb_access import stopped_by_agent
    record, folder, fresh = launch(tree, pictures=pictures)
    if record:  # the first process of a run has it
        print_record(record, folder, fresh)
    return INTERRUPTED if record and record.status == "interrupted" and not stopped_by_agent(record) else 0


def run_command(tree: Mapping[str, Any]) -> int:
    """Make a run of a study: print a wrong setting on standard error and return the exit code 2, and draw no pictures.

    Pictures took 2 of the 5 s of a small run; `poolab pictures` draws them when somebody looks.
    """
    try:
        return launch_and_print(tree, pictures=False)
    except PoolabError as fault:
        print(f"poolab: {fault}", file=sys.stderr)
        return 2
