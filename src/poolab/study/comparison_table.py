"""The comparison of a study's arms: on the terminal, as Markdown, as CSV."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from poolab.study.comparison import Arm

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table

NARROW = ("arm", "n", "mean", "difference", "95 % interval", "step ms", "MB", "miss", "fail")
WIDE = ("arm", "n", "mean", "difference", "95 % interval", "step ms", "peak MB", "latency ms", "parameters")
STATES = ("missing", "failed", "stopped")
WIDTH = 80
NARROWEST = 12  # columns of an arm's name, which is folded
MEASURED = 1000  # columns, more than any table needs
FIGURES = ("speed/train_images_per_s", "cost/peak_memory_bytes", "speed/infer_latency_ms_median", "cost/parameters")
CSV_FIGURES = ("step_seconds", *FIGURES)


def terminal(arms: Sequence[Arm]) -> list[tuple[str, "Table"]]:
    """Return a title and a table for each data set and backbone: of 80 columns, or as many as its figures need."""
    from rich.console import Console
    from rich.table import Table

    tables = []
    for place, part in _places(arms):
        table = Table(box=None, padding=(0, 1, 0, 0))
        stopped = any(arm.stopped for arm in part)  # early, by a search
        for column in (*NARROW, *["stop"] * stopped):
            is_arm = column == "arm"
            least = NARROWEST if is_arm else None
            justify: JustifyMethod = "left" if is_arm else "right"
            table.add_column(column, justify=justify, overflow="fold", no_wrap=not is_arm, min_width=least)
        for arm in part:
            step, memory, _, _ = _figures(arm)
            table.add_row(*_outcome(arm), step, memory, *_states(arm)[: 2 + stopped])
        table.width = max(WIDTH, Console(width=MEASURED).measure(table).minimum)
        tables.append((_title(place, part), table))
    return tables


def markdown(arms: Sequence[Arm]) -> str:
    """A Markdown table for each data set and backbone."""
    parts = []
    for place, part in _places(arms):
        shown = 2 + any(arm.stopped for arm in part)
        columns = [*WIDE, *STATES[:shown]]
        rows = [[*_outcome(arm), *_figures(arm), *_states(arm)[:shown]] for arm in part]
        lines = [f"{_title(place, part)}:", "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
        parts.append("\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]))
    return "\n\n".join(parts)


def comma_separated(arms: Sequence[Arm]) -> str:
    """One line for each arm, with all digits."""
    file = io.StringIO()
    out = csv.writer(file, lineterminator="\n")
    out.writerow(
        ["place", "arm", "n", "score", "mean", "baseline", "pairs", "difference", "low", "high", *CSV_FIGURES, *STATES]
    )
    for arm in arms:
        ends = arm.interval or (None, None)
        figures = [arm.step_seconds, *(arm.median(name) for name in FIGURES)]
        told = [arm.place, arm.arm, len(arm.scores), arm.score, arm.mean, arm.baseline, arm.pairs, arm.difference]
        out.writerow([*told, *ends, *figures, *_states(arm)])
    return file.getvalue()


def _places(arms: Sequence[Arm]) -> list[tuple[str, list[Arm]]]:
    places = dict.fromkeys(arm.place for arm in arms)
    return [(place, [arm for arm in arms if arm.place == place]) for place in places]


def _title(place: str, part: Sequence[Arm]) -> str:
    baselines = list(dict.fromkeys(arm.baseline for arm in part if arm.baseline))
    to = f", paired differences to {'; '.join(baselines)}" if baselines else ""
    return f"{place}: {part[0].score}{to}"


def _outcome(arm: Arm) -> list[str]:
    count = str(len(arm.scores))
    if arm.baseline and arm.pairs != len(arm.scores):
        count += f" ({arm.pairs} pairs)"
    interval = "-" if arm.interval is None else f"{arm.interval[0]:+.4f} {arm.interval[1]:+.4f}"
    difference = "-" if arm.difference is None else f"{arm.difference:+.4f}"
    return [arm.arm, count, "-" if arm.mean is None else f"{arm.mean:.4f}", difference, interval]


def _states(arm: Arm) -> list[str]:
    return [str(arm.missing), str(arm.failed), str(arm.stopped)]


def _figures(arm: Arm) -> list[str]:
    _, memory, latency, parameters = (arm.median(name) for name in FIGURES)
    step = arm.step_seconds
    return [
        "-" if step is None else f"{1000 * step:,.1f}",
        "-" if memory is None else f"{memory / 1e6:,.1f}",
        "-" if latency is None else f"{latency:.2f}",
        "-" if parameters is None else f"{parameters:,.0f}",
    ]


def print_terminal(arms: Sequence[Arm]) -> None:
    """Print the tables, each with its title."""
    from rich.console import Console

    for title, table in terminal(arms):
        console = Console(highlight=False, markup=False, width=table.width)
        console.print(title, style="bold")
        console.print(table)
