"""The verb `poolab pictures`: draws the pictures of finished runs from the files in their folders."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from poolab.errors import PoolabError
from poolab.training.measure_verb import finished_record
from poolab.training.picture_files import draw_pictures

EXAMPLES = """examples:
  poolab pictures runs/0123456789ab      curves.png, samples.png, confusion.png and, with measure=full, reliability.png
  poolab pictures runs/*                 of every run
"""


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the verb's arguments."""
    words = argparse.ArgumentParser(
        prog="poolab pictures",
        description=f"{description[0].upper()}{description[1:]}.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument("runs", nargs="+", metavar="RUN", help="folders of finished runs")
    words.add_argument("--again", action="store_true", help="draw the pictures that are there too")
    return words


def pictures_of_runs(given: Sequence[str], description: str) -> int:
    """Draw the pictures that finished runs lack, and print their paths.

    Runs that cannot be drawn are named, the others are drawn; the exit code is then 1.
    """
    chosen = parser(description).parse_args(given)
    failed = 0
    for run in chosen.runs:
        if Path(run).name == "studies":  # runs/* names the studies' own folder as well
            continue
        try:
            _draw(Path(run).expanduser(), chosen.again)
        except PoolabError as fault:
            failed += 1
            print(f"poolab: {fault}", file=sys.stderr)
    return 1 if failed else 0


def _draw(path: Path, again: bool) -> None:
    """Draw the pictures of one run.

    Raises:
        PoolabError: it is not the folder of a finished run, or a picture cannot be drawn.
    """
    record = finished_record(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        drawn = draw_pictures(path, record, again=again)
    for one in drawn:
        print(one)
    faults = [str(one.message) for one in told if str(one.message).startswith("without a picture")]
    if faults:
        raise PoolabError(f"{path} is {faults[0]}")
    if not drawn:
        there = any(path.glob("*.png"))
        print(f"{path} {'has its pictures' if there else 'has no files to draw pictures from'}")
