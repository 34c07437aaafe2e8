"""The groups of conf/, their choices, and the settings that each choice has."""

from functools import cache

from poolab.paths import config_dir


@cache
def groups() -> tuple[str, ...]:
    """Return the names of the groups of choices.

    >>> "pooling" in groups(), "hydra" in groups()
    (True, False)
    """
    return tuple(sorted(path.name for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"))


def choices(group: str) -> list[str]:
    """Return the names of a group's files.

    >>> choices("optim")
    ['adam', 'adamw', 'sgd']
    """
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def common_keys(group: str) -> set[str]:
    """Return the settings of every choice of a group; without a group, those of the run."""
    from omegaconf import DictConfig, OmegaConf

    root = OmegaConf.create((config_dir() / "train.yaml").read_text())
    assert isinstance(root, DictConfig)
    if group:
        return {str(key) for key in root.get(group) or {}} - {"name"}
    return {*map(str, root), *groups()} - {"defaults", "hydra"}


def own_keys(group: str, name: str) -> set[str]:
    """Return the settings that the file of a choice has.

    >>> own_keys("pooling", "avg_topk")
    {'k'}
    """
    from omegaconf import OmegaConf

    return {str(key) for key in OmegaConf.load(config_dir() / group / f"{name}.yaml")} - {"name", "defaults", group}


def presets_with(group: str, key: str) -> list[str]:
    """Return the presets of a group that set an option.

    >>> presets_with("pooling", "k")
    ['avg_topk_author', 'avg_topk_k3']
    """
    return [name for name in choices(group) if is_preset(group, name) and key in own_keys(group, name)]


def is_preset(group: str, name: str) -> bool:
    """Return whether a choice is another one of its group with other options, as avg_topk_k3 is of avg_topk."""
    from omegaconf import OmegaConf

    return "name" not in OmegaConf.load(config_dir() / group / f"{name}.yaml")
