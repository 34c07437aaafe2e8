"""Writes a report into a folder: page, Markdown, tables, figures, results.json and methods.txt."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from poolab.errors import PoolabError
from poolab.report.analysis import Analysis
from poolab.report.document import Document
from poolab.report.figures import FORMATS, draw_all
from poolab.report.figures.draw import slug
from poolab.report.forked import cores
from poolab.report.markdown import markdown
from poolab.report.page import render
from poolab.report.results import results
from poolab.report.tables import csv_table, latex_table
from poolab.report.written import LIST, as_text, list_of, read_list, read_title, remove_stale

# PDF and PNG take three quarters of the time of a figure, and nobody prints the figures of so many settings.
SETTINGS_IN_ALL_FORMATS = 3


def write_report(
    document: Document,
    folder: Path,
    say: Callable[[str], None] = lambda _: None,
    formats: Sequence[str] | None = None,
) -> Path:
    """Write all files of a report and return the path of its page.

    A figure that cannot be drawn costs a sentence, not the report. Figures and tables that an earlier report wrote into
    the folder, and this one does not, are removed. The page is written last: where it is, all is.

    Args:
        say: is told of each figure that could not be drawn, of formats that were left out, of files of an earlier
            report that stay since somebody changed them, and of the report of other sources that this one replaced.
        formats: of the figures' files, some of svg, pdf and png; the page has its own. None takes all of them, or svg
            alone where there are more than three settings.

    Raises:
        PoolabError: the folder cannot be written.
    """
    chosen = _formats(document.analysis, say) if formats is None else tuple(formats)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before, replaced = read_list(folder), read_title(folder)
        figures = draw_all(document.analysis, folder / "figures", say, chosen, cores())
        whole = replace(document, figures=tuple(figures), formats=chosen)
        names = [*_figures(whole), *_tables(whole, folder)]
        remove_stale(folder, before, names, say)
        _text(folder / LIST, as_text(list_of(folder, names), document.title))
        _text(folder / "results.json", json.dumps(results(document.analysis), indent=1, allow_nan=False) + "\n")
        _text(folder / "methods.txt", "\n\n".join(document.methods) + "\n")
        _text(folder / "report.md", markdown(whole))
        _text(folder / "index.html", render(whole))
    except OSError as fault:
        raise PoolabError(
            f"the report cannot be written into {folder}: {fault}; choose another folder with --out"
        ) from fault
    if replaced not in (None, document.title):
        say(f"This replaced the report of {replaced} in {folder}; --out DIR keeps both.")
    return folder / "index.html"


def _formats(analysis: Analysis, say: Callable[[str], None]) -> tuple[str, ...]:
    settings = len(analysis.tables)
    if settings <= SETTINGS_IN_ALL_FORMATS:
        return FORMATS
    say(f"The figures of {settings} settings are written as SVG alone; --formats svg,pdf,png writes the others too.")
    return FORMATS[:1]


def _figures(document: Document) -> list[str]:
    """Return the files of the figures."""
    return [f"figures/{one.name}.{form}" for one in document.figures if one.svg for form in document.formats]


def _tables(document: Document, folder: Path) -> list[str]:
    """Write the tables and return their files."""
    (folder / "tables").mkdir(exist_ok=True)
    names = []
    several = len(document.analysis.tables) > 1
    for number, table in enumerate(document.analysis.tables, 1):
        name = f"tables/table-{number}-{slug(table.label)}" if several else "tables/table"
        _text(folder / f"{name}.csv", csv_table(table, document.analysis))
        _text(folder / f"{name}.tex", latex_table(table, document.analysis))
        names += [f"{name}.csv", f"{name}.tex"]
    return names


def _text(path: Path, text: str) -> None:
    """Write a file in one step, so that an interrupted report never leaves a part of one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
