"""Draw the pictures of a run from the files in its folder: at the end of a single run, or when somebody looks."""

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from poolab.records import HEADLINES, Record
from poolab.training.model_facts import ModelFacts
from poolab.training.samples import FILE

PICTURES = ("samples", "curves", "confusion", "reliability")


def draw_pictures(folder: Path, record: Record, *, names: Sequence[str] = PICTURES, again: bool = False) -> list[Path]:
    """Draw the pictures that a run's folder lacks, and return their paths; one that cannot be drawn gives a warning.

    A picture whose data is not in the folder is left out.

    Args:
        folder: the run's folder.
        record: the run's record.
        names: which pictures, of PICTURES.
        again: draw those that are there too.
    """
    drawn, faults = [], []
    for name, picture in _pictures(folder, record):
        path = folder / f"{name}.png"
        if name not in names or (path.exists() and not again):
            continue
        try:
            from poolab.measure import default_style

            with default_style():
                picture(path)
        except Exception as fault:
            faults.append(f"{path.name} ({' '.join(f'{type(fault).__name__}: {fault}'.split())[:300]})")
        else:
            drawn.append(path)
    if faults:
        warnings.warn(f"without a picture: {'; '.join(faults)}. The record is complete without", stacklevel=2)
    return drawn


def _pictures(folder: Path, record: Record) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield each picture that the folder has the data of, and how it is drawn."""
    from poolab.training import pictures

    history, samples, examples = _rows(folder), _arrays(folder / FILE), _arrays(folder / "test_examples.npz")
    facts = ModelFacts.read(folder)
    task = str(record.config.get("task"))
    if history:
        yield "curves", lambda path: pictures.learning_curves(history, path, HEADLINES.get(task, "accuracy"))
    if samples and facts is not None:
        grid = pictures.mask_grid if task == "segmentation" else pictures.sample_grid
        yield "samples", lambda path: grid(samples, facts.classes, path)
    if facts is not None and "confusion" in examples:
        yield "confusion", lambda path: pictures.confusion_matrix(examples["confusion"], facts.classes, path)
    if "calibration/ece" in record.metrics and "confidence" in examples:
        yield "reliability", lambda path: _reliability(examples, path)


def _reliability(examples: dict[str, np.ndarray], path: Path) -> None:
    import torch

    from poolab.measure import reliability_diagram

    right = torch.from_numpy(examples["label"] == examples["predicted"])
    reliability_diagram(torch.from_numpy(examples["confidence"]), right, path)


def _rows(folder: Path) -> list[dict[str, Any]]:
    with suppress(OSError, ValueError):
        return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return []


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with suppress(OSError, ValueError, KeyError), np.load(path) as columns:
        return {name: columns[name] for name in columns.files}
    return {}
