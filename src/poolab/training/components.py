"""The components of a run."""

from dataclasses import dataclass, field
from typing import Any

from poolab.backbones import Backbone, Match
from poolab.data import ImageData, ImageDataModule
from poolab.training.module import TaskModule
from poolab.training.source_run import WeightTransfer


@dataclass
class RunComponents:
    """The components of a run: data, network and module."""

    data: ImageData
    loaders: ImageDataModule
    network: Backbone
    module: TaskModule
    match: Match | None = None
    taken: WeightTransfer | None = None
    files: dict[str, Any] = field(default_factory=dict)
