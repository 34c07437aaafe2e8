"""Measure the cost of poolings beside nn.MaxPool2d of the same geometry: time, memory, share of the copy bandwidth."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import product
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any

from poolab.bench import choices
from poolab.bench.interleaved import Plan
from poolab.bench.output import Measure, add_output_arguments, carry_out, check_output
from poolab.errors import ConfigError, PoolabError

if TYPE_CHECKING:
    from poolab.bench.ops_group import Place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark's settings to a parser or subparser."""
    groups = ", ".join([*choices.METHODS, "target (these 17)", "all"])
    add = partial(parser.add_argument, nargs="+")
    add("--methods", default=["target"], metavar="NAME", help=f"methods, or groups: {groups} (default: target)")
    add(
        "--shapes",
        type=choices.shape,
        default=[(64, 64, 32, 32), (16, 256, 56, 56)],
        metavar="NxCxHxW",
        help="maps (default: 64x64x32x32 16x256x56x56)",
    )
    add(
        "--kernels",
        type=choices.kernel,
        default=[choices.Kernel(2, 2), choices.Kernel(3, 2, 1)],
        metavar="K/S[pP]",
        help="windows: size, stride, padding (default: 2/2 3/2p1)",
    )
    add("--layouts", choices=choices.LAYOUTS, default=list(choices.LAYOUTS), help="memory layouts (default: both)")
    add("--dtypes", choices=choices.DTYPES, default=["float32"], help="data types (default: float32)")
    add("--devices", default=["cpu"], metavar="DEVICE", help="cpu, cuda (default: cpu)")
    add(
        "--directions",
        choices=choices.DIRECTIONS,
        default=list(choices.DIRECTIONS),
        help="both: forward and backward timed together (default: all three)",
    )
    add("--backends", choices=("plain", "fused"), help="paths of poolab (default: both)")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=("torch", "timm", "kornia", "antialiased-cnns"),
        help="compare other implementations of the same methods; without a name all installed ones",
    )
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count the processor time of one thread, where other programs use the machine; needs --threads 1",
    )
    add_plan_arguments(parser)
    add_output_arguments(parser)
    parser.set_defaults(run=main)


def add_plan_arguments(parser: argparse.ArgumentParser, rounds: int = 15, seconds: float = 10.0) -> None:
    """Add the settings of how long to measure, and on how many threads."""
    parser.add_argument("--threads", type=choices.positive, help="torch threads (default: torch's own number)")
    parser.add_argument(
        "--rounds",
        type=choices.positive,
        default=rounds,
        help="interleaved rounds, and twice as many more for unsteady cells (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=choices.seconds,
        default=seconds,
        help="the longest time of a cell (default: %(default)s)",
    )
    parser.add_argument(
        "--sample",
        type=choices.seconds,
        default=1e-3,
        metavar="SECONDS",
        help="the shortest time of a sample, which repeats its call (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the order within the rounds (default: %(default)s)"
    )


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the requested plan."""
    asked = arguments
    return Plan(asked.rounds, 2 * asked.rounds, asked.seconds, asked.seed, asked.sample)


def main(arguments: argparse.Namespace) -> int:
    """Measure, show, write; 2 where something asked for is not there."""
    try:
        return _run(arguments)
    except PoolabError as fault:
        print(f"bench.py ops: {fault}", file=sys.stderr)
        return 2


def check_devices(names: list[str]) -> None:
    """Refuse a device that is not there.

    Raises:
        ConfigError: it is not, or the name is not that of a device.
    """
    import torch

    for name in names:
        kind, _, index = name.partition(":")
        if kind not in ("cpu", "cuda") or (index and not index.isdecimal()):
            raise ConfigError(f"--devices {name} is not a device of this benchmark: cpu, cuda, or cuda:1.")
        if kind == "cuda" and not torch.cuda.is_available():
            raise ConfigError(f"--devices {name}: torch {torch.__version__} finds no CUDA device here; use cpu.")
        if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
            raise ConfigError(f"--devices {name}: there are {torch.cuda.device_count()} CUDA devices, from cuda:0 on.")


def _run(arguments: argparse.Namespace) -> int:
    import torch

    from poolab.bench import backends, peers
    from poolab.bench.bandwidth import copy_bandwidth
    from poolab.bench.document import machine, new_document
    from poolab.bench.ops_table import group_table
    from poolab.bench.result import interval_of

    check_output(arguments)
    check_devices(arguments.devices)
    if arguments.processor_time and (arguments.threads != 1 or arguments.devices != ["cpu"]):
        raise ConfigError("--processor-time counts one thread of the CPU: it needs --threads 1 and --devices cpu.")
    paths = arguments.backends or list(backends.BACKENDS)
    names, packages = choices.methods(arguments.methods), peers.chosen(arguments.peers)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    directions = [name for name in choices.DIRECTIONS if name in arguments.directions]
    settings = {"methods": names, "backends": paths, "peers": packages, **asdict(plan_of(arguments))}
    settings["clock"] = "processor time of one thread" if arguments.processor_time else "wall"
    document = new_document("ops", arguments.devices, settings)
    bandwidth = {device: copy_bandwidth(device) for device in arguments.devices}
    document["bandwidth"] = {device: interval_of(found) for device, found in bandwidth.items()}
    print(f"{machine(document['made_with'])}, torch {torch.__version__}")
    for device, found in bandwidth.items():
        print(f"{device} ({document['made_with']['devices'][device]}) copies {found.median / 1e9:.1f} GB/s.")
    groups = []
    for place in _places(arguments):
        how = {"paths": paths, "packages": packages, "directions": directions, "plan": plan_of(arguments)}
        how["clock"] = thread_time if arguments.processor_time else perf_counter
        groups.append((_title(place), _group(place, names, bandwidth[place.device].median, how)))
    return carry_out(arguments, document, groups, group_table)


def _places(arguments: argparse.Namespace) -> Iterator["Place"]:
    from poolab.bench.ops_group import Place

    asked = arguments
    for device, dtype, shape, kernel, layout in product(
        asked.devices, asked.dtypes, asked.shapes, asked.kernels, asked.layouts
    ):
        yield Place(shape, kernel, layout, dtype, device)


def _title(place: "Place") -> str:
    return " ".join(map(str, place.described().values()))


def _group(place: "Place", names: list[str], bandwidth: float, how: dict[str, Any]) -> Measure:
    from poolab.bench.ops_group import measure_group

    return lambda progress: measure_group(place, names, bandwidth=bandwidth, progress=progress, **how)
