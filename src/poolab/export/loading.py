"""Load a trained network from its run's folder."""

import os
from pathlib import Path

import torch

from poolab.data import ImageShape
from poolab.errors import ConfigError, PoolabError
from poolab.export.model import Model
from poolab.records import Record, RunFolder
from poolab.run_config import RunConfig
from poolab.training import ModelFacts, autocast_of, finished_record, trained_network


def load(folder: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> Model:
    """Load the trained network of a finished run.

    The folder alone is enough: neither the training data nor conf/ is needed. A folder that was written before runs had
    a model.json needs its training data at hand, where the run's settings name it.

    Args:
        folder: the run's folder, runs/<signature>, or a file in it.
        device: where the network is put, e.g. "cuda".

    Raises:
        ConfigError: it is not the folder of a completed run, or a file in it is damaged.
        DataError: model.json is missing, and the training data is too.
    """
    path = _folder(folder)
    record = finished_record(path)
    config = RunConfig.from_tree(record.config)
    facts = ModelFacts.read(path) or _facts_from_data(path, config, record)
    shape = ImageShape(facts.channels, facts.image_size, len(facts.classes))
    network = trained_network(config, RunFolder.of(record, path), record, shape)
    return Model(
        network.to(device),
        facts,
        record,
        autocast=autocast_of(config.trainer.precision),
        channels_last=config.trainer.channels_last,
    )


def _folder(folder: str | os.PathLike[str]) -> Path:
    try:
        path = Path(folder).expanduser()
        if path.is_file():
            path = path.parent
        exists = path.is_dir()
    except (OSError, ValueError, RuntimeError) as fault:
        raise ConfigError(f"{folder} cannot be read: {getattr(fault, 'strerror', None) or fault}") from fault
    if not exists:
        raise ConfigError(f"{folder} does not exist: name the folder of a run, runs/<signature>")
    return path


def _facts_from_data(path: Path, config: RunConfig, record: Record) -> ModelFacts:
    """Return the facts of a folder without model.json, from the training data."""
    from poolab.data import load_data

    try:
        data = load_data(**config.data.reading, seed=config.seed)
    except PoolabError as fault:
        raise type(fault)(
            f"{path} was written before runs had a model.json, so that the training data is needed: {fault}"
        ) from fault
    trained = record.environment.get("data_fingerprint")
    if trained is not None and trained != data.fingerprint:
        raise ConfigError(
            f"{path} was written before runs had a model.json, and data={config.data.name} at hand is not what it was "
            f"trained on (fingerprint {data.fingerprint}, expected {trained}): name the same data, or train again"
        )
    return ModelFacts.of(data, config.data.background)
