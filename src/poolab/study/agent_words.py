"""The arguments that a W&B agent gives to a run, in Hydra's words."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from poolab.study.cells import in_words


def in_hydras_words(arguments: Sequence[str]) -> list[str]:
    """The arguments as `poolab study run` would give them; outside of an agent's run they stay as they are.

    An agent writes each value by Python's str(): null as None, a mapping as a dict, the text 0.5 as a number. What the
    values are stands in a file that it names.

    >>> in_hydras_words(["pooling=max"])
    ['pooling=max']
    """
    said = _said(os.environ.get("WANDB_SWEEP_PARAM_PATH") or "")
    return [said.get(word, word) for word in arguments]


def _said(path: str) -> dict[str, str]:
    if not path or not os.environ.get("WANDB_SWEEP_ID"):
        return {}
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    if not isinstance(content, Mapping):
        return {}
    values = {key: one["value"] for key, one in content.items() if isinstance(one, Mapping) and "value" in one}
    return {f"{key}={value}": f"{key}={in_words(value)}" for key, value in values.items()}
