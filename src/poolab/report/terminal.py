"""The verdict and the table on a terminal of 80 columns."""

from __future__ import annotations

import shutil
import textwrap

from poolab.report.analysis import Analysis
from poolab.report.arm_sentences import sentences_of
from poolab.report.tables import terminal_table
from poolab.report.verdict import verdict
from poolab.text import printable

WIDTH, NARROWEST = 80, 60


def width() -> int:
    """Return the columns of the terminal, at most 100; 80 where nobody knows."""
    columns = shutil.get_terminal_size((WIDTH, 24)).columns
    return min(columns, 100) if columns >= NARROWEST else WIDTH if columns == 0 else NARROWEST


def verdict_text(analysis: Analysis, columns: int = WIDTH, details: bool = True) -> str:
    """Return the verdict as wrapped lines; with details the sentence of each arm too."""
    lines = [_wrapped(str(sentence), columns, "") for sentence in verdict(analysis)]
    if details:
        for table in analysis.tables:
            told = [_wrapped(str(sentence), columns, "  ") for sentence in sentences_of(analysis, table)]
            lines += ["", table.label, *told] if told else []
    return "\n".join(lines)


def _wrapped(text: str, columns: int, indent: str) -> str:
    return textwrap.fill(
        printable(text), columns, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )


def print_tables(analysis: Analysis) -> None:
    """Print the table of each setting, then what holds for all of them."""
    from rich.console import Console

    columns = width()
    console = Console(highlight=False, markup=False, width=columns, emoji=False)
    unit = f", differences in {analysis.metric.unit}" if analysis.metric.unit else ""
    for number, table in enumerate(analysis.tables):
        if number:
            console.print()
        console.print(
            f"{printable(table.label)}: {analysis.metric.title}, baseline {printable(analysis.baseline)}{unit}",
            style="bold",
        )
        made, out = terminal_table(table, analysis, columns)
        console.print(made, soft_wrap=(made.width or 0) > columns)
        if out:
            console.print(f"Left out here for want of room: {', '.join(out)}.")
    console.print("Intervals hold for all arms of a setting together; p by paired t, adjusted by Holm's method.")
