"""Benchmarks from a checkout: `python scripts/bench.py data`."""

import argparse
import sys

from poolab.bench import startup
from poolab.data import bench as data_bench


def main() -> int:
    """Choose a benchmark and run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    benchmarks = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    data_bench.add_arguments(benchmarks.add_parser("data", help=data_bench.__doc__, description=data_bench.__doc__))
    startup.add_arguments(benchmarks.add_parser("startup", help=startup.__doc__, description=startup.__doc__))
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(main())
