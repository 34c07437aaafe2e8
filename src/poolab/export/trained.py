"""A trained network with what is known of it."""

from typing import NamedTuple

from torch import nn

from poolab.records import Record
from poolab.training import ModelFacts


class Trained(NamedTuple):
    """A network in evaluation mode, the facts about its images and classes, and the record of its run."""

    network: nn.Module
    facts: ModelFacts
    record: Record
