"""Compare two results of `ops` or `net`, ratio by ratio, to see what a change did."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from poolab.bench.document import read
from poolab.bench.figures import Figure, quotient
from poolab.bench.ops_table import name_of, number, ratio
from poolab.bench.output import add_output_arguments, check_output
from poolab.bench.result import Cell, Change, Comparison, Document, MadeWith
from poolab.bench.sheet import Sheet
from poolab.errors import ConfigError, PoolabError

# A change is called clear where its interval leaves out 1 and it is at least this large. The interval knows the
# rounds within a process; where the memory of a process happens to lie is worth some percent besides.
CLEAR = 0.05
Identity = tuple[tuple[str, str], ...]
Cells = dict[tuple[Identity, str, str, str], Cell]
SIDES = ("old", "new")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two files to a parser or subparser."""
    parser.add_argument("old", type=Path, help="the JSON file from before the change")
    parser.add_argument("new", type=Path, help="the JSON file from after it")
    add_output_arguments(parser, picture=False)
    parser.set_defaults(run=main)


def main(arguments: argparse.Namespace) -> int:
    """Show what changed; 2 where a file cannot be read."""
    try:
        check_output(arguments)
        result = compare(read(arguments.old), read(arguments.new))
    except PoolabError as fault:
        print(f"bench.py compare: {fault}", file=sys.stderr)
        return 2
    tables = [_table(place, rows) for place, rows in result["groups"].items()]
    for table in tables:
        table.show()
    notes = [*_remarks(result), _verdict(result)]
    print("\n".join(notes))
    _write(arguments, result, tables, notes)
    return 0


def compare(old: Document, new: Document) -> Comparison:
    """Return the ratios that both results have, with their quotient; what only one has; and how their settings differ.

    Raises:
        ConfigError: the results are of different benchmarks.
    """
    if old["benchmark"] != new["benchmark"]:
        raise ConfigError(
            f"the old result is of {old['benchmark']}, the new one of {new['benchmark']}: compare two of one kind."
        )
    cells = _cells(old), _cells(new)
    groups: dict[str, list[Change]] = {}
    for key in cells[1]:
        if key in cells[0]:
            place, *_ = key
            groups.setdefault(_words(place), []).append(_change(cells[0][key], cells[1][key]))
    only = {"old": _missing(*cells), "new": _missing(*reversed(cells))}
    return {"groups": groups, "only": only, "differences": differences(old["made_with"], new["made_with"])}


def differences(old: MadeWith, new: MadeWith) -> dict[str, tuple[object, object]]:
    """Return what differs between the two and can change a figure: machine, threads, devices, versions.

    >>> differences({"threads": 1, "packages": {"torch": "2.11"}}, {"threads": 2, "packages": {"torch": "2.11"}})
    {'threads': (1, 2)}
    """
    facts = ("processor", "cpus", "threads", "devices", "python")
    found: dict[str, tuple[object, object]] = {key: (old.get(key), new.get(key)) for key in facts}
    packages = [made.get("packages", {}) for made in (old, new)]
    for name in sorted({*packages[0], *packages[1]} - {"poolab"}):
        found[name] = packages[0].get(name), packages[1].get(name)
    return {key: pair for key, pair in found.items() if pair[0] != pair[1]}


def _cells(document: Document) -> Cells:
    """Return the cells with a ratio by place, method, backend and direction."""
    found: Cells = {}
    for group in document["groups"]:
        place = tuple((key, str(value)) for key, value in group.items() if key != "cells")
        for cell in group["cells"]:
            if cell.get("ratio"):
                found[place, cell["method"], cell["backend"], cell["direction"]] = cell
    return found


def _missing(mine: Cells, others: Cells) -> dict[str, list[str]]:
    """Return the cells of one result that the other lacks, by place; of a missing place only their number."""
    found: dict[str, list[str]] = {}
    shared = {place for place, *_ in others}
    for place, *names in mine:
        if (place, *names) not in others:
            found.setdefault(_words(place), []).append(" ".join(names))
    whole = {_words(place) for place, *_ in mine if place not in shared}
    return {place: [f"all {len(names)} ratios"] if place in whole else names for place, names in found.items()}


def _words(place: Identity) -> str:
    return " ".join(value for _, value in place)


def _change(old: Cell, new: Cell) -> Change:
    assert old["ratio"] is not None  # as `_cells` has chosen them
    assert new["ratio"] is not None
    before, after = Figure(**old["ratio"]), Figure(**new["ratio"])
    changed, low, high = quotient(after, before)
    refused = before.refused or after.refused
    clear = not refused and not low <= 1 <= high and abs(changed - 1) >= CLEAR
    return {
        "method": new["method"],
        "backend": new["backend"],
        "direction": new["direction"],
        "old": old["ratio"],
        "new": new["ratio"],
        "quotient": changed,
        "low": low,
        "high": high,
        "verdict": "refused" if refused else ("faster" if changed < 1 else "slower") if clear else "",
    }


def _table(place: str, rows: list[Change]) -> Sheet:
    styles = {"faster": "green", "slower": "red", "refused": "dim"}
    texts = [
        [
            f"{name_of(row).strip()} {row['direction']}",
            ratio(row["old"]),
            ratio(row["new"]),
            f"{number(row['quotient'])} {number(row['low'])}-{number(row['high'])}",
            row["verdict"],
        ]
        for row in rows
    ]
    heads = ("ratio to nn.MaxPool2d", "old", "new", "new/old 95 %", "clear")
    return Sheet(place, heads, texts, (), [styles.get(row["verdict"]) for row in rows])


def _remarks(result: Comparison) -> Iterator[str]:
    for key, (old, new) in result["differences"].items():
        yield f"The two differ in {key}: {old} before, {new} now."
    for side in SIDES:
        for place, names in result["only"][side].items():
            yield f"Only in the {side} result, {place}: {', '.join(names)}."


def _verdict(result: Comparison) -> str:
    verdicts = [row["verdict"] for rows in result["groups"].values() for row in rows]
    if not verdicts:
        return "The two results have no ratio in common."
    counts = {name: verdicts.count(name) for name in ("faster", "slower", "refused")}
    same = len(verdicts) - sum(counts.values())
    all_of_them = f"{len(verdicts)} ratio{'s' * (len(verdicts) > 1)}"
    return (
        f"{all_of_them}: {counts['faster']} clearly faster, {counts['slower']} clearly slower, "
        f"{same} without a clear change, {counts['refused']} refused. Clear: the interval leaves out 1, and the change "
        f"is {CLEAR:.0%} or more."
    )


def _write(arguments: argparse.Namespace, result: Comparison, tables: list[Sheet], notes: list[str]) -> None:
    from poolab.bench.document import write

    write(result, arguments.json)
    if arguments.markdown:
        listed = "\n".join(f"- {note}" for note in notes)
        arguments.markdown.write_text("\n".join([*(table.markdown() for table in tables), listed]) + "\n")
