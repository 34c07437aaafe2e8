"""The tree of configuration files: where it is, a configuration composed from it, and explained errors."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from poolab.errors import ConfigError, nearest
from poolab.hydra_words import readable
from poolab.own_code import ENTRY_POINTS, entry_points, find_own, is_own, own_options, with_code
from poolab.paths import config_dir, expanded_path, with_expanded_paths
from poolab.per_slot import for_hydra, resolved
from poolab.records import RENAMED_SETTINGS

__all__ = [
    "check_launcher",
    "choices_of",
    "compose",
    "config_dir",
    "current_setting",
    "expanded_path",
    "explain",
    "plain",
    "prepared",
    "with_expanded_paths",
]

# The plugin and the extra of hydra/launcher=...
LAUNCHERS = {"ray": ("hydra_ray_launcher", "ray"), "slurm": ("hydra_submitit_launcher", "slurm")}
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
HOMES = {"pooling": "head", "head": "pooling"}  # the other group, in which a method may be


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
    _offer_networks(words)
    _offer_own_code(words)
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


@cache
def groups() -> tuple[str, ...]:
    """Return the names of the groups of choices.

    >>> "pooling" in groups(), "hydra" in groups()
    (True, False)
    """
    return tuple(sorted(path.name for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"))


def _offer_networks(overrides: Sequence[str]) -> None:
    """Make choices of the networks of torchvision and timm that are asked for: no file lists their 1,400 names."""
    from hydra.core.config_store import ConfigStore

    asked = [override.partition("=")[2] for override in overrides if override.startswith("backbone=")]
    for library, name in re.findall(r"\b(torchvision|timm)/([\w.]+)", " ".join(asked)):
        node = {"name": f"{library}/{name}", "pretrained": False, "weights": None}
        ConfigStore.instance().store(group=f"backbone/{library}", name=name, node=node)


def _offer_own_code(overrides: Sequence[str]) -> None:
    """Make choices of the import paths and entry points that are asked for, with the settings that they take.

    Raises:
        ConfigError: one of them cannot be imported, or is not what its group takes.
    """
    from hydra.core.config_store import ConfigStore

    for override in overrides:
        group, _, value = override.lstrip("+").partition("=")
        if group not in ENTRY_POINTS:
            continue
        known = _choices(group)
        for name in filter(None, re.split(r"[\s,()\[\]'\"]+", value)):
            if name not in known and is_own(name, group):
                ConfigStore.instance().store(group=group, name=name, node=_own_node(group, name))


def _own_node(group: str, name: str) -> dict[str, Any]:
    """Return what would stand in the file of a choice of own code."""
    if group == "data":
        find_own(name, group)
        return {"name": name, **OWN_DATA}
    return {"name": name, **own_options(name, group)}


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


def explain(fault: BaseException) -> str:
    """Explain an error of Hydra or OmegaConf: add similar names, and leave out the advice to append an unknown key."""
    text = "\n".join(_chain(fault))
    choice = re.search(r"Could not find '([^'/]+)/([^']+)'", text)
    if choice:
        return _unknown_choice(*choice.groups())
    key = re.search(r"Key '([^']+)' is not in struct\s+full_key: (\S+)", text)
    if key:
        return _unknown_key(key.group(2), next(_nodes(fault), None))
    group_key = re.search(r"Could not override '([^']+)'\. No match in the defaults list", text)
    if group_key:
        return _unknown_key(group_key.group(1))
    merged = re.search(r"Error merging override ([^=\s]+)=(.*)", text)
    if merged:
        why = "a single value, a list and a mapping cannot replace each other"
        return f"{merged[1]}={merged[2][:80]}: {why}: the setting must have the form that --cfg job shows"
    return "\n".join(line for line in str(fault).splitlines() if "append to your" not in line)


def _chain(fault: BaseException | None) -> Iterator[str]:
    """Yield the messages of a fault and its causes: Hydra hides OmegaConf's reason behind its own."""
    while fault is not None:
        yield str(fault)
        fault = fault.__cause__


def _nodes(fault: BaseException | None) -> Iterator[Mapping[Any, Any]]:
    """Yield the settings, as composed so far, that lack the key which OmegaConf looked for in them."""
    while fault is not None:
        node = getattr(fault, "parent_node", None)
        if isinstance(node, Mapping):
            yield node
        fault = fault.__cause__


def _of_libraries(group: str, name: str) -> str:
    """Return how a network of torchvision or timm is written that has this name; empty without one."""
    if group != "backbone":
        return ""
    from importlib.util import find_spec

    from torchvision.models import list_models

    found = [f"torchvision/{name}"] if name in list_models() else []
    if find_spec("timm"):
        import timm

        found += [f"timm/{name}"] if timm.is_model(name) else []
    return f"write backbone={' or backbone='.join(found)}; " if found else ""


