"""What a run is (identity), what it leaves behind (schema), where it is kept (store). Needs no torch.

>>> signature({"seed": 0, "pooling": {"name": "max"}, "runs_dir": "here"}, "digits-1") == signature(
...     {"pooling": {"name": "max"}, "seed": 0, "runs_dir": "there"}, "digits-1"
... )
True
"""

from poolab.records.identity import signature
from poolab.records.machine import environment
from poolab.records.reading import scan_results
from poolab.records.schema import HEADLINES, SCHEMA_VERSION, STATUSES, result_record
from poolab.records.store import RunFolder, read_results

__all__ = [
    "HEADLINES",
    "SCHEMA_VERSION",
    "STATUSES",
    "RunFolder",
    "environment",
    "read_results",
    "result_record",
    "scan_results",
    "signature",
]
