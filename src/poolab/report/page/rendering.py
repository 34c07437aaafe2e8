"""Fills the template of the page. Everything that comes from records is escaped by Jinja."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from poolab.report.analysis import Analysis, Table
from poolab.report.arm_sentences import sentences_of
from poolab.report.columns import Column, columns
from poolab.report.document import Document
from poolab.report.figures.inline import inlined
from poolab.report.power import SUPPOSED, power_rows


def render(document: Document) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    analysis = document.analysis
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(
        document=document,
        analysis=analysis,
        style=_source("page.css"),
        script=_source("page.js"),
        columns=[_column(one) for one in columns(analysis)],
        settings=[_setting(number, table, document) for number, table in enumerate(analysis.tables, 1)],
        supposed=SUPPOSED,
        overall=[one for one in document.figures if not one.setting and one.svg],
    )


def _source(name: str) -> str:
    return files("poolab.report.page").joinpath(name).read_text(encoding="utf-8")


def _column(column: Column) -> dict[str, Any]:
    return {"key": column.key, "title": column.title, "hint": column.hint, "is_text": column.is_text}


def _setting(number: int, table: Table, document: Document) -> dict[str, Any]:
    figures = [one for one in document.figures if one.setting == table.label]
    return {
        "number": number,
        "label": table.label,
        "sentences": sentences_of(document.analysis, table),
        "rows": _rows(table, document.analysis),
        "figures": [{"drawn": one, "svg": inlined(one)} for one in figures if one.svg],
        "absent": [one for one in figures if not one.svg],
        "power": power_rows(document.analysis, table),
        "commands": document.commands_of(table),
    }


def _rows(table: Table, analysis: Analysis) -> list[dict[str, Any]]:
    wanted: Sequence[Column] = columns(analysis)
    return [
        {
            "verdict": str(row.compared.verdict),
            "cells": [
                {"text": column.text(row, analysis), "value": _sortable(column.value(row, analysis)), "key": column.key}
                for column in wanted
            ],
        }
        for row in table.rows
    ]


def _sortable(value: float | str | None) -> str:
    return "" if value is None else str(value)
