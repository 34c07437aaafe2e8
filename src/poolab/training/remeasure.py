"""Measure a finished run from its checkpoint, without training: what is asked for and not there yet."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import torch

from poolab.backbones import to_channels_last
from poolab.data import ImageDataModule, ImageShape, load_data
from poolab.errors import ConfigError, DataError
from poolab.measure import OtherLoad
from poolab.pooling import use_backend
from poolab.records import Record, RunFolder, environment
from poolab.run_config import RunConfig
from poolab.training.build import MODULES
from poolab.training.components import RunComponents
from poolab.training.console import say
from poolab.training.evaluation import Figures, measure
from poolab.training.interruption import StopRequest
from poolab.training.machine import device_name
from poolab.training.measures import merged_settings, missing_measures, only, without_figures
from poolab.training.picture_files import draw_pictures
from poolab.training.rebuild import autocast_of, trained_network
from poolab.training.robustness_eval import check_full
from poolab.training.settings import kind_of_device

# What a record keeps of the machine that a later measure was taken on.
PROVENANCE = ("commit", "dirty", "device", "threads", "processor", "hostname", "load", "packages", "python")


def measure_again(
    config: RunConfig, folder: RunFolder, names: tuple[str, ...] | None = None, *, pictures: bool = True
) -> Record:
    """Take the measures that are missing from a finished run, add them to its record, and return it.

    The checkpoint is read and not written. The record is written after the costs and after the rest, each with the
    time, the code and the machine: a process that is killed in between loses no figure, and the next one takes the
    rest.

    Args:
        config: the run's settings with the measures that are wanted.
        names: the measures; None takes those that are missing.
        pictures: draw the pictures that the folder lacks.

    Raises:
        ConfigError: the checkpoint is missing or damaged, or the setting of a measure is not possible.
        DataError: the data set is not there, or not what the run was trained on.
        PoolabError: another process works at this run.
        Interrupted: it was asked to stop; measures that were written are kept.
    """
    with folder.claimed():
        record = folder.result
        assert record is not None  # the caller has looked
        wanted = missing_measures(config, record) if names is None else names
        say(f"{folder.path} is trained; taken now: {', '.join(wanted)}")
        parts = _trained(config, folder, record)
        request = StopRequest()
        with request.listening(), use_backend(config.trainer.backend):
            for part in (tuple(name for name in wanted if name == "costs"), tuple(n for n in wanted if n != "costs")):
                if part:
                    record = _measured(config, folder, parts, record, part, request)
        if pictures:
            draw_pictures(folder.path, record)
    return record


def _trained(config: RunConfig, folder: RunFolder, record: Record) -> RunComponents:
    """Return the data and the trained network of a run, on its device."""
    config.trainer.check_settled()
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    data = load_data(**config.data.reading, seed=config.seed)
    trained = record.environment.get("data_fingerprint")
    if trained is not None and trained != data.fingerprint:
        raise DataError(
            f"data={config.data.name} is not what {folder.path} was trained on: its fingerprint is "
            f"{data.fingerprint}, expected {trained}; name the same data with data.root"
        )
    if config.measure.name == "full":
        check_full(config, data)
    shape = ImageShape(data.channels, data.image_size, data.num_classes)
    network = trained_network(config, folder, record, shape).to(device_for(config.trainer.accelerator))
    channels_last = config.trainer.channels_last
    if channels_last:
        to_channels_last(network)
    loaders = ImageDataModule(data, **config.data.loading, seed=config.seed, channels_last=channels_last)
    module = MODULES[config.task](network, config.optim, data.num_classes, steps=1)
    module.eval()
    if config.trainer.compile:
        module.compile_network()
    return RunComponents(data, loaders, network, module)


def device_for(accelerator: str) -> torch.device:
    """Return the first device of an accelerator.

    >>> device_for("cpu")
    device(type='cpu')
    """
    kind = kind_of_device(accelerator)
    return torch.device(kind) if kind == "cpu" else torch.device(kind, 0)


def _measured(
    config: RunConfig,
    folder: RunFolder,
    parts: RunComponents,
    record: Record,
    names: tuple[str, ...],
    request: StopRequest,
) -> Record:
    def report(name: str, seconds: float) -> None:
        say(f"measured {name:<12} {seconds:.1f} s")
        request.obey()

    device = next(iter(parts.network.parameters())).device
    chosen = only(config, names)
    examples = Figures(examples=_examples(folder) if "calibration" in names else {})
    load = OtherLoad()
    precision = autocast_of(config.trainer.precision)
    processes = int(record.environment.get("processes") or 1)
    found = measure(chosen, parts, examples, precision, report, device=device, processes=processes, names=names)
    facts = environment(device=device_name(device), threads=torch.get_num_threads(), load=load.cores())
    provenance = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    provenance |= {key: facts[key] for key in PROVENANCE if key in facts}
    metrics, notes = without_figures(record, names)
    settings = merged_settings(record.config.get("measure"), config, names)
    record = replace(
        record,
        metrics=dict(sorted({**metrics, **found.metrics}.items())),
        notes={**notes, **found.notes},
        config={**record.config, "measure": settings},
        measured={**record.measured, **dict.fromkeys(names, provenance)},
    )
    folder.write_record(record)
    return record


def _examples(folder: RunFolder) -> Mapping[str, torch.Tensor]:
    """Return the test's figures of each image, which the calibration is computed from.

    Raises:
        ConfigError: test_examples.npz is missing or damaged.
    """
    path = folder / "test_examples.npz"
    try:
        with np.load(path) as columns:
            return {name: torch.from_numpy(columns[name]) for name in columns.files if name != "confusion"}
    except (OSError, ValueError, KeyError) as fault:
        raise ConfigError(f"{path} cannot be read: {fault}; without it the calibration cannot be computed") from fault
