"""Measure all that the docs say of a GPU in one run: kernels, operators, networks, Lightning's loop, memory.

It needs torch and Triton alone (Lightning's loop is left out where Lightning is missing), and ends after a given time
with what it has: each part that was not reached is named in the result.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from poolab.bench import choices
from poolab.bench.gpu_sizes import SMALL, Sizes
from poolab.bench.ops import check_devices
from poolab.errors import PoolabError

MINUTES = 8.0
Part = tuple[str, Callable[[], Any]]  # its name and how it is measured


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark's settings to a parser or subparser."""
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu to try the script (default: cuda)")
    parser.add_argument(
        "--minutes", type=choices.seconds, default=MINUTES, help="it ends after them (default: %(default)g)"
    )
    parser.add_argument("--small", action="store_true", help="tiny maps and networks, to try the script")
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), help="the result (default: %(default)s)")
    parser.set_defaults(run=main)


def main(arguments: argparse.Namespace) -> int:
    """Measure, show, write after each part; 2 where there is no such device."""
    try:
        check_devices([arguments.device])
        return _run(arguments)
    except PoolabError as fault:
        print(f"bench.py gpu: {fault}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    from poolab.bench.document import made_with
    from poolab.records import strict, write_atomically

    def write(result: dict[str, Any]) -> None:
        write_atomically(arguments.json, json.dumps(strict(result), indent=1, allow_nan=False) + "\n")

    sizes, end = SMALL if arguments.small else Sizes(), perf_counter() + 60 * arguments.minutes
    result: dict[str, Any] = {"benchmark": "gpu", "made_with": made_with([arguments.device]), "left_out": []}
    for name, measure in _parts(arguments.device, sizes):
        if perf_counter() > end:
            result["left_out"].append(name)
            continue
        start = perf_counter()
        try:
            with _until(end):
                result[name] = measure()
        except _Over:
            result["left_out"].append(name)
            continue
        except Exception as fault:  # what one part lacks must not end the others
            result[name] = {"fault": f"{type(fault).__name__}: {str(fault).strip().partition(chr(10))[0]}"}
        faults = f": {result[name]['fault']}" if "fault" in result[name] else ""
        print(f"{name}: {perf_counter() - start:.0f} s{faults}", flush=True)
        write(result)
    write(result)
    if result["left_out"]:
        print(f"Left out after {arguments.minutes:g} minutes: {', '.join(result['left_out'])}")
    print(f"{arguments.json} has the result.")
    return 0


class _Over(BaseException):
    """Tell that the time is over: no Exception, since the parts go on after those."""


@contextmanager
def _until(end: float) -> Iterator[None]:
    """Stop what runs inside when the time is over."""

    def stop(*signal: object) -> None:
        raise _Over

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(end - perf_counter(), 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _parts(device: str, sizes: Sizes) -> Iterator[Part]:
    """Return the parts, the most important ones first."""
    from poolab.bench import gpu_parts as parts

    yield "bandwidth", partial(parts.bandwidth, device, sizes)
    for dtype in sizes.dtypes:
        yield f"conformance {dtype}", partial(parts.conformance, device, dtype, sizes)
    for kernel in (choices.Kernel(2, 2), choices.Kernel(3, 2, 1)):
        for layout in choices.LAYOUTS:
            for dtype in sizes.dtypes:
                yield f"ops {kernel} {layout} {dtype}", partial(parts.ops, device, kernel, layout, dtype, sizes)
    for network in sizes.networks:
        for mode in sizes.modes:
            yield f"net {network} {mode}", partial(parts.net, device, network, mode, sizes)
    yield "lightning", partial(parts.lightning, device, sizes)
