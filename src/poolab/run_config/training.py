"""Holds the settings of training: the optimiser, the trainer, and the run that is gone on from."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from poolab.errors import ConfigError
from poolab.run_config.group import Group

Devices = int | str | tuple[int, ...]


@dataclass(frozen=True)
class OptimConfig(Group):
    """An optimiser and the schedule of its learning rate."""

    name: str
    lr: float
    weight_decay: float
    schedule: str
    warmup: float
    label_smoothing: float


@dataclass(frozen=True)
class AdamConfig(OptimConfig):
    """Adam or AdamW."""

    betas: tuple[float, float]


@dataclass(frozen=True)
class SGDConfig(OptimConfig):
    """Stochastic gradient descent with momentum."""

    momentum: float
    nesterov: bool


@dataclass(frozen=True)
class TrainerConfig(Group):
    """The settings of training: devices and number of epochs."""

    accelerator: str
    strategy: str
    devices: Devices
    num_nodes: int
    precision: Literal["32-true", "16-mixed", "bf16-mixed"]
    epochs: int
    gradient_clip: float | None
    channels_last: bool
    compile: bool
    backend: Literal["fused", "plain", "auto"]
    sync_batchnorm: bool
    checkpoint_epochs: int
    progress_bar: bool
    threads: int | None

    AUTOMATIC: ClassVar = ("channels_last", "precision")  # may be `auto` until `read_settings` gives them a value

    def check_settled(self) -> None:
        """Check that no setting is still `auto`, which stands for no computation.

        Raises:
            ConfigError: one is.
        """
        for name in self.AUTOMATIC:
            if getattr(self, name) == "auto":
                raise ConfigError(f"trainer.{name} is still auto: poolab.training.with_automatic gives it a value")


@dataclass(frozen=True)
class RecipeConfig(Group):
    """A run that goes on from another one."""

    name: str
    checkpoint: str | None


OPTIMS: dict[str, type[OptimConfig]] = {"adam": AdamConfig, "adamw": AdamConfig, "sgd": SGDConfig}
