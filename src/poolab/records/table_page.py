"""Rows of arms as tables, one for each task: on the terminal and as Markdown. Figures are never truncated."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from poolab.records.gathering import gather, tell
from poolab.records.table import SCORES, TUNED, Row, arms_of, differing_code

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = ("arm", "runs", "test accuracy", "sd", "train images/s", "latency ms", "saved MB", "params")
FORMS = {
    **dict.fromkeys((*SCORES.values(), *TUNED), ".4f"),
    "sd": ".4f",
    "train images/s": ",.0f",
    "latency ms": ".2f",
    "saved MB": ".1f",
}
NARROWEST = 60  # columns of a terminal; a narrower one wraps the lines
BESIDE = 24  # columns that the names of arms need to stand beside their figures
UNFINISHED = " not completed)"


class Part(NamedTuple):
    """One table: its title, columns and rows."""

    title: str
    columns: tuple[str, ...]
    rows: list[Row]


def print_table(place: str | Path, as_markdown: bool = False) -> None:
    """Print the records of a folder or a saved file; what is not a record is named on standard error.

    Raises:
        PoolabError: there are no records.
    """
    records, faults = gather(place)
    tell(faults)
    rows = arms_of(records, place)
    print(markdown(rows)) if as_markdown else print_arms(rows)
    note = differing_code(records)
    if note:
        print(f"\n{note}")


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table for each task, and one of the arms that continued another run."""
    return "\n\n".join(_markdown_of(part) for part in _parts(rows))


def print_arms(rows: Sequence[Row]) -> None:
    """Print the rows on the terminal: a table for each task, and below it the settings that its arms share."""
    from rich.console import Console

    parts = _parts(rows)
    # Not rich's own look at COLUMNS: it takes 0 at its word. Without a terminal there are 80.
    width = max(shutil.get_terminal_size((80, 24)).columns, NARROWEST)
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    for number, part in enumerate(parts):
        if len(parts) > 1:
            console.print("\n" * (number > 0) + part.title)
        if part.rows[0].shared:
            console.print(f"all arms: {part.rows[0].shared}")
        _print_part(part, console)
    if any(UNFINISHED in row.runs for row in rows):
        console.print("runs: those that are not completed come after a +, as do those without a score")


def _print_part(part: Part, console: "Console") -> None:
    from rich.cells import cell_len

    figures = _terminal_table(part._replace(columns=part.columns[1:]))
    needed = console.measure(figures).maximum
    room = console.width - needed
    names = [row.arm for row in part.rows]
    if room > min(max(map(cell_len, names)), BESIDE):
        console.print(_terminal_table(part))
        return
    with console.capture() as captured:  # no room beside the figures: each name stands above its own
        console.print(figures, width=needed, crop=False, no_wrap=True)
    lines = captured.get().splitlines()
    head, body = lines[: -len(names)], lines[-len(names) :]
    for line in head:
        console.out(f"  {line}")
    for name, line in zip(names, body, strict=True):
        console.print(name, overflow="fold")
        console.out(f"  {line}")


def _terminal_table(part: Part) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in part.columns:
        is_arm = column == "arm"
        header = column.replace(" ", "\n")  # broken here and nowhere else, so that no number is
        table.add_column(
            header, justify="left" if is_arm else "right", overflow="fold", no_wrap=not is_arm, ratio=1 if is_arm else 0
        )
    for row in part.rows:
        table.add_row(*(text.replace(" (+", "+").removesuffix(UNFINISHED) for text in _cells(row, part.columns)))
    return table


def _markdown_of(part: Part) -> str:
    lines = ["| " + " | ".join(part.columns) + " |", "|" + "---|" * len(part.columns)]
    rows = [[text.replace("|", "\\|") for text in _cells(row, part.columns)] for row in part.rows]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _parts(rows: Sequence[Row]) -> list[Part]:
    """Return the tables that show the rows."""
    parts = []
    for task, score in SCORES.items():
        own = [row for row in rows if row.task == task]
        columns = tuple(score if column == SCORES["classification"] else column for column in COLUMNS)
        tuned = [row for row in own if TUNED.keys() <= row.figures.keys()]
        parts += [
            Part(task, columns, own),
            Part(f"{task}: trained on with other poolings", ("arm", "runs", *TUNED), tuned),
        ]
    return [part for part in parts if part.rows]


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    texts = {"arm": row.arm, "runs": row.runs}
    return [texts.get(column) or _figure(row.figures.get(column), FORMS.get(column, ",.0f")) for column in columns]


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
