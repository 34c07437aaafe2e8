"""`python -m poolab.training.worker CONFIG.json SIGNATURE`: one process of a distributed run."""

import json
import sys
from pathlib import Path

from poolab.errors import PoolabError
from poolab.run_config import RunConfig
from poolab.training.imports import import_wandb_first, without_collector


def main() -> int:
    """Run the configuration of the file; the caller reads the record."""
    config = RunConfig.from_tree(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    with without_collector("torch"):
        import_wandb_first(config.tracker.name)
        from poolab.training.run import FinishedMeanwhile, run_training
    try:
        run_training(config, sys.argv[2])
    except FinishedMeanwhile:
        return 0  # the caller reads the record
    except PoolabError as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
