"""The identity of a run (`identity`), its record (`record`, `schema`) and its folder (`store`). Needs no torch.

>>> signature({"seed": 0, "pooling": {"name": "max"}, "runs_dir": "here"}, "digits-1") == signature(
...     {"pooling": {"name": "max"}, "seed": 0, "runs_dir": "there"}, "digits-1"
... )
True
"""

import os
import sys
from pathlib import Path
from types import ModuleType

from poolab.errors import ConfigError
from poolab.records.collection import Records, read_records
from poolab.records.content import file_sha256
from poolab.records.contents import Content, content_of, differing_content, own_settings, told_apart
from poolab.records.gathering import gather, tell
from poolab.records.html import html_table
from poolab.records.identity import NOT_IDENTITY, below, flatten, signature
from poolab.records.labels import AT, arm_labels, numbered, short_key, value_words, words_of
from poolab.records.machine import environment
from poolab.records.reading import read_json, read_record, scan_results
from poolab.records.record import Record, RecordError, Tree, result_record
from poolab.records.renamed import RENAMED_SETTINGS, current_metric, with_current_names
from poolab.records.schema import FINISHED, HEADLINES, SCHEMA_VERSION, STATUSES, finite
from poolab.records.store import RunFolder, read_results, replace_synced, run_folder, strict, write_atomically
from poolab.records.table import differing_code
from poolab.records.table_page import print_table

__all__ = [
    "AT",
    "FINISHED",
    "HEADLINES",
    "NOT_IDENTITY",
    "RENAMED_SETTINGS",
    "SCHEMA_VERSION",
    "STATUSES",
    "Content",
    "Record",
    "RecordError",
    "Records",
    "RunFolder",
    "Tree",
    "arm_labels",
    "below",
    "content_of",
    "current_metric",
    "differing_code",
    "differing_content",
    "environment",
    "file_sha256",
    "finite",
    "flatten",
    "gather",
    "html_table",
    "numbered",
    "own_settings",
    "print_table",
    "read_json",
    "read_record",
    "read_records",
    "read_results",
    "replace_synced",
    "result_record",
    "run_folder",
    "scan_results",
    "short_key",
    "signature",
    "strict",
    "tell",
    "told_apart",
    "value_words",
    "with_current_names",
    "words_of",
    "write_atomically",
]


class _Callable(ModuleType):
    """Lets `poolab.records("runs")` read records, although `poolab.records` is a package."""

    def __call__(self, place: str | Path = "runs") -> Records:
        """Read the records of a folder of runs, or of a saved file.

        Raises:
            ConfigError: there is no such folder or file, or it cannot be read.
        """
        found = read_records(place)  # says itself what cannot be read; what is not there has no records
        if not found and not os.path.exists(os.path.expanduser(place)):
            raise ConfigError(
                f"{os.path.abspath(os.path.expanduser(place))} does not exist: name a folder of runs, or a file that "
                "`poolab study table --save` wrote"
            )
        return found


sys.modules[__name__].__class__ = _Callable