def _unknown_choice(group: str, name: str) -> str:
    """Return the message for a choice that does not exist, or that belongs to the other group."""
    known, home = [*_choices(group), *(entry_points(group) if group in ENTRY_POINTS else ())], HOMES.get(group, "")
    if group == "data" and "/" in name:
        return f"data={name}: a folder is not a choice: write data=image_folder data.root={name}"
    if name == "own" and home == "head":
        why = "to keep the backbone's own pooling write pooling.name=own; "
    elif home and name in _choices(home):
        why = f"{name} is {'a head' if home == 'head' else 'no head'}: write {home}={name}; "
    else:
        why = f"there is no such choice; {_of_libraries(group, name) or _near(name, known, home)}"
    more = ", torchvision/<name>, timm/<name>" if group == "backbone" else ""
    more += {"data": ", or MODULE:NAME for a function of your own"}.get(group, ", or MODULE:CLASS for one of your own")
    more = more if group in ENTRY_POINTS else ""
    return f"{group}={name}: {why}{group} can be {', '.join(known)}{more}"


def _near(name: str, known: list[str], home: str) -> str:
    if not home:
        return nearest(name, known)
    others = [choice for choice in _choices(home) if choice not in known]
    words = nearest(name, [*known, *others]) if name.islower() else ""
    if not words:  # it may be the name of a class; the registry, and torch with it, is loaded only for this
        from poolab.pooling.registry import hint

        words = hint(name, [*known, *others])
    return re.sub(r"\w+", lambda word: f"{home}={word[0]}" if word[0] in others else word[0], words)


def _choices(group: str) -> list[str]:
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def _unknown_key(full_key: str, node: Mapping[Any, Any] | None = None) -> str:
    """Return the message for a setting that does not exist, with the settings of what was chosen in its group.

    If the choice is not known, list the settings of all choices of the group.
    """
    group, _, key = full_key.rpartition(".")
    common = sorted(_common(group))
    choices = {name: _keys(group, name) for name in _choices(group)} if group else {}
    chosen = str(node.get("name")) if node else ""
    if group in ENTRY_POINTS and chosen not in choices and is_own(chosen, group):
        choices[chosen] = set(_own_node(group, chosen)) - {"name"}
    if chosen not in choices:
        known = sorted({*common, *(key for keys in choices.values() for key in keys)})
        where = f"{group} takes {', '.join(known) or 'none'}" if group else f"the settings are {', '.join(known)}"
        note = " (those of all its choices; see --help)" if choices and known else ""
        hint = "" if group else _meant(key)
        return f"{full_key}: there is no such setting; {hint or nearest(key, known)}{where}{note}"
    own = sorted(choices[chosen])
    owners = [name for name, keys in choices.items() if key in keys and name != chosen and not _preset(group, name)]
    if key in own:  # the name alone was changed, and the settings are those of another choice
        hint = f"choose with {group}={chosen} instead of {group}.name={chosen}, which brings no settings; "
    elif owners:
        hint = f"{key} is for {group}={' or '.join(owners)}; "
    else:
        hint = nearest(key, [*own, *common])
    takes = f"{group}={chosen} takes {', '.join(own) or 'no settings of its own'}"
    also = f", and every {group} takes {', '.join(common)}" if common else ""
    return f"{full_key}: there is no such setting; {hint}{takes}{also}"


# What other tools call a setting.
OTHER_NAMES = {
    **dict.fromkeys(("model", "net", "network", "arch"), "backbone"),
    **dict.fromkeys(("dataset", "datamodule"), "data"),
    **dict.fromkeys(("gpu", "gpus"), "trainer.devices"),
    **dict.fromkeys(("device", "cuda"), "trainer.accelerator"),
    **dict.fromkeys(("epoch", "max_epochs", "num_epochs"), "trainer.epochs"),
    **dict.fromkeys(("batch", "bs"), "data.batch_size"),
    **dict.fromkeys(("learning_rate", "wd"), "optim.lr or optim.weight_decay"),
}


def _meant(key: str) -> str:
    """Return the settings of the groups that are called so, or that other tools call so; empty without one."""
    if key in OTHER_NAMES:
        return f"did you mean {OTHER_NAMES[key]}? "
    owners = [
        f"{group}.{key}"
        for group in groups()
        if key in _common(group) or any(key in _keys(group, name) for name in _choices(group))
    ]
    return f"did you mean {' or '.join(owners)}? " if owners else ""


def _common(group: str) -> set[str]:
    """Return the settings of every choice of a group; without a group, those of the run."""
    from omegaconf import DictConfig, OmegaConf

    root = OmegaConf.create((config_dir() / "train.yaml").read_text())
    assert isinstance(root, DictConfig)
    if group:
        return {str(key) for key in root.get(group) or {}} - {"name"}
    groups = {path.name for path in config_dir().iterdir() if path.is_dir()}
    return ({str(key) for key in root if key != "defaults"} | groups) - {"hydra"}


def _keys(group: str, name: str) -> set[str]:
    from omegaconf import OmegaConf

    return {str(key) for key in OmegaConf.load(config_dir() / group / f"{name}.yaml")} - {"name", "defaults", group}


def presets_with(group: str, key: str) -> list[str]:
    """Return the presets of a group that set an option.

    >>> presets_with("pooling", "k")
    ['avg_topk_author', 'avg_topk_k3']
    """
    return [name for name in _choices(group) if _preset(group, name) and key in _keys(group, name)]


def _preset(group: str, name: str) -> bool:
    """Return whether a choice is another one of its group with other options, as avg_topk_k3 is of avg_topk."""
    from omegaconf import OmegaConf

    return "name" not in OmegaConf.load(config_dir() / group / f"{name}.yaml")
