"""Measures a layer after a user's first seconds with it: what the backend "auto" gives with an empty cache.

    python scripts/auto_cost.py --seconds 3 --windows 2/2 3/2p1
    python scripts/auto_cost.py --methods gem lse --layout contiguous

Each method runs in a fresh process with an empty cache of kernels, on one thread. It is called, forward and backward,
for so many seconds; then the processor times of calls of it and of `nn.MaxPool2d` are taken in turns. Printed are the
median of the ratios with their middle half, the longest call of the first seconds, and how many calls these held.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from poolab.bench.choices import TARGET
from poolab.pooling import create_pool

WINDOWS = {"2/2": (2, 2, 0), "3/2p1": (3, 2, 1)}


def main() -> int:
    """Print one line for each method and window."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--methods", nargs="+", default=["max", "avg", "target"], help="names; `target`: docs/speed.md's"
    )
    parser.add_argument("--windows", nargs="+", default=list(WINDOWS), choices=WINDOWS)
    parser.add_argument("--shape", default="64x64x32x32")
    parser.add_argument("--layout", default="channels_last", choices=("channels_last", "contiguous"))
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(used(chosen.one, chosen)))
        return 0
    slow = 0
    for window in chosen.windows:
        for method in _names(chosen.methods):
            found = _in_a_process(method, window)
            slow += found["ratio"][1] > 2
            low, middle, high = found["ratio"]
            print(
                f"{window:6} {method:16} {middle:5.2f} ({low:.2f} to {high:.2f})  "
                f"longest call {found['longest']:.0f} ms, {found['calls']} calls in {chosen.seconds:g} s",
                flush=True,
            )
    print(f"{slow} over 2.0")
    return 0


def _names(asked: list[str]) -> list[str]:
    return [name for word in asked for name in (TARGET if word == "target" else (word,))]


def _in_a_process(method: str, window: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as cache:
        words = [*sys.argv[1:], "--windows", window, "--one", method]
        environment = {**os.environ, "POOLAB_CACHE": cache, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, __file__, *words], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def used(method: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return what one method takes in this process, whose cache is empty."""
    torch.set_num_threads(1)
    (window,) = chosen.windows
    shape = tuple(map(int, chosen.shape.split("x")))
    layout = torch.channels_last if chosen.layout == "channels_last" else torch.contiguous_format
    map_ = torch.randn(shape).to(memory_format=layout).requires_grad_()
    reference = nn.MaxPool2d(*WINDOWS[window])
    kernel_size, stride, padding = WINDOWS[window]
    layer = create_pool(method, kernel_size=kernel_size, stride=stride, padding=padding, channels=shape[1])
    gradient = torch.randn_like(reference(map_.detach()))
    steps = [_step(one, map_, gradient) for one in (reference, layer)]
    for _ in range(3):
        steps[0]()
    longest, calls, begun = 0.0, 0, time.monotonic()
    while time.monotonic() - begun < chosen.seconds:
        before = time.monotonic()
        steps[1]()
        longest, calls = max(longest, time.monotonic() - before), calls + 1
    ratios = []
    for _ in range(chosen.rounds):
        of_max, own = map(_seconds, steps)
        ratios.append(own / of_max)
    return {"ratio": statistics.quantiles(ratios, n=4), "longest": 1e3 * longest, "calls": calls}


def _step(layer: nn.Module, map_: Tensor, gradient: Tensor) -> Callable[[], None]:
    def step() -> None:
        map_.grad = None
        layer(map_).backward(gradient)

    return step


def _seconds(step: Callable[[], None]) -> float:
    begun = time.process_time()
    step()
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main())
