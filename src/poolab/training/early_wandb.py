"""W&B's import in its place: before Lightning's."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any


def import_wandb_first(tracker: Mapping[str, Any]) -> None:
    """Import what a W&B run needs, if the tracker is W&B and Lightning is still to come.

    W&B defines some hundred pydantic classes, and pydantic looks through all loaded modules for each docstring of a
    field: 0.4 s among the 1,400 modules of torch and Hydra, 2.0 s among the 3,800 that are there after Lightning.
    `wandb.init` would import `wandb.sdk.launch`, where most of them are, by itself.
    """
    if tracker["name"] == "wandb":
        with suppress(Exception):  # whatever is wrong with W&B is the tracker's to say
            import wandb.sdk.launch  # noqa: F401
