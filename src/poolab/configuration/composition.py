"""Compose the configuration of a run from conf/ and the words of a command line."""

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from poolab.configuration.choices import groups
from poolab.configuration.faults import explain
from poolab.configuration.offered import offer_networks, offer_own_code
from poolab.errors import ConfigError
from poolab.hydra_words import readable
from poolab.own_code import with_code
from poolab.paths import config_dir, with_expanded_paths
from poolab.per_slot import for_hydra, resolved
from poolab.records import RENAMED_SETTINGS

# The plugin and the extra of hydra/launcher=...
LAUNCHERS = {"ray": ("hydra_ray_launcher", "ray"), "slurm": ("hydra_submitit_launcher", "slurm")}


def compose(overrides: Sequence[str]) -> dict[str, Any]:
    """Compose the resolved configuration of a run, as plain dictionaries.

    Raises:
        ConfigError: an override that does not fit the tree.

    >>> compose(["pooling=avg_topk", "pooling.k=3"])["pooling"]["k"]
    3
    """
    return _composed(overrides)[0]


def choices_of(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Compose the configuration of a run, and say which choice each group has.

    Raises:
        ConfigError: an override that does not fit the tree.

    >>> choices_of(["tracker=wandb_offline"])[1]["tracker"]
    'wandb_offline'
    """
    return _composed(overrides, told=True)


def _composed(overrides: Sequence[str], told: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    overrides = prepared(overrides)
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            config = hydra_compose("train", overrides=overrides, return_hydra_config=told)
            if not told:
                return plain(config), {}
            chosen = {str(group): str(name) for group, name in config.hydra.runtime.choices.items()}
            return _without_hydra(config), {group: name for group, name in chosen.items() if "/" not in group}
    except Exception as fault:
        raise ConfigError(explain(fault)) from fault


def _without_hydra(config: Any) -> dict[str, Any]:
    """Return the settings as plain dictionaries; those of Hydra, which a run alone can resolve, stay out."""
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(config, resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key != "hydra"}


def prepared(overrides: Sequence[str], sweep: bool = False) -> list[str]:
    """Return the settings of a command line as Hydra takes them, and offer it what they need beside the tree.

    Args:
        overrides: `key=value` each.
        sweep: whether a setting may have several values, a run each.

    Raises:
        ConfigError: every word that Hydra cannot read.
    """
    words = _without_null_recipe(readable([_with_current_name(word) for word in overrides], groups(), sweep))
    offer_networks(words)
    offer_own_code(words)
    return for_hydra(words)


def current_setting(name: str) -> str:
    """Return the present name of a setting; print a notice, once in a process, for a name of an earlier version.

    >>> current_setting("measure.name")
    'measure.name'
    """
    if name not in RENAMED_SETTINGS:
        return name
    _tell_renamed(name)
    return RENAMED_SETTINGS[name]


@cache
def _tell_renamed(name: str) -> None:
    print(
        f"poolab: {name} is now called {RENAMED_SETTINGS[name]}; the next version will not read the old name",
        file=sys.stderr,
    )


def _with_current_name(word: str) -> str:
    """Return a `key=value` (or `~key`) in which the key has its present name."""
    key, equals, value = word.partition("=")
    name = key.lstrip("+~")
    return f"{key.removesuffix(name)}{current_setting(name)}{equals}{value}" if name else word


def _without_null_recipe(words: list[str]) -> list[str]:
    """Leave out `recipe=null` and the recipes before it: null is the default, and Hydra 1.3 cannot choose it again.

    >>> _without_null_recipe(["recipe=finetune", "seed=1", "recipe=null"])
    ['seed=1']
    """
    last = max((place for place, word in enumerate(words) if word == "recipe=null"), default=-1)
    return [word for place, word in enumerate(words) if place > last or not word.startswith("recipe=")]


def check_launcher(overrides: Sequence[str]) -> None:
    """Check that the launcher of a multirun is installed: Hydra would say that it cannot locate a target.

    Raises:
        ConfigError: it is not.
    """
    from importlib.util import find_spec

    for override in overrides:
        key, _, name = override.lstrip("+").partition("=")
        plugin, extra = LAUNCHERS.get(name, (None, None)) if key == "hydra/launcher" else (None, None)
        if plugin and not (find_spec("hydra_plugins") and find_spec(f"hydra_plugins.{plugin}")):
            raise ConfigError(f'{override} needs the extra `{extra}`: pip install "poolab[{extra}]"')


def plain(config: Any) -> dict[str, Any]:
    """Return a Hydra configuration as plain dictionaries.

    Its interpolations, the poolings of single slots and the `~` of its paths are resolved.

    Raises:
        ConfigError: a path below a home folder that does not exist.
    """
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(content, dict)
    config = {str(key): value for key, value in content.items() if key != "hydra"}
    if isinstance(config.get("pooling"), dict):  # the check of the settings refuses anything else
        config["pooling"]["at"] = resolved(config["pooling"].get("at"), config_dir() / "pooling")
    return with_code(with_expanded_paths(config))
