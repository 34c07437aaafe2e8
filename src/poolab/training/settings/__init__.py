"""The settings of a run: their allowed values, declared in one place, and the check of a whole configuration."""

from poolab.training.settings.automatic import kind_of_device, with_automatic
from poolab.training.settings.check import check_settings, declared, faults_by_group, read_settings, setting_faults
from poolab.training.settings.network import options_of
from poolab.training.settings.tables import (
    DATA,
    LARGEST_BATCH,
    LOADER,
    MEASURES,
    OPTIMIZERS,
    RECIPES,
    ROOTS,
    TRACKERS,
    TRAINER,
)
from poolab.training.settings.warmup import warmup_share

__all__ = [
    "DATA",
    "LARGEST_BATCH",
    "LOADER",
    "MEASURES",
    "OPTIMIZERS",
    "RECIPES",
    "ROOTS",
    "TRACKERS",
    "TRAINER",
    "check_settings",
    "declared",
    "faults_by_group",
    "kind_of_device",
    "options_of",
    "read_settings",
    "setting_faults",
    "warmup_share",
    "with_automatic",
]
