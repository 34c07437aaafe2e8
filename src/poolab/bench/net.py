"""A training step of ResNet-18 in its form for 32x32 images with a pooling in every slot, beside max pooling."""

import argparse
import sys
from dataclasses import asdict
from functools import partial
from itertools import product
from typing import Any

from poolab.bench import choices
from poolab.bench.ops import add_plan_arguments, check_devices, plan_of
from poolab.bench.output import Measure, add_output_arguments, carry_out, check_output
from poolab.bench.result import Group
from poolab.errors import PoolabError

MODES = ("eager", "compile")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark's settings to a parser or subparser."""
    add = partial(parser.add_argument, nargs="+")
    add("--methods", default=["avg_topk"], metavar="NAME", help="methods or groups, as in ops (default: avg_topk)")
    add("--modes", choices=MODES, default=list(MODES), help="eager, or with torch.compile (default: both)")
    add("--layouts", choices=choices.LAYOUTS, default=["channels_last"], help="memory layouts (default: channels_last)")
    add(
        "--dtypes", choices=("float32", "bfloat16"), default=["float32"], help="bfloat16 is autocast (default: float32)"
    )
    add("--devices", default=["cpu"], metavar="DEVICE", help="cpu, cuda (default: cpu)")
    add("--backends", choices=("plain", "fused"), help="paths of poolab (default: both)")
    parser.add_argument(
        "--batch-size", type=choices.positive, default=128, help="images in a batch (default: %(default)s)"
    )
    parser.add_argument(
        "--width", type=choices.positive, default=64, help="channels of the first stage (default: %(default)s)"
    )
    add_plan_arguments(parser, seconds=60.0)
    add_output_arguments(parser)
    parser.set_defaults(run=main)


def main(arguments: argparse.Namespace) -> int:
    """Measure, show, write; 2 where something asked for is not there."""
    try:
        return _run(arguments)
    except PoolabError as fault:
        print(f"bench.py net: {fault}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    import torch

    from poolab.bench import backends
    from poolab.bench.document import new_document
    from poolab.bench.net_table import group_table

    check_output(arguments)
    check_devices(arguments.devices)
    paths = arguments.backends or list(backends.BACKENDS)
    names = choices.methods(arguments.methods)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    settings = {"methods": names, "backends": paths, **asdict(plan_of(arguments))}
    document = new_document("net", arguments.devices, settings)
    asked = product(arguments.devices, arguments.dtypes, arguments.layouts, arguments.modes)
    groups = [_group(arguments, names, paths, *place) for place in asked]
    return carry_out(arguments, document, groups, group_table)


def _group(
    arguments: argparse.Namespace, names: list[str], paths: list[str], device: str, dtype: str, layout: str, mode: str
) -> tuple[str, Measure]:
    from poolab.bench.net_group import Place, measure_group

    place = Place(arguments.batch_size, arguments.width, layout, dtype, device, mode)

    def measure(progress: Any) -> Group:
        return measure_group(place, names, paths, plan_of(arguments), progress)

    return " ".join(map(str, place.described().values())), measure
