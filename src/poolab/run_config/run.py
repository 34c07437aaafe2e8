"""Holds all settings of one run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from poolab.run_config.data import DataConfig
from poolab.run_config.group import Group, by_name
from poolab.run_config.measure import MEASURES, MeasureConfig
from poolab.run_config.network import BackboneConfig, HeadConfig, PoolingConfig
from poolab.run_config.tracker import TRACKERS, TrackerConfig
from poolab.run_config.training import OPTIMS, OptimConfig, RecipeConfig, TrainerConfig


@dataclass(frozen=True)
class RunConfig:
    """All settings of one run.

    >>> from poolab.configuration import compose
    >>> config = RunConfig.from_tree(compose(["pooling=avg_topk", "pooling.k=3"]))
    >>> config.pooling.options, config.trainer.epochs, config.tree() == compose(["pooling=avg_topk", "pooling.k=3"])
    ({'k': 3}, 10, True)
    """

    task: str
    seed: int
    runs_dir: str
    force: bool
    pooling: PoolingConfig
    head: HeadConfig
    backbone: BackboneConfig
    data: DataConfig
    optim: OptimConfig
    trainer: TrainerConfig
    measure: MeasureConfig
    tracker: TrackerConfig
    recipe: RecipeConfig | None = None

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read a resolved configuration, as `poolab.configuration.compose` gives it.

        Raises:
            ConfigError: a setting is missing or not known.
        """
        recipe = tree.get("recipe")
        return cls(
            task=tree["task"],
            seed=tree["seed"],
            runs_dir=tree["runs_dir"],
            force=tree["force"],
            pooling=PoolingConfig.from_tree(tree["pooling"]),
            head=HeadConfig.from_tree(tree["head"]),
            backbone=BackboneConfig.from_tree(tree["backbone"]),
            data=DataConfig.from_tree(tree["data"]),
            optim=by_name(OPTIMS, tree["optim"]),
            trainer=TrainerConfig.from_tree(tree["trainer"]),
            measure=by_name(MEASURES, tree["measure"]),
            tracker=by_name(TRACKERS, tree["tracker"]),
            recipe=None if recipe is None else RecipeConfig.from_tree(recipe),
        )

    def tree(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, as the record keeps them."""
        found: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "recipe" or value is not None:
                found[one.name] = value.tree() if isinstance(value, Group) else value
        return found
