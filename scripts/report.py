"""The report of a study from a checkout: `python scripts/report.py sweeps/pooling_small.yaml`."""

import sys
from pathlib import Path

# It is made by the checkout in which this file lies, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from poolab.cli import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
