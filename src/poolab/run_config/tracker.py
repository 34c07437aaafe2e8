"""Holds the settings of the tracker that a run is logged to."""

from dataclasses import dataclass

from poolab.run_config.group import Group


@dataclass(frozen=True)
class TrackerConfig(Group):
    """No tracker."""

    name: str


@dataclass(frozen=True)
class WandbConfig(TrackerConfig):
    """W&B; what is None here is taken from its environment variables."""

    mode: str | None
    project: str | None
    entity: str | None
    group: str | None
    tags: tuple[str, ...]
    init_timeout: float
    finish_timeout: float
    pictures: bool = True
    learning_rate: bool = True
    log_model: bool = False
    export_model: bool = False


TRACKERS: dict[str, type[TrackerConfig]] = {"none": TrackerConfig, "wandb": WandbConfig}
