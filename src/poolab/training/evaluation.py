"""After training: the one look at the test data, the costs of the network, and the pictures."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from poolab.measure import run_costs
from poolab.records import HEADLINES, RunFolder
from poolab.training.full import measure_full
from poolab.training.parts import Parts


def test_and_measure(
    config: Mapping[str, Any],
    folder: RunFolder,
    trainer: pl.Trainer,
    parts: Parts,
    history: list[dict[str, Any]],
    autocast: torch.dtype | None,
    report: Callable[[str, float], None],
) -> tuple[dict[str, float], dict[str, str]]:
    """Test every example once, measure, write the examples and the pictures; gives the flat metrics and their notes.

    `report` is told each measure of `measure=full` and its seconds. The network stands as the last epoch left it. All
    processes take part in the test, the first one does the rest.
    """
    trainer.test(parts.module, parts.loaders, verbose=False)
    figures = parts.module.test_metrics.compute()
    metrics = parts.module.test_metrics.scalars(figures, parts.data.classes)
    metrics["test/samples"] = len(figures["examples"]["index"])
    if not trainer.is_global_zero:
        return metrics, {}
    write_examples(folder, figures)
    parts.network.to(trainer.strategy.root_device)  # Lightning hands a module back on the CPU
    measure = config["measure"]
    metrics |= run_costs(
        parts.module.called,
        (parts.data.channels, *parts.data.image_size),
        train_batch_size=config["data"]["batch_size"] // trainer.world_size,
        latency_batch_size=measure["latency_batch_size"],
        throughput_batch_size=measure["throughput_batch_size"],
        seconds=measure["seconds"],
        autocast=autocast,
        channels_last=config["trainer"]["channels_last"],
    )
    from poolab.training.pictures import learning_curves

    notes: dict[str, str] = {}
    if measure["name"] == "full":
        more, notes = measure_full(config, folder, parts, figures, autocast, report)
        metrics |= more
    learning_curves(history, folder / "curves.png", HEADLINES[config["task"]])
    parts.module.draw_samples(parts.data, figures, folder / "samples.png")
    return metrics, notes


def write_examples(folder: RunFolder, figures: Mapping[str, Any]) -> None:
    """test_examples.npz: the columns of the task's examples, one row for each test image, and the confusion matrix."""
    columns = {name: column.numpy() for name, column in figures["examples"].items()}
    np.savez_compressed(folder / "test_examples.npz", confusion=figures["confusion"].cpu().numpy(), **columns)
