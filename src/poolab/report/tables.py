"""The main table as Markdown, CSV, LaTeX (booktabs) and on a terminal of 80 columns."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from poolab.report.analysis import Analysis, Table
from poolab.report.columns import COUNTED, Column, columns

if TYPE_CHECKING:
    from rich.table import Table as RichTable

TERMINAL = ("arm", "n", "mean", "difference", "interval", "p", "verdict", "missing", "stopped", "failed", "diverged")
SHORT = {"difference": "diff", "p": "adj. p", "mean": "mean", "verdict": "verdict"}
PAPER = ("arm", "n", "mean", "difference", "interval", "p", "verdict", "parameters")
LATEX = str.maketrans(
    {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
     "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "<": r"\textless{}", ">": r"\textgreater{}"}
)  # fmt: skip


def in_order(analysis: Analysis, keys: Sequence[str]) -> list[Column]:
    """Return the columns of these keys that an analysis has, in the order of the keys."""
    return sorted((one for one in columns(analysis) if one.key in keys), key=lambda one: keys.index(one.key))


def cells(table: Table, analysis: Analysis, wanted: Sequence[Column]) -> list[list[str]]:
    """Return the texts of a table, row by row."""
    return [[column.text(row, analysis) for column in wanted] for row in table.rows]


def markdown_table(table: Table, analysis: Analysis) -> str:
    """Write a setting's table as Markdown."""
    wanted = columns(analysis)
    marks = ["---" if column.is_text else "---:" for column in wanted]
    lines = [[column.title for column in wanted], marks, *cells(table, analysis, wanted)]
    return "\n".join(f"| {' | '.join(as_markdown(text) for text in line)} |" for line in lines)


def as_markdown(text: str) -> str:
    r"""Return a text so that Markdown, and the HTML made of it, shows it as it is.

    >>> as_markdown("<b> a|b $x$")
    '&lt;b&gt; a\\|b \\$x\\$'
    """
    escaped = html.escape(" ".join(text.split("\n")), quote=False)
    return re.sub(r"([|*`$]|\](?=\())", r"\\\1", escaped)


def markdown_tables(analysis: Analysis) -> str:
    """Write the tables of all settings as Markdown, each below its title."""
    parts = [
        f"{as_markdown(_title(table, analysis))}:\n\n{markdown_table(table, analysis)}" for table in analysis.tables
    ]
    return "\n\n".join(parts)


def _title(table: Table, analysis: Analysis) -> str:
    unit = f", differences in {analysis.metric.unit}" if analysis.metric.unit else ""
    return f"{table.label}: {analysis.metric.title}, baseline {analysis.baseline}{unit}"


def csv_tables(analysis: Analysis) -> str:
    """Write the tables of all settings as one CSV table."""
    texts = [csv_table(table, analysis) for table in analysis.tables]
    return texts[0] + "".join(text.split("\n", 1)[1] for text in texts[1:]) if texts else ""


def csv_table(table: Table, analysis: Analysis) -> str:
    """Write a setting's table as CSV with all digits; ends of the interval are columns of their own."""
    names, rows = table_values(table, analysis)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([["" if one is None else one for one in row] for row in rows])
    return out.getvalue()


Value = str | float | None
ENDS = ("interval_low", "interval_high", "interval_single_low", "interval_single_high")


def table_values(table: Table, analysis: Analysis) -> tuple[list[str], list[list[Value]]]:
    """Return the names of a setting's columns and its rows, with all digits; what is not known is None."""
    wanted = [column for column in columns(analysis) if column.key != "interval"]
    names = ["setting", *(column.key for column in wanted), "pairs", *ENDS]
    rows: list[list[Value]] = []
    for row in table.rows:
        compared = row.compared
        ends = [*(compared.interval or (None, None)), *(compared.interval_single or (None, None))]
        told = [column.value(row, analysis) for column in wanted]
        rows.append([table.label, *told, compared.pairs, *ends])
    return names, rows


def latex_table(table: Table, analysis: Analysis) -> str:
    """Write a setting's table as LaTeX, for the package booktabs."""
    wanted = in_order(analysis, PAPER)
    align = "".join("l" if column.is_text else "r" for column in wanted)
    lines = [[column.title for column in wanted], *cells(table, analysis, wanted)]
    body = [" & ".join(text.translate(LATEX) for text in line) + r" \\" for line in lines]
    caption = (
        f"{table.label}: {analysis.metric.title}, paired differences from {analysis.baseline} with simultaneous "
        f"{100 * analysis.confidence:g} % intervals, p values adjusted by Holm's method."
    )
    return "\n".join(
        [r"\begin{table}", r"\centering", rf"\caption{{{caption.translate(LATEX)}}}",
         rf"\begin{{tabular}}{{{align}}}", r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule",
         r"\end{tabular}", r"\end{table}", ""]
    )  # fmt: skip


# What a narrow terminal does without, in this order.
DROPPED = ("mean", "p", "n", "missing", "stopped", "failed", "diverged")
NARROWEST = 12  # columns of an arm's name, which is folded


def terminal_table(table: Table, analysis: Analysis, width: int = 80) -> tuple[RichTable, list[str]]:
    """Build a table for a terminal: long names fold, numbers are never cut.

    Returns:
        The table, and the titles of the columns that the terminal has no room for. Where even the least columns need
        more room than there is, the table is wider than the terminal.
    """
    from rich.table import Table as RichTable
    from rich.text import Text

    wanted = in_order(analysis, TERMINAL)
    empty = [
        one.key for one in wanted if one.key in COUNTED and not any(one.value(row, analysis) for row in table.rows)
    ]
    wanted = [column for column in wanted if column.key not in empty]
    needed = {column.key: _width(column, table, analysis) + 1 for column in wanted}
    needed["arm"] = min(needed["arm"], NARROWEST + 1)
    out = []
    for key in DROPPED:
        if sum(needed.values()) > width and key in needed:
            del needed[key]
            out.append(key)
    shown = [column for column in wanted if column.key in needed]
    made = RichTable(box=None, padding=(0, 1, 0, 0), width=max(width, sum(needed.values())))
    for column in shown:
        made.add_column(
            SHORT.get(column.key, column.title),
            justify="left" if column.is_text else "right",
            overflow="fold",
            no_wrap=column.key != "arm",
            min_width=needed[column.key] - 1,
        )
    for row in cells(table, analysis, shown):
        made.add_row(*(Text(text) for text in row))
    return made, [SHORT.get(column.key, column.title) for column in wanted if column.key in out]


def _width(column: Column, table: Table, analysis: Analysis) -> int:
    return max(map(len, [SHORT.get(column.key, column.title), *(column.text(row, analysis) for row in table.rows)]))
