"""Seconds from a command to its answer: imports, `train.py --help`, and the first training step.

Every figure is of fresh processes, which start in turns: whatever slows the machine for a while slows them all. Nothing
heavy is imported here.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypedDict

from poolab.errors import PoolabError

SOURCE = Path(__file__).resolve().parents[2]
TRAIN = SOURCE.parent / "train.py"
AIM = 1.5  # seconds from the imports of torch and Lightning to the first training step

# The imports of a process, each stamped. The clock is the system's, so the parent knows when the process was asked for.
STAMPED = """
import json, sys, time
stamps = []
for name in sys.argv[1:]:
    __import__(name)
    stamps.append(time.monotonic())
print(json.dumps(stamps))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark's settings to a parser or subparser."""
    parser.add_argument("overrides", nargs="*", help="settings of the run, e.g. backbone=resnet20 (default: none)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="measured processes of each part (default: %(default)s)")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that are not counted (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="torch threads, as OMP_NUM_THREADS (default: torch's own choice)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to this file")
    parser.set_defaults(run=main)


def main(arguments: argparse.Namespace) -> int:
    """Measure, show a table, and write the JSON file if one is asked for."""
    chosen = (arguments.parts, arguments.rounds, arguments.warm_up, arguments.threads, arguments.overrides)
    try:
        result = measure(*chosen)
    except PoolabError as fault:
        print(f"bench.py startup: {fault}", file=sys.stderr)
        return 2
    _show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


class Spread(TypedDict):
    """The seconds of all rounds, with their median and quartiles."""

    median: float
    quartile_low: float
    quartile_high: float
    values: list[float]


class Startup(TypedDict):
    """The result of the benchmark, as its JSON file has it."""

    benchmark: str
    unit: str
    made_with: dict[str, Any]  # `records.environment`, command, date, threads and load
    overrides: list[str]
    rounds: int
    figures: dict[str, Spread]


def measure(
    parts: Iterable[str], rounds: int = 7, warm_up: int = 1, threads: int | None = None, overrides: Iterable[str] = ()
) -> Startup:
    """Measure medians and quartiles of all figures of the parts, each from one fresh process in every round."""
    from poolab.records import environment

    parts, overrides = list(parts), list(overrides)
    told: dict[str, list[float]] = {}
    load = os.getloadavg()[0]
    for number, part in _shown([(number, part) for number in range(-warm_up, rounds) for part in parts]):
        for name, value in PARTS[part](_surroundings(threads), overrides).items():
            if number >= 0:
                told.setdefault(name, []).append(value)
    used = {int(value) for value in told.pop("threads", [])}
    return {
        "benchmark": "startup",
        "unit": "s",
        "made_with": {
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **environment(),
            "threads": used.pop() if used else threads,
            "load_average": {"before": load, "after": os.getloadavg()[0]},
        },
        "overrides": overrides,
        "rounds": rounds,
        "figures": {name: _summary(values) for name, values in told.items()},
    }


def _surroundings(threads: int | None) -> dict[str, str]:
    """Return a measured process's environment: this checkout, and compiled bytecode as in a user's second start."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}


def _pooling(environment: Mapping[str, str], overrides: list[str]) -> dict[str, float]:
    torch, pooling = _imports(environment, "torch", "poolab.pooling")
    return {"import torch": torch, "import poolab.pooling": pooling, "poolab.pooling beyond torch": pooling - torch}


def _lightning(environment: Mapping[str, str], overrides: list[str]) -> dict[str, float]:
    _, lightning = _imports(environment, "torch", "pytorch_lightning")
    return {"import torch, pytorch_lightning": lightning}


def _help(environment: Mapping[str, str], overrides: list[str]) -> dict[str, float]:
    start = time.monotonic()
    _process([str(TRAIN), "--help"], environment)
    return {"train.py --help": time.monotonic() - start}


def _untracked_step(environment: Mapping[str, str], overrides: list[str]) -> dict[str, float]:
    return _first_step("first step, no tracker", environment, ["tracker=none", *overrides])


def _tracked_step(environment: Mapping[str, str], overrides: list[str]) -> dict[str, float]:
    return _first_step("first step, W&B offline", environment, ["tracker=wandb_offline", *overrides])


# RunComponents: what a process is started for. The names are those of the command line.
PARTS: dict[str, Callable[[Mapping[str, str], list[str]], dict[str, float]]] = {
    "pooling": _pooling,
    "lightning": _lightning,
    "help": _help,
    "step": _untracked_step,
    "tracked": _tracked_step,
}


def _imports(environment: Mapping[str, str], *names: str) -> list[float]:
    """Measure the seconds from the start of a process until each module is imported, one after the other."""
    start = time.monotonic()
    return [stamp - start for stamp in json.loads(_process(["-c", STAMPED, *names], environment))]


def _first_step(name: str, environment: Mapping[str, str], overrides: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stamps.json"
        start = time.monotonic()
        command = ["-m", "poolab.bench.first_step", str(path), str(TRAIN), "trainer.progress_bar=false", *overrides]
        _process(
            command, environment, folder, codes=(0, 130)
        )  # asked to stop, it ends interrupted, or with its last step
        stamps = json.loads(path.read_text())
    total = stamps["step"] - start
    libraries = stamps["torch"] + stamps["pytorch_lightning"]
    return {
        name: total,
        f"{name}: torch and Lightning": libraries,
        f"{name}: all the rest": total - libraries,
        "threads": stamps["threads"],
    }


def _process(
    command: list[str], environment: Mapping[str, str], folder: str | None = None, codes: tuple[int, ...] = (0,)
) -> str:
    done = subprocess.run([sys.executable, *command], env=dict(environment), cwd=folder, capture_output=True, text=True)
    if done.returncode not in codes:
        raise PoolabError(f"python {shlex.join(command)} ended with code {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def _summary(values: list[float]) -> Spread:
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {
        "median": round(median(values), 4),
        "quartile_low": round(low, 4),
        "quartile_high": round(high, 4),
        "values": [round(value, 4) for value in values],
    }


def _shown(jobs: list[tuple[int, str]]) -> Iterable[tuple[int, str]]:
    """Yield the jobs, with a progress bar on a terminal."""
    try:
        from rich.console import Console
        from rich.progress import track
    except ModuleNotFoundError:
        return jobs
    return track(jobs, "processes", console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _show(result: Startup) -> None:
    load = result["made_with"]["load_average"]["after"]
    title = f"Start-up in seconds: median of {result['rounds']} fresh processes in turns, load {load:.1f}"
    rows = [_row(name, figure) for name, figure in result["figures"].items()]
    try:
        from rich.console import Console
        from rich.table import Table
    except ModuleNotFoundError:
        print("\n".join([title, *(f"{name:36}{middle:>7}{spread:>18}  {note}" for name, middle, spread, note in rows)]))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "median", "quartiles", " "):
        table.add_column(heading, justify="right" if heading.strip() else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    console.print(title, style="bold")
    console.print(table)


def _row(name: str, figure: Spread) -> tuple[str, str, str, str]:
    whole, colon, part = name.partition(": ")
    spread = f"{figure['quartile_low']:.2f} .. {figure['quartile_high']:.2f}"
    return (f"  {part}" if colon else whole), f"{figure['median']:.2f}", spread, _note(name, figure)


def _note(name: str, figure: Spread) -> str:
    if not name.endswith("all the rest"):
        return ""
    return f"aim {AIM}: " + ("met" if figure["median"] <= AIM else "missed")
