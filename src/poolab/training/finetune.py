"""Fine-tuning: the weights of a finished run in a network whose poolings are others, and what that does to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torchmetrics import Metric

from poolab.backbones import Backbone
from poolab.errors import ConfigError
from poolab.per_slot import pooling_words
from poolab.training.checkpoints import read_checkpoint
from poolab.training.source_run import SourceRun

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from poolab.training.build import RunComponents

NETWORK = "network."  # the network's part of a checkpoint


@dataclass(frozen=True)
class WeightTransfer:
    """A source, how many of its weights were taken over, and the names of those that start afresh or stay behind."""

    source: SourceRun
    count: int
    new: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        """One line."""
        was = pooling_words(self.source.config["pooling"])
        new = f", {len(self.new)} of the new pooling start afresh" if self.new else ""
        return f"{self.count} weights of {self.source.folder} ({was}){new}"


def take_over(network: Backbone, source: SourceRun) -> WeightTransfer:
    """Load what the network shares with the source: everything but the poolings.

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
    content = read_checkpoint(source.checkpoint, way_out, source.signature)["state_dict"]
    return {name.removeprefix(NETWORK): value for name, value in content.items() if name.startswith(NETWORK)}


def before_training(trainer: "pl.Trainer", parts: "RunComponents", taken: WeightTransfer) -> dict[str, float]:
    """The figures of the source (`before/...`), and those of the network with other poolings (`exchanged/...`).

    The source's are from its own record. The exchanged network is validated, not tested: the test split is for the end.
    """
    found: Mapping[str, Any] = trainer.validate(parts.module, parts.loaders, verbose=False)[0]
    for metric in parts.module.val_metrics.modules():
        if isinstance(metric, Metric):
            metric.reset()  # Lightning validates in inference mode, and what was made there cannot be counted on with
    before = {f"before/{name}": value for name, value in taken.source.figures().items()}
    return {**before, **{f"exchanged/{name}": float(value) for name, value in found.items()}}
