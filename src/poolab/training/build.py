"""Build the components of a run from its configuration: data, network, module."""

import torch

from poolab.backbones import create_backbone, to_channels_last
from poolab.data import ImageDataModule, ImageShape, load_data, training_sample
from poolab.errors import ConfigError
from poolab.run_config import RunConfig, TrainerConfig
from poolab.training.components import RunComponents
from poolab.training.content import check_code, file_facts
from poolab.training.finetune import take_over
from poolab.training.module import Classifier, TaskModule
from poolab.training.network import matched_settings
from poolab.training.preflight import check_batch, check_classes
from poolab.training.robustness_eval import check_full
from poolab.training.segmentation import Segmenter
from poolab.training.source_run import source_of

MODULES: dict[str, type[TaskModule]] = {"classification": Classifier, "segmentation": Segmenter}


def build(config: RunConfig) -> RunComponents:
    """Return the data, network and module of a configuration.

    Raises:
        ConfigError, DataError: a setting or a data set that does not do.
    """
    config.trainer.check_settled()
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    check_code(config)  # the processes of a distributed run import it each for itself
    files = file_facts(config)  # before they are read
    data = load_data(**config.data.reading, seed=config.seed)
    if config.measure.name == "full":
        check_full(config, data)
    shape = ImageShape(data.channels, data.image_size, data.num_classes)
    check_classes(config.task, data.num_classes, f"data={config.data.name}")
    settings, match = matched_settings(config, shape)
    network = create_backbone(**settings, seed=config.seed)
    check_batch(network, config.data.batch_size, _processes(config.trainer))
    network.fit_to(training_sample(data))
    source = source_of(config)
    taken = None if source is None else take_over(network, source)
    channels_last = config.trainer.channels_last
    if channels_last:
        to_channels_last(network)
    loaders = ImageDataModule(data, **config.data.loading, seed=config.seed, channels_last=channels_last)
    steps = len(loaders.train_dataloader()) * config.trainer.epochs
    module = MODULES[config.task](network, config.optim, data.num_classes, steps)
    if file_facts(config) != files:
        raise ConfigError("backbone.weights or recipe.checkpoint was changed while this run read it: start it again")
    return RunComponents(data, loaders, network, module, match, taken, files)


def _processes(trainer: TrainerConfig) -> int:
    """Return the number of processes, as far as the settings say it."""
    devices = trainer.devices
    count = len(devices) if isinstance(devices, tuple) else devices
    return int(count) * trainer.num_nodes if isinstance(count, int) and count > 0 else 1
