"""The folder conf/, and settings that name a file or folder: `~` is expanded only here, so that plan and run agree."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError

# The settings of conf/ that are paths.
PATHS = ("runs_dir", "data.root", "data.cache_dir", "backbone.weights", "recipe.checkpoint")


def config_dir() -> Path:
    """Return the configuration tree: beside the package in a wheel, at the top of a checkout.

    >>> (config_dir() / "train.yaml").exists()
    True
    """
    package = Path(__file__).resolve().parent
    shipped = package / "conf"
    return shipped if shipped.is_dir() else package.parents[1] / "conf"


def expanded_path(path: str | Path, setting: str = "path") -> str:
    """Return a path with `~` and `~user` as the home folder they stand for; any other path stays as it is.

    Args:
        path: what was given, as text or as a Path.
        setting: the setting's name, for the message.

    Raises:
        ConfigError: there is no such user, or the home folder is not known.

    >>> expanded_path("runs"), expanded_path("a/~/b"), expanded_path("~/runs") == os.path.expanduser("~/runs")
    ('runs', 'a/~/b', True)
    """
    text = os.fspath(path)
    expanded = os.path.expanduser(text)
    if not text.startswith("~") or expanded != text:
        return expanded
    user = text.partition("/")[0][1:]
    why = f"there is no user {user}" if user else "HOME is not set and this user has no home folder"
    raise ConfigError(f"{setting}={text}: {why}; write the whole path (./{text} for a name that begins with ~)")


def with_expanded_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration in which each path setting is a text with its `~` expanded.

    Values that are not paths stay as they are: the check of the settings refuses them.

    Raises:
        ConfigError: a home folder that does not exist; all such settings at once.

    >>> with_expanded_paths({"seed": 0, "runs_dir": Path("here")})
    {'seed': 0, 'runs_dir': 'here'}
    """
    result = dict(config)
    faults = []
    for setting in PATHS:
        group, _, key = setting.rpartition(".")
        settings = result.get(group) if group else result
        value = settings.get(key) if isinstance(settings, Mapping) else None
        if not isinstance(settings, Mapping) or not isinstance(value, str | Path):
            continue
        try:
            changed = {**settings, key: expanded_path(value, setting)}
        except ConfigError as fault:
            faults.append(str(fault))
            continue
        result = {**result, group: changed} if group else changed
    if faults:
        raise ConfigError("\n".join(faults))
    return result
