"""The settings of one run as frozen dataclasses, one for each group of conf/; needs neither torch nor Hydra.

`RunConfig.from_tree` reads what Hydra composed, and `tree` gives it back for the record, the signature and other
processes. The values are checked before, by `poolab.training.read_settings`, which names every fault at once.
"""

from poolab.run_config.data import DataConfig
from poolab.run_config.group import Group, Size, frozen, thawed
from poolab.run_config.measure import MEASURES, FullMeasureConfig, MeasureConfig
from poolab.run_config.network import GEOMETRY, OWN, BackboneConfig, HeadConfig, PoolingConfig
from poolab.run_config.run import RunConfig
from poolab.run_config.tracker import TRACKERS, TrackerConfig, WandbConfig
from poolab.run_config.training import (
    OPTIMS,
    AdamConfig,
    Devices,
    OptimConfig,
    RecipeConfig,
    SGDConfig,
    TrainerConfig,
)

__all__ = [
    "GEOMETRY", "MEASURES", "OPTIMS", "OWN", "TRACKERS", "AdamConfig", "BackboneConfig", "DataConfig", "Devices",
    "FullMeasureConfig", "Group", "HeadConfig", "MeasureConfig", "OptimConfig", "PoolingConfig", "RecipeConfig",
    "RunConfig", "SGDConfig", "Size", "TrackerConfig", "TrainerConfig", "WandbConfig", "frozen", "thawed",
]  # fmt: skip
