"""After training: test once, then measure the network's costs and robustness.

The record is written between the two: nothing that comes after the test can cost it.
"""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from poolab.measure import run_costs
from poolab.records import RunFolder
from poolab.run_config import RunConfig
from poolab.training.components import RunComponents
from poolab.training.interruption import Interrupted
from poolab.training.measures import ENDED_BEFORE
from poolab.training.metrics import FinalFigures
from poolab.training.robustness_eval import measure_full
from poolab.training.samples import FILE as SAMPLES
from poolab.training.samples import write_samples

COSTS = ("cost", "speed")
FULL = ("robust", "calibration", "gradient_support")


@dataclass
class Figures:
    """Metrics by flat names, notes on them, the values of each test example, and counts by true and predicted class."""

    metrics: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    examples: Mapping[str, Tensor] = field(default_factory=dict)
    confusion: Tensor | None = None


def test_network(folder: RunFolder, trainer: pl.Trainer, parts: RunComponents) -> Figures:
    """Test every example once, with the network of the last epoch; the first process writes the examples."""
    trainer.test(parts.module, parts.loaders, verbose=False)
    tested = parts.module.test_metrics.compute()
    metrics = parts.module.test_metrics.scalars(tested.values, parts.data.classes)
    metrics["test/samples"] = len(tested.examples["index"])
    if trainer.is_global_zero:
        try:
            write_examples(folder, tested)
        except OSError as fault:
            (folder / "test_examples.npz").unlink(missing_ok=True)  # a part of it would be no examples
            warnings.warn(f"the record is without test_examples.npz: {fault}", stacklevel=2)
    return Figures(metrics, examples=tested.examples, confusion=tested.confusion)


def unmeasured(config: RunConfig) -> dict[str, str]:
    """Return the notes of a run that was tested and then ended before it was measured."""
    return dict.fromkeys(COSTS + (FULL if config.measure.name == "full" else ()), ENDED_BEFORE)


def measure(
    config: RunConfig,
    parts: RunComponents,
    test: Figures,
    autocast: torch.dtype | None,
    report: Callable[[str, float], None],
    *,
    device: torch.device,
    processes: int = 1,
    names: Collection[str] = ("costs", *FULL),
) -> Figures:
    """Measure the costs and, with `measure=full`, the robustness; a measure that fails becomes a note.

    Args:
        report: is told each measure of `measure=full` and its seconds, and may end them by `Interrupted`.
        device: where the network is measured.
        processes: over how many processes the batches of the training are shared.
        names: "costs" for the costs; any other name for the rest.
    """
    found = Figures()

    def costs() -> None:
        parts.network.to(device)  # Lightning hands a module back on the CPU
        settings = config.measure
        found.metrics |= run_costs(
            parts.module.called,
            (parts.data.channels, *parts.data.image_size),
            train_batch_size=config.data.batch_size // processes,
            latency_batch_size=settings.latency_batch_size,
            throughput_batch_size=settings.throughput_batch_size,
            seconds=settings.seconds,
            autocast=autocast,
            channels_last=config.trainer.channels_last,
        )

    def full() -> None:
        metrics, notes = measure_full(config, parts, test.examples, autocast, report)
        found.metrics |= metrics
        found.notes |= notes

    if "costs" in names:
        found.notes |= _attempt(costs, COSTS)
    if config.measure.name == "full" and any(name != "costs" for name in names):
        found.notes |= _attempt(full, FULL)
    return found


def _attempt(take: Callable[[], None], names: tuple[str, ...]) -> dict[str, str]:
    """Take a measure; an error in it becomes a warning and a note, since the run is trained and tested already."""
    try:
        take()
    except Interrupted:
        raise
    except Exception as fault:  # whatever it is: MemoryError, a device out of memory, a full disk
        why = f"not measured: {' '.join(f'{type(fault).__name__}: {fault}'.split())[:300]}"
        warnings.warn(f"{' and '.join(names)} {why}; the record is complete without", stacklevel=2)
        return dict.fromkeys(names, why)
    return {}


def keep_samples(folder: RunFolder, parts: RunComponents, test: Figures) -> None:
    """Write samples.npz, which samples.png is drawn from; without it the run goes on."""
    try:
        write_samples(folder, parts.module.samples(parts.data, test.examples))
    except Exception as fault:
        (folder / SAMPLES).unlink(missing_ok=True)
        why = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
        warnings.warn(f"the record is without {SAMPLES}: {why}", stacklevel=2)


def write_examples(folder: RunFolder, figures: FinalFigures) -> None:
    """Write test_examples.npz: the task's examples, one row for each test image, and the confusion matrix."""
    columns = {name: column.numpy() for name, column in figures.examples.items()}
    columns["confusion"] = figures.confusion.cpu().numpy()
    np.savez_compressed(folder / "test_examples.npz", **columns)  # type: ignore[arg-type]  # not its `allow_pickle`
