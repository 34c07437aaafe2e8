"""Metrics and settings that have new names. Version 0.1 still reads the old names; the next version will not."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

# Old name (a regular expression for the whole name) -> new name. Notes are kept under names of metrics too.
RENAMED_METRICS = {
    r"footprint/(.+)/kept_share": r"gradient_support/\1/input_coverage",
    r"footprint/(.+)/entropy": r"gradient_support/\1/entropy",
    r"seconds/footprint": "seconds/gradient_support",
    r"footprint": "gradient_support",
}
RENAMED_SETTINGS = {
    "measure.footprints": "measure.gradient_support",
    "measure.footprint_images": "measure.gradient_support_images",
}


@lru_cache(maxsize=65536)  # ten thousand records have the same few names
def current_metric(name: str) -> str:
    """Return the current name of a metric, which may have had another one in an earlier version.

    >>> current_metric("footprint/pool1/kept_share"), current_metric("test/accuracy")
    ('gradient_support/pool1/input_coverage', 'test/accuracy')
    """
    for old, new in RENAMED_METRICS.items():
        match = re.fullmatch(old, name)
        if match:
            return match.expand(new)
    return name


def with_current_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record in which metrics, notes and settings have their current names.

    Where a record has both names, the value under the present one stays.

    >>> with_current_names({"metrics": {"footprint/pool1/entropy": 0.0}, "config": {"measure": {"footprints": True}}})
    {'metrics': {'gradient_support/pool1/entropy': 0.0}, 'config': {'measure': {'gradient_support': True}}}
    """
    result = dict(record)
    for part in ("metrics", "notes"):
        if isinstance(record.get(part), Mapping):
            result[part] = _renamed(record[part], {name: current_metric(name) for name in record[part]})
    if isinstance(record.get("config"), Mapping):
        result["config"] = _with_current_settings(record["config"])
    return result


def _with_current_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(config)
    for old, new in RENAMED_SETTINGS.items():
        group, _, key = old.partition(".")
        if isinstance(result.get(group), Mapping) and key in result[group]:
            result[group] = _renamed(result[group], {key: new.partition(".")[2]})
    return result


def _renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a mapping with renamed keys, in the same order; the same one where no key has another name."""
    if all(names.get(key, key) == key for key in given):
        return given
    kept = {key: value for key, value in given.items() if names.get(key, key) == key or names[key] not in given}
    return {names.get(key, key): value for key, value in kept.items()}
