"""`python -m poolab.study.runner.cell FILE`: the run of one cell, from the file with its resolved configuration."""

import json
import sys
from pathlib import Path

from poolab.records import write_atomically
from poolab.run_config import RunConfig


def write_cell(config: RunConfig, path: Path) -> None:
    """Write the configuration of a cell where its process finds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(config.tree()))


def run_file(path: Path) -> int:
    """Run the configuration of a file, which is deleted once it is read; return the exit code of the run."""
    from poolab.training import run_command

    tree = json.loads(path.read_text(encoding="utf-8"))
    path.unlink(missing_ok=True)  # the run's folder has it from now on
    return run_command(tree)


if __name__ == "__main__":
    sys.exit(run_file(Path(sys.argv[1])))
