"""The Hydra tree: where it lies, a configuration composed from it, and its faults in words that help."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError, nearest


def config_dir() -> Path:
    """The tree: beside the package in a wheel, at the top of a checkout.

    >>> (config_dir() / "train.yaml").exists()
    True
    """
    package = Path(__file__).resolve().parent
    shipped = package / "conf"
    return shipped if shipped.is_dir() else package.parents[1] / "conf"


def compose(overrides: Sequence[str]) -> dict[str, Any]:
    """The resolved configuration of a run, as plain dictionaries.

    Raises:
        ConfigError: an override that does not fit the tree.

    >>> compose(["pooling=avg_topk", "pooling.k=3"])["pooling"]["k"]
    3
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return plain(hydra_compose("train", overrides=list(overrides)))
    except Exception as fault:
        raise ConfigError(explain(fault)) from fault


def plain(config: Any) -> dict[str, Any]:
    """A Hydra configuration as plain dictionaries, its interpolations resolved."""
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key != "hydra"}


def explain(fault: BaseException) -> str:
    """Hydra's and OmegaConf's words with the near names, and without the advice to append an unknown key."""
    text = "\n".join(_chain(fault))
    choice = re.search(r"Could not find '([^']+)/([^'/]+)'", text)
    if choice:
        group, name = choice.groups()
        known = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
        return f"{group}={name}: there is no such choice; {nearest(name, known)}{group} can be {', '.join(known)}"
    key = re.search(r"Key '([^']+)' is not in struct\s+full_key: (\S+)", text)
    if key:
        return _unknown_key(key.group(2))
    group_key = re.search(r"Could not override '([^']+)'\. No match in the defaults list", text)
    if group_key:
        return _unknown_key(group_key.group(1))
    return "\n".join(line for line in str(fault).splitlines() if "append to your" not in line)


def _chain(fault: BaseException | None) -> Iterator[str]:
    """The fault's words and those of its causes: Hydra hides OmegaConf's reason behind its own."""
    while fault is not None:
        yield str(fault)
        fault = fault.__cause__


def _unknown_key(full_key: str) -> str:
    """The message for a setting that does not exist; the known ones are those of the files of its group."""
    group, _, key = full_key.rpartition(".")
    known = sorted(_keys(group))
    where = f"{group} takes {', '.join(known)}" if group else f"the settings are {', '.join(known)}"
    chosen = " (those of all its choices; see --help)" if (config_dir() / group).is_dir() and group else ""
    return f"{full_key}: there is no such setting; {nearest(key or full_key, known)}{where}{chosen}"


def _keys(group: str) -> set[str]:
    from omegaconf import DictConfig, OmegaConf

    root = OmegaConf.create((config_dir() / "train.yaml").read_text())
    assert isinstance(root, DictConfig)
    if not group:
        return {str(key) for key in root if key not in ("defaults", "hydra")} | {
            path.name for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"
        }
    keys = {str(key) for key in root.get(group) or {}}
    for path in (config_dir() / group).glob("*.yaml"):
        keys |= {str(key) for key in OmegaConf.load(path) if key != "defaults"}
    return keys - {"name"}
