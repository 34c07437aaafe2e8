"""A table: on the terminal (by rich where it is installed), and as Markdown."""

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 80


@dataclass(frozen=True)
class Sheet:
    """A title, headings, rows of texts and notes; `styles` colours rows where the terminal can."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    styles: Sequence[str | None] = field(default=())

    def markdown(self) -> str:
        """Return Markdown: the first column to the left, the others to the right.

        >>> print(Sheet("A map", ("method", "ratio"), [("min", "1.0")]).markdown())
        **A map**
        <BLANKLINE>
        | method | ratio |
        |---|---:|
        | min | 1.0 |
        <BLANKLINE>
        """
        lines = [f"**{self.title}**", "", _bar(self.headings), "|---|" + "---:|" * (len(self.headings) - 1)]
        lines += [_bar(row) for row in self.rows]
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"

    def text(self) -> str:
        """Return plain text.

        >>> print(Sheet("A map", ("method", "ratio"), [("min", "1.00")]).text())
        A map
        method ratio
        min     1.00
        """
        widths = [max(len(row[at]) for row in [self.headings, *self.rows]) for at in range(len(self.headings))]
        lines = [_line(row, widths) for row in [self.headings, *self.rows]]
        notes = [line for note in self.notes for line in textwrap.wrap(note, WIDTH, subsequent_indent="  ")]
        return "\n".join([*textwrap.wrap(self.title, WIDTH), *lines, *notes])

    def show(self) -> None:
        """Print to the terminal, at most 80 columns wide."""
        try:
            from rich.console import Console
        except ModuleNotFoundError:
            print(self.text() + "\n", flush=True)
            return
        console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
        console.print(self._rich())
        for note in self.notes:
            console.print(note, style="dim", markup=False)
        console.print()

    def _rich(self) -> Any:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        how = {"title_justify": "left", "title_style": "bold", "padding": 0, "pad_edge": False}
        table = Table(title=Text(self.title), box=box.SIMPLE_HEAD, show_edge=False, **how)  # type: ignore[arg-type]
        for place, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if place else "left", no_wrap=True)
        for at, row in enumerate(self.rows):
            table.add_row(*map(Text, row), style=self.styles[at] if self.styles else None)
        return table


def _bar(row: Sequence[str]) -> str:
    return "| " + " | ".join(each.strip().replace("|", "\\|") for each in row) + " |"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0].ljust(widths[0])
    return " ".join([first, *(each.rjust(width) for each, width in zip(row[1:], widths[1:], strict=True))]).rstrip()
