"""Check the form of a record's JSON, and name what is foreign, damaged or newer than this version of poolab."""

import sys
from collections.abc import Mapping
from typing import Any

from poolab.records.schema import SCHEMA_VERSION, STATUSES

MAPPINGS = ("config", "metrics", "notes", "environment")
NOT_FINITE = ("nan", "inf", "-inf")  # as `store.strict` writes them
# What a table or a page of results cannot do without.
NEEDED = ("started", "config", "metrics")


def record_faults(content: Any, whole: bool = False) -> list[str]:
    """Return what is wrong with the form of a record; an empty list where it can be used."""
    if not isinstance(content, dict):
        return [f"it is not a mapping but {_kind(content)}"]
    version = content.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, bool) or not isinstance(version, int):
        return [f"schema_version must be a whole number, found {_short(version)}"]
    if version > SCHEMA_VERSION:
        return [f"its schema_version is {version}: a newer poolab wrote it"]
    faults = []
    status = content.get("status")
    if not isinstance(status, str) or status not in STATUSES:
        faults.append(f"status must be one of {', '.join(STATUSES)}, found {_short(status)}")
    faults += [
        f"{name} must be a mapping, found {_kind(content[name])}"
        for name in MAPPINGS
        if not isinstance(content.get(name, {}), dict)
    ]
    if not isinstance(content.get("started", ""), str):
        faults.append(f"started must be a text, found {_kind(content['started'])}")
    if not isinstance(content.get("reason"), str | None):
        faults.append(f"reason must be a text or null, found {_kind(content['reason'])}")
    faults += _faulty_figures(content.get("metrics"))
    if whole:
        faults += [f"{name} is missing" for name in NEEDED if name not in content]
    return faults


def _faulty_figures(metrics: Any) -> list[str]:
    if not isinstance(metrics, Mapping):
        return []
    wrong = [name for name, value in metrics.items() if not _is_figure(value)]
    if not wrong:
        return []
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return [f"metrics.{wrong[0]}{more} must be a finite number or null, found {_short(metrics[wrong[0]])}"]


def _is_figure(value: Any) -> bool:
    if isinstance(value, float):  # first, since most are
        return abs(value) <= sys.float_info.max
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return value is None or value in NOT_FINITE


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
