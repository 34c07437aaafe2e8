"""python train.py pooling=avg_topk pooling.k=3 backbone=resnet20 data=cifar10 seed=3 (`--help` lists every choice)."""

import sys

from poolab.cli import train

if __name__ == "__main__":
    sys.exit(train(sys.argv[1:]))
