"""The slots of a configured network, for `poolab shapes`."""

from collections.abc import Mapping
from typing import Any

from poolab.backbones import Match, SlotShape, slot_shapes
from poolab.data import data_shape
from poolab.training.batch_size import with_smallest_batch
from poolab.training.network import matched_settings
from poolab.training.settings import read_settings


def configured_shapes(tree: Mapping[str, Any]) -> list[SlotShape]:
    """Return the slots of a configuration's network for its data, without training, and without the data if possible.

    >>> from poolab.configuration import compose
    >>> [(row.slot, row.pooling, row.output) for row in configured_shapes(compose(["pooling=avg", "data=cifar10"]))]
    [('pool1', 'avg', (32, 15, 15)), ('pool2', 'avg', (64, 6, 6)), ('head', 'flatten', (64, 6, 6))]
    """
    return matched_shapes(tree)[0]


def matched_shapes(tree: Mapping[str, Any]) -> tuple[list[SlotShape], Match | None]:
    """Return the slots as `configured_shapes` does, and how the network's width was matched, if it was.

    >>> from poolab.configuration import compose
    >>> rows, match = matched_shapes(compose(["backbone.match=parameters", "backbone.match_to=lip", "data=cifar10"]))
    >>> rows[0].output, str(match)
    ((36, 15, 15), 'width_mult 1.1328: 211,834 parameters, with lip 213,834 (-0.94%)')
    """
    config = read_settings(with_smallest_batch(tree))
    settings, match = matched_settings(config, data_shape(config.data.reading))
    return slot_shapes(settings.pop("name"), **settings), match
