"""Benchmarks from a checkout: `python scripts/bench.py ops --methods avg_topk`."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

# What is measured is the checkout in which this file lies, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

# Each is imported when it is chosen: `--help` answers at once, and `ops` needs torch alone.
BENCHMARKS = {
    "ops": ("poolab.bench.ops", "each pooling beside nn.MaxPool2d: time, memory, share of the copy bandwidth"),
    "net": ("poolab.bench.net", "a training step of ResNet-18 with a pooling in every slot beside max pooling"),
    "gpu": ("poolab.bench.gpu", "every figure for a GPU in one run of at most 8 minutes, as JSON"),
    "data": ("poolab.data.bench", "images a second that the batched path prepares, beside torchvision's loop"),
    "startup": ("poolab.bench.startup", "seconds from a command to its help and to the first training step"),
    "compare": ("poolab.bench.compare", "what a change did: two results of ops or net, ratio by ratio"),
}


def main() -> int:
    """Choose a benchmark and run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    benchmarks = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    chosen = next((word for word in sys.argv[1:] if word in BENCHMARKS), None)
    for name, (module, help) in BENCHMARKS.items():
        benchmark = benchmarks.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        if name == chosen:
            import_module(module).add_arguments(benchmark)
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(main())
