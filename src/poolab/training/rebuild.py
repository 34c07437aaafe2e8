"""Build the network of a finished run again, with its trained weights; neither Lightning nor the data is needed."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from poolab.data import ImageShape
from poolab.errors import ConfigError
from poolab.own_code import changed_code
from poolab.records import Record, RunFolder
from poolab.run_config import RunConfig
from poolab.training.checkpoints import network_weights
from poolab.training.network import network_settings

if TYPE_CHECKING:
    import torch

    from poolab.backbones import Backbone

PRETRAINED: Mapping[str, object] = {"pretrained": False, "weights": None}  # the checkpoint holds the weights


def autocast_of(precision: str) -> "torch.dtype | None":
    """Return the type of a mixed precision, or None for full precision.

    >>> autocast_of("bf16-mixed"), autocast_of("32-true")
    (torch.bfloat16, None)
    """
    import torch

    return {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}.get(precision)


def trained_network(config: RunConfig, folder: RunFolder, record: Record, shape: ImageShape) -> "Backbone":
    """Return the network of a run with the weights of its checkpoint, in evaluation mode on the CPU.

    Warns of code outside of poolab that was changed since: the weights may mean something else to it.

    Raises:
        ConfigError: the checkpoint is missing, damaged, another run's, or does not fit the network.
    """
    from poolab.backbones import create_backbone

    for group, what in changed_code(config.tree()):
        if group != "data":  # whose content is compared where it is used
            warnings.warn(f"{what} was changed after {folder.path} was trained with it", stacklevel=2)
    if folder.checkpoint is None:
        raise ConfigError(
            f"{folder.path} has no last.ckpt: the weights are missing; copy the folder whole, or run it again with "
            "force=true"
        )
    weights = network_weights(
        folder.checkpoint, "copy the folder whole, or run it again with force=true", folder.signature
    )
    settings = network_settings(config, shape)
    settings |= {key: value for key, value in PRETRAINED.items() if key in settings}
    width = record.metrics.get("match/width_mult")
    if config.backbone.match is not None and width is not None:
        settings["width_mult"] = width
    network = create_backbone(**settings, seed=config.seed)
    found = network.load_state_dict(weights, strict=False)
    differing = [*found.missing_keys, *found.unexpected_keys]
    if differing:
        raise ConfigError(
            f"{folder.checkpoint} does not fit the network of {folder / 'result.json'}: {', '.join(differing[:3])}"
            f"{f' and {len(differing) - 3} more' if len(differing) > 3 else ''} differ"
        )
    return network.eval()
