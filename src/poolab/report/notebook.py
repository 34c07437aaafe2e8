"""The main tables as texts in rows, for a notebook."""

from __future__ import annotations

from typing import NamedTuple

from poolab.report.analysis import Analysis
from poolab.report.tables import PAPER, cells, in_order


class TextTable(NamedTuple):
    """A table as texts: its title, the heads of its columns, and its rows."""

    title: str
    heads: list[str]
    rows: list[list[str]]


def text_tables(analysis: Analysis) -> list[TextTable]:
    """Return the table of each setting with the columns that a paper shows."""
    wanted = in_order(analysis, PAPER)
    heads = [column.title for column in wanted]
    return [
        TextTable(f"{table.label}, baseline {analysis.baseline}", heads, cells(table, analysis, wanted))
        for table in analysis.tables
    ]
