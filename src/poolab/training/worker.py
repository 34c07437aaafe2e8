"""`python -m poolab.training.worker CONFIG.json SIGNATURE`: one process of a distributed run."""

import json
import sys
from pathlib import Path

from poolab.errors import PoolabError


def main() -> int:
    """Run the configuration of the file; the caller reads the record."""
    from poolab.training.run import run

    try:
        run(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
    except PoolabError as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
