"""python train.py pooling=avg_topk pooling.k=3 backbone=resnet20 data=cifar10 seed=3 (`--help` lists every choice)."""

import sys
from importlib.util import find_spec

for package in ("poolab", "torch"):
    if find_spec(package) is None:
        way = "run `. .venv/bin/activate`, or `pip install -e .`"
        sys.exit(f"{package} is not installed in this Python ({sys.executable}); {way}")

from poolab.cli import train  # noqa: E402 - only after the check that it is there

if __name__ == "__main__":
    sys.exit(train(sys.argv[1:]))
