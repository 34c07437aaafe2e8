"""The verb `poolab export`: a finished run's network as a file for other programs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from poolab.errors import ConfigError
from poolab.export.run_argument import run_parser

EXAMPLES = """examples:
  poolab export runs/0123456789ab --out model.onnx            for ONNX Runtime and others
  poolab export runs/0123456789ab --out small.onnx --int8     weights and activations of 8 bits
  poolab export runs/0123456789ab --format torch_export --out model.pt2
  poolab export runs/0123456789ab --out model.onnx --images photos/   where the run's data is not at hand

The file takes uint8 images (N, C, H, W) and gives probabilities and logits. It is kept
only if it gives what the network gives: docs/export.md.
"""


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the verb's arguments."""
    from poolab.export.formats import FORMATS

    words = run_parser("export", description, EXAMPLES)
    words.add_argument("--format", metavar="FORMAT", help=f"{', '.join(FORMATS)} (default: what FILE's suffix says)")
    words.add_argument("--out", metavar="FILE", help="the file (default: model with the format's suffix)")
    words.add_argument("--int8", action="store_true", help="8 bits, scaled by training images (onnx, torch_export)")
    words.add_argument("--half", action="store_true", help="16 bits (onnx, torch_export, torchscript)")
    words.add_argument("--images", nargs="+", metavar="IMAGE", help="pictures to compare on, and for int8 to scale by")
    words.add_argument("--tolerance", type=float, metavar="X", help="largest difference (int8: share of changes)")
    words.add_argument("--force", action="store_true", help="replace FILE if it is there")
    return words


def export(given: Sequence[str], description: str) -> int:
    """Write a finished run's network as a file, and print how it compares with the network.

    Raises:
        PoolabError: the run has no network, the format cannot hold it, or the file would differ.
    """
    chosen = parser(description).parse_args(given)
    from poolab.export.formats import allowed_difference, check_packages, find_format, precision_of
    from poolab.export.picture_files import picture_files
    from poolab.export.target import check_target

    if chosen.out is None and chosen.format is None:
        raise ConfigError("name a file, --out model.onnx, or a format, --format onnx")
    form = find_format(chosen.out, chosen.format)
    allowed_difference(precision_of(form, chosen.int8, chosen.half), chosen.tolerance)  # before anything is loaded
    check_packages(form)
    target = chosen.out or f"model{form.suffixes[0]}"
    check_target(Path(target).expanduser(), chosen.force)
    images = None if chosen.images is None else picture_files(chosen.images)
    from poolab.export.loading import load

    model = load(chosen.run)
    print(f"writing {target}: {model!r}", file=sys.stderr, flush=True)
    found = model.export(
        target,
        format=chosen.format,
        int8=chosen.int8,
        half=chosen.half,
        images=images,
        tolerance=chosen.tolerance,
        force=chosen.force,
    )
    print(found)
    return 0
