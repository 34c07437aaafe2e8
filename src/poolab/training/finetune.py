"""Fine-tuning: load a finished run's weights into a network with other poolings, and measure what that changes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torchmetrics import Metric

from poolab.backbones import Backbone
from poolab.errors import ConfigError
from poolab.training.checkpoints import network_weights
from poolab.training.components import RunComponents
from poolab.training.source_run import SourceRun, WeightTransfer

if TYPE_CHECKING:
    import pytorch_lightning as pl


def take_over(network: Backbone, source: SourceRun) -> WeightTransfer:
    """Load the weights that the network shares with the source: all but those of the poolings.

    Raises:
        ConfigError: a weight outside of the slots is missing or has another shape.
    """
    state = _weights(source)
    own = network.state_dict()
    shared = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    new = tuple(name for name in own if name not in shared)
    left = tuple(name for name in state if name not in shared)
    strange = [name for name in dict.fromkeys((*new, *left)) if network.slot_of(name) is None]
    if strange:
        raise ConfigError(
            f"the checkpoint {source.checkpoint} is of another network: {', '.join(strange[:3])}"
            f"{f' and {len(strange) - 3} more' if len(strange) > 3 else ''} differ, outside of the slots "
            f"{', '.join(network.slots)}"
        )
    network.load_state_dict(shared, strict=False)
    return WeightTransfer(source, len(shared), new, left)


def _weights(source: SourceRun) -> dict[str, Tensor]:
    way_out = f"make the run {source.folder} again, or name another one with recipe.checkpoint"
    return network_weights(source.checkpoint, way_out, source.signature)


def before_training(trainer: "pl.Trainer", parts: RunComponents, taken: WeightTransfer) -> dict[str, float]:
    """Return the metrics of the source (`before/...`) and of the network with other poolings (`exchanged/...`).

    The source's are from its own record. The exchanged network is validated, not tested: the test split is for the end.
    """
    found: Mapping[str, Any] = trainer.validate(parts.module, parts.loaders, verbose=False)[0]
    for metric in parts.module.val_metrics.modules():
        if isinstance(metric, Metric):
            metric.reset()  # Lightning validates in inference mode, and what was made there cannot be counted on with
    before = {f"before/{name}": value for name, value in taken.source.figures().items()}
    return {**before, **{f"exchanged/{name}": float(value) for name, value in found.items()}}
