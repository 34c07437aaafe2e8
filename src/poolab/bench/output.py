"""The output of `ops` and `net`: measure group after group, save each at once, and show, draw and write the results."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from poolab.bench.document import machine, write
from poolab.bench.progress import Progress
from poolab.bench.result import Document, Group
from poolab.bench.sheet import Sheet
from poolab.errors import INTERRUPTED, ConfigError

Measure = Callable[[Callable[[int, int, str], None]], Group]
PICTURES = (".png", ".svg", ".pdf")


def add_output_arguments(parser: argparse.ArgumentParser, picture: bool = True) -> None:
    """Add the places where the result goes."""
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all figures to this file, after each group")
    parser.add_argument("--markdown", type=Path, metavar="PATH", help="write the tables to this file")
    if picture:
        parser.add_argument(
            "--picture", type=Path, metavar="PATH", help="draw the ratios to this file (needs matplotlib)"
        )


def check_output(arguments: argparse.Namespace) -> None:
    """Refuse paths that cannot be written, before minutes are spent.

    Raises:
        ConfigError: a folder is missing, a path is one, or a picture's ending is not known.
    """
    for option in ("json", "markdown", "picture"):
        path = getattr(arguments, option, None)
        if path and not path.parent.is_dir():
            raise ConfigError(f"--{option} {path}: the folder {path.parent} does not exist; create it first.")
        if path and path.is_dir():
            raise ConfigError(f"--{option} {path} is a folder; name a file in it.")
    picture = getattr(arguments, "picture", None)
    if picture and picture.suffix not in PICTURES:
        raise ConfigError(f"--picture {picture}: its ending is {picture.suffix!r}; allowed are {', '.join(PICTURES)}.")


def carry_out(
    arguments: argparse.Namespace,
    document: Document,
    groups: Sequence[tuple[str, Measure]],
    tables: Callable[[Group, bool], Sheet],
) -> int:
    """Measure the groups, show each, write what was asked for; Ctrl-C and a crash keep the groups before them.

    Args:
        arguments: with json, markdown and picture.
        document: the result, which the groups are added to.
        groups: title and measurement of each.
        tables: the table of one group, in full or as 80 columns have room for.
    """
    code = 0
    try:
        write(document, arguments.json)
        with Progress(len(groups)) as progress:
            for title, measure in groups:
                progress.start(title)
                document["groups"].append(measure(progress.at))
                write(document, arguments.json)
                progress.pause()
                tables(document["groups"][-1], False).show()
        document["complete"] = True
    except KeyboardInterrupt:
        print(f"\nStopped: {len(document['groups'])} of {len(groups)} groups are kept.", file=sys.stderr)
        code = INTERRUPTED
    finally:
        _finish(arguments, document, tables)
    return code


def _finish(arguments: argparse.Namespace, document: Document, tables: Callable[[Group, bool], Sheet]) -> None:
    write(document, arguments.json)
    if arguments.markdown:
        texts = [_heading(document), *(tables(group, True).markdown() for group in document["groups"])]
        arguments.markdown.write_text("\n".join(texts))
    if arguments.picture and document["groups"]:
        if find_spec("matplotlib") is None:
            print("No picture: matplotlib is not installed (pip install matplotlib).", file=sys.stderr)
        else:
            from poolab.bench.picture import draw

            draw(document, arguments.picture)


def _heading(document: Document) -> str:
    """Return what made the figures, as the first lines of the Markdown."""
    made = document["made_with"]
    commit = (
        f"commit {made['commit']}{' with changes' if made['dirty'] else ''}" if made["commit"] else "no commit known"
    )
    lines = [
        f"`{made['command']}`",
        "",
        f"{made['date']}, {commit}; Python {made['python']}, torch {made['packages']['torch']}; {machine(made)}, "
        f"load {made['load_average']:.1f} at the start.",
    ]
    for device, copied in document.get("bandwidth", {}).items():
        lines.append(f"{device} ({made['devices'][device]}) copies {copied['median'] / 1e9:.1f} GB/s.")
    lines += [] if document["complete"] else ["", "Stopped before the end."]
    return "\n".join(lines) + "\n"
