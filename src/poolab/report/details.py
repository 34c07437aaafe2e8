"""Reads what lies beside a run's record: the history of its epochs, and which test images it classified correctly.

A folder of runs has both as files. A saved record file holds them inside each record, so that it can be reported alone.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from poolab.records import Record

# Per-epoch figures that a saved record keeps: what learning curves show.
KEPT = ("train/loss", "val/loss", "train/accuracy", "val/accuracy", "train/mean_iou", "val/mean_iou")
DIGITS = 5


def history_of(run: Record) -> dict[str, list[float | None]]:
    """Return the figures of each epoch by name, or nothing where no history was kept."""
    if run.history is not None:
        return {str(name): list(values) for name, values in run.history.items() if isinstance(values, Sequence)}
    return compact_history(_beside(run, "history.jsonl"))


def _beside(run: Record, name: str) -> str:
    """Return the path of a file in the run's folder."""
    # Not by pathlib, which takes longer than to find out that there is no such file: a report asks for every run.
    return os.path.join(run.where, run.signature, name)


def compact_history(path: str | Path) -> dict[str, list[float | None]]:
    """Read history.jsonl: one list for each figure of `KEPT`; damaged lines end it."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            break
        if isinstance(row, Mapping):
            rows.append(row)
    names = [name for name in KEPT if any(name in row for row in rows)]
    return {name: [_rounded(row.get(name)) for row in rows] for name in names}


def _rounded(value: Any) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return round(float(value), DIGITS) if fits else None


def correct_of(run: Record) -> np.ndarray | None:
    """Return which test images the run classified correctly (bool, in the order of the test set), or None."""
    if run.test_correct is not None:
        return unpacked(run.test_correct)
    return read_correct(_beside(run, "test_examples.npz"))


def read_correct(path: str | Path) -> np.ndarray | None:
    """Read correctness from a run's test_examples.npz; None without the file, or for labels that are masks."""
    import numpy as np

    try:
        with open(path, "rb") as content, np.load(content, allow_pickle=False) as file:
            if not {"index", "label", "predicted"} <= set(file.files):
                return None
            return np.asarray((file["label"] == file["predicted"])[np.argsort(file["index"], kind="stable")])
    except (OSError, ValueError, EOFError, KeyError):
        return None
    except Exception as fault:  # zipfile and zlib have faults of their own for a damaged archive
        if type(fault).__module__ in ("zipfile", "zlib"):
            return None
        raise


def packed(correct: np.ndarray) -> dict[str, Any]:
    """Return booleans as JSON: their number, and one bit each in base64.

    >>> import numpy as np
    >>> packed(np.array([True, False, True]))
    {'n': 3, 'bits': 'oA=='}
    """
    import numpy as np

    return {"n": len(correct), "bits": base64.b64encode(np.packbits(correct).tobytes()).decode()}


def unpacked(content: Mapping[str, Any]) -> np.ndarray | None:
    """Return the booleans of `packed`, or None where the content is damaged.

    >>> unpacked({"n": 3, "bits": "oA=="}).tolist()
    [True, False, True]
    """
    import numpy as np

    try:
        bits = np.frombuffer(base64.b64decode(content["bits"], validate=True), dtype=np.uint8)
        count = int(content["n"])
    except (KeyError, TypeError, ValueError):
        return None
    return np.unpackbits(bits)[:count].astype(bool) if 0 <= count <= 8 * len(bits) else None
