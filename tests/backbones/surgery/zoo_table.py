"""`python -m tests.backbones.surgery.zoo_table`: surgery on networks of torchvision and timm, as a Markdown table.

Each cell is a line in the file of results as soon as it is known; a run that is started again takes those up and goes
on. Every network has a process of its own, so that none takes the others with it.
"""

import argparse
import json
import os
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import torch

from tests.backbones.surgery import zoo
from tests.backbones.surgery.uses import TOO_LONG, USES, attempt
from tests.backbones.surgery.zoo import METHODS, NETWORKS, Row, build, images_of

USED = "avg_topk"  # the method that the uses are tried with
SAME = "max for max"
COLUMNS = (SAME, *USES)
# One round for all networks after the other, the quick ones first: what the time does not reach is left blank.
ROUNDS = (
    ("swap", SAME), ("trace", "features", "copy, pickle", "export, any size"), ("DDP, FSDP2", "PT2E"),
    ("compile",), ("ONNX, another size",),
)  # fmt: skip


class Results:
    """What is known so far: rows by network and method, cells by network and column."""

    def __init__(self, path):
        self.path = path
        self.read()

    def read(self):
        """Read the file."""
        self.rows, self.cells = {}, {}
        if not self.path.exists():
            return
        for line in map(json.loads, self.path.read_text().splitlines()):
            if "method" in line:
                self.rows[line["network"], line["method"]] = Row(**line)
            else:
                self.cells[line["network"], line["column"]] = line["told"]

    def write(self, line):
        """Append a line."""
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def has(self, network, column):
        """Whether a column of a network is known."""
        if column == "swap":
            return all((network, method) in self.rows for method in METHODS)
        return (network, column) in self.cells


def run(entry, columns, results):
    """Find out the columns of one network in a process of its own."""
    network = entry.partition(":")[0]
    while missing := [column for column in columns if not results.has(network, column)]:
        child = os.fork()
        if child == 0:
            try:
                for column in missing:
                    _fill(entry, column, results)
            finally:
                sys.stdout.flush()
                os._exit(0)
        _, status = os.waitpid(child, 0)
        results.read()
        died = next((column for column in missing if not results.has(network, column)), None)
        if died and died != "swap":
            results.write(_cell(network, died, f"the process ended by signal {os.WTERMSIG(status)}", 0))
            results.read()
        elif died:
            return


def _fill(entry, column, results):
    network, begun = entry.partition(":")[0], time.process_time()
    if column == "swap":
        for method in METHODS:
            results.write(asdict(zoo.operate(entry, method)))
        return
    told = _same(entry) if column == SAME else _used(entry, column)
    if told is not None:
        results.write(_cell(network, column, told, time.process_time() - begun))


def _cell(network, column, told, seconds):
    return {"network": network, "column": column, "told": told, "seconds": round(seconds, 1)}


def _same(entry):
    try:
        places = [zoo.assert_max_for_max_is_the_same(entry, training) for training in (True, False)]
    except Exception as fault:
        return f"{type(fault).__name__}: {fault}"[:160]
    return "" if places[0] else "original: it pools nowhere by a maximum or a mean"


def _used(entry, use):
    """Return how a use went; where the original fails too, its fault says so."""
    model, images = zoo.swapped(entry, USED)[0], images_of(entry)
    told = attempt(use, model, images)
    if told and not told.startswith(TOO_LONG) and attempt(use, build(entry.partition(":")[0]), images):
        return f"original: {told}"
    return told


def main():
    """Write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--results", type=Path, default=Path("runs/zoo.jsonl"))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no network after that")
    known = [column for columns in ROUNDS for column in columns]
    parser.add_argument("--columns", nargs="*", default=known, help=f"what to find out, of {', '.join(known)}")
    asked = parser.parse_args()
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    results, begun = Results(asked.results), time.monotonic()
    for columns in ROUNDS:
        for entry in asked.networks:
            if time.monotonic() - begun < asked.seconds:
                run(entry, [column for column in columns if column in asked.columns], results)
                passed = time.monotonic() - begun
                print(f"{entry} {', '.join(columns)}: {passed:.0f} s", file=sys.stderr, flush=True)
    networks = [entry.partition(":")[0] for entry in asked.networks]
    sys.exit(not _write(networks, results))


def _write(networks, results):
    """Print the table; return whether everything works that was tried."""
    rows = {name: [results.rows[name, m] for m in METHODS if (name, m) in results.rows] for name in networks}
    print("# Surgery on the networks of torchvision and timm\n")
    print(
        f"`swap_pooling` on untrained networks of ten classes, by {' and by '.join(METHODS)}: windows, or where there "
        "are none strided convolutions. Forward and backward are one step in training with each method. "
        f'"{SAME}" compares the network with one whose maxima and means are replaced by poolab\'s own, to the last '
        "bit: outputs, gradients, buffers, attributes, random numbers, grad mode and hooks of one step, in training "
        f"and in evaluation. The other columns are what people do with a network, tried with {USED}; a blank cell was "
        'not tried, "-" has nothing to compare, and "nor the original" failed before the swap too.\n'
    )
    print(f"| network | slots | replaced | not reached | forward, backward | {' | '.join(COLUMNS)} |")
    print(f"|---|---|---:|---:|---|{'---|' * len(COLUMNS)}")
    for name, own in rows.items():
        if own:
            steps = "yes" if all(row.works for row in own) else "NO"
            marks = [_mark(results.cells.get((name, column))) for column in COLUMNS]
            print(
                f"| {' | '.join(map(str, [name, own[0].slots, own[0].replaced, own[0].unreachable, steps, *marks]))} |"
            )
    known = [name for name in networks if rows[name]]
    good = [name for name in known if all(row.works for row in rows[name])]
    print(f"\n{len(good)} of {len(known)} networks work with every method.\n")
    told = [results.cells.get((name, column)) for name in networks for column in COLUMNS]
    print(_summary(networks, results))
    _reasons(networks, rows, results)
    return len(good) == len(known) and not any(_mark(each) == "NO" for each in told)


def _mark(told):
    if told is None:
        return ""
    if told.startswith("original: "):
        return "-" if "pools nowhere" in told else "no, nor the original"
    return "yes" if not told else "not run" if told.startswith(TOO_LONG) else "NO"


def _summary(networks, results):
    lines = []
    for column in COLUMNS:
        marks = [_mark(results.cells.get((name, column))) or "not tried" for name in networks]
        counted = [f"{marks.count(mark)} {mark}" for mark in dict.fromkeys(sorted(marks, key=lambda m: m != "yes"))]
        lines.append(f"- {column}: {', '.join(counted)}")
    return "\n".join(lines) + "\n"


def _reasons(networks, rows, results):
    print('What is not "yes", by its reason:\n')
    reasons = {}
    for name in networks:
        for row in rows[name]:
            if row.reason:
                reasons.setdefault((row.method, row.reason), []).append(name)
        for column in COLUMNS:
            told = results.cells.get((name, column))
            if told and "pools nowhere" not in told:
                reasons.setdefault((column, told.replace("original: ", "nor the original: ")), []).append(name)
    for (column, told), names in reasons.items():
        print(f"- {column}: {told} ({', '.join(names)})")


if __name__ == "__main__":
    main()
