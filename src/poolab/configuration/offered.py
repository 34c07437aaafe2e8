"""Choices that no file of conf/ has: networks of libraries, and code of the user's own."""

import re
from collections.abc import Sequence
from typing import Any

from poolab.configuration.choices import choices
from poolab.own_code import ENTRY_POINTS, find_own, is_own, own_options

# The settings of a data set of one's own: as conf/data has them, and nothing done to the images.
OWN_DATA: dict[str, Any] = {
    "root": None,
    "image_size": None,
    "channels": None,
    "batch_size": 32,
    "eval_batch_size": 512,
    "val_fraction": 0.1,
    "flip": False,
    "crop_padding": 0,
    "limit_train": None,
    "limit_test": None,
    "cache_dir": None,
    "download": True,
}


def offer_networks(overrides: Sequence[str]) -> None:
    """Make choices of the networks of torchvision and timm that are asked for: no file lists their 1,400 names."""
    from hydra.core.config_store import ConfigStore

    asked = [override.partition("=")[2] for override in overrides if override.startswith("backbone=")]
    for library, name in re.findall(r"\b(torchvision|timm)/([\w.]+)", " ".join(asked)):
        node = {"name": f"{library}/{name}", "pretrained": False, "weights": None}
        ConfigStore.instance().store(group=f"backbone/{library}", name=name, node=node)


def offer_own_code(overrides: Sequence[str]) -> None:
    """Make choices of the import paths and entry points that are asked for, with the settings that they take.

    Raises:
        ConfigError: one of them cannot be imported, or is not what its group takes.
    """
    from hydra.core.config_store import ConfigStore

    for override in overrides:
        group, _, value = override.lstrip("+").partition("=")
        if group not in ENTRY_POINTS:
            continue
        known = choices(group)
        for name in filter(None, re.split(r"[\s,()\[\]'\"]+", value)):
            if name not in known and is_own(name, group):
                ConfigStore.instance().store(group=group, name=name, node=own_node(group, name))


def own_node(group: str, name: str) -> dict[str, Any]:
    """Return what would stand in the file of a choice of own code."""
    if group == "data":
        find_own(name, group)
        return {"name": name, **OWN_DATA}
    return {"name": name, **own_options(name, group)}
