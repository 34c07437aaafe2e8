"""The arguments that a W&B agent gives to a run, in Hydra's words."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from poolab.errors import ConfigError
from poolab.study.sweep.cells import in_words
from poolab.study.sweep.parameters import LOOKED_UP
from poolab.study.sweep.yaml_file import read_yaml


def in_hydras_words(arguments: Sequence[str]) -> list[str]:
    """Return the arguments as `poolab study run` would give them; unchanged outside of an agent's run.

    An agent writes each value by Python's str(): null as None, a mapping as a dict, the text 0.5 as a number. What the
    values are stands in a file that it names.

    Raises:
        ConfigError: a value that OmegaConf would look up: a sweep comes from a server.

    >>> in_hydras_words(["pooling=max"])
    ['pooling=max']
    """
    if not os.environ.get("WANDB_SWEEP_ID"):
        return list(arguments)
    said = _said(os.environ.get("WANDB_SWEEP_PARAM_PATH") or "")
    words = [said.get(word, word) for word in arguments]
    errors = [_error(word) for word in words if LOOKED_UP.search(word)]
    if errors:
        raise ConfigError("\n".join(errors))
    return words


def _error(word: str) -> str:
    text = word if len(word) <= 200 else f"{word[:200]}..."
    return (
        f"{text!r} comes from a sweep: its values are what they say, and ${{...}} is not looked up, since it could "
        "put a key of this machine's environment into a record"
    )


def _said(path: str) -> dict[str, str]:
    if not path:
        return {}
    try:
        content = read_yaml(Path(path))
    except (OSError, ValueError):  # a ConfigError too
        return {}
    if not isinstance(content, Mapping):
        return {}
    values = {key: one["value"] for key, one in content.items() if isinstance(one, Mapping) and "value" in one}
    return {f"{key}={value}": f"{key}={in_words(value)}" for key, value in values.items()}
