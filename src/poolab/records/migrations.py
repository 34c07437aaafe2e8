"""Bring an older record to the current form, one schema version after the other."""

from collections.abc import Callable, Mapping
from typing import Any

from poolab.records.renamed import with_current_names
from poolab.records.schema import SCHEMA_VERSION

Content = dict[str, Any]
# From version n to version n + 1. A step gets a record whose form is checked already (`form.record_faults`), and gives
# a new one: it does not change what it gets.
MIGRATIONS: Mapping[int, Callable[[Content], Content]] = {
    1: with_current_names,  # footprint/<slot>/kept_share became gradient_support/<slot>/input_coverage
}


def migrated(content: Content) -> Content:
    """Return the content of a record in the current form; content without a version is version 1."""
    for version in range(max(content.get("schema_version", 1), 1), SCHEMA_VERSION):
        content = MIGRATIONS[version](content)
    return content
