"""Check a whole configuration before anything is loaded or built, and report all errors at once."""

from collections.abc import Mapping
from typing import Any

from poolab.data import list_data
from poolab.errors import ConfigError, nearest
from poolab.own_code import CODE, find_own, is_own
from poolab.pooling.core import Option
from poolab.run_config import RunConfig
from poolab.training.settings.automatic import with_automatic
from poolab.training.settings.faults import declared_faults, typed, where_words
from poolab.training.settings.kinds import Code
from poolab.training.settings.network import network_faults, options_of
from poolab.training.settings.tables import (
    DATA,
    GROUPS,
    MEASURES,
    OPTIMIZERS,
    OPTIONAL,
    RECIPES,
    ROOT,
    ROOTS,
    TRACKERS,
    TRAINER,
    Table,
)
from poolab.training.tasks import TASKS, check_task

# How a group is left out, where that can be meant.
WITHOUT = {"tracker": "for none write tracker=none", "head": "for the backbone's own write head=own"}
KINDS: dict[str, Mapping[str, Table]] = {
    "measure": MEASURES,
    "optim": OPTIMIZERS,
    "tracker": TRACKERS,
    "recipe": RECIPES,
    "data": dict.fromkeys(list_data(), DATA),
}


def check_settings(config: Mapping[str, Any]) -> None:
    """Check the settings of a run, and that task, backbone, data set and the number of processes fit.

    Raises:
        ConfigError: every fault, each on its line: the setting, what is allowed, what was found, how to mend it.
    """
    faults = setting_faults(config)
    if not faults:
        try:
            check_task(config["task"], backbone=config["backbone"]["name"], data=config["data"]["name"])
        except ConfigError as fault:
            faults.append(str(fault))
        faults += _batch_faults(config["data"]["batch_size"], config["trainer"])
    if faults:
        raise ConfigError("\n".join(faults))


def read_settings(tree: Mapping[str, Any]) -> RunConfig:
    """Check the settings of a run and return them typed; what is `auto` for the trainer has become a value.

    Args:
        tree: a resolved configuration, as `poolab.configuration.compose` gives it.

    Raises:
        ConfigError: as `check_settings`.
    """
    resolved = with_automatic(tree)
    check_settings(resolved)
    return RunConfig.from_tree(resolved)


def setting_faults(config: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the single settings, a line each, in the order of the groups."""
    return [fault for faults in faults_by_group(config).values() for fault in faults]


def faults_by_group(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong with the single settings by their group; "" has those of the run itself."""
    faults = [
        f"{key}: there is no such setting; {nearest(str(key), list(ROOT))}the settings are {', '.join(ROOT)}"
        for key in config
        if key not in ROOT
    ]
    root = {key: config[key] for key in ROOTS if key in config}
    faults += declared_faults("", ROOTS, root, needed=tuple(ROOTS))
    by_group = {"": faults, "task": _task_faults(config.get("task"))}
    by_group |= {group: _once(group, config) for group in (*GROUPS, "recipe")}
    return {group: faults for group, faults in by_group.items() if faults}


def _task_faults(task: Any) -> list[str]:
    if isinstance(task, str) and task in TASKS:
        return []
    hint = nearest(task, list(TASKS)) if isinstance(task, str) else ""
    found = where_words("task", "null" if task is None else task)
    return [f"{found} is not known: {hint}task can be {', '.join(TASKS)}"]


EMBEDDED = ("digits", "shapes")  # data sets without files

# The faults of groups by their content: the cells of a study share most of theirs.
_SEEN: dict[str, list[str]] = {}


def _once(group: str, config: Mapping[str, Any]) -> list[str]:
    """Return the errors of a group; each distinct content is checked once."""
    try:
        key = f"{group} {config.get(group)!r}"
    except ValueError:  # Python writes no int of more than 4,300 digits
        return _group_faults(group, config)
    if key not in _SEEN:
        if len(_SEEN) > 10_000:
            _SEEN.clear()
        _SEEN[key] = _group_faults(group, config)
    return _SEEN[key]


def _group_faults(group: str, config: Mapping[str, Any]) -> list[str]:
    settings = config.get(group)
    if group == "recipe" and settings is None:
        return []
    try:
        return _choice_faults(group, settings)
    except ConfigError as fault:  # code outside of poolab that cannot be imported
        return [str(fault)]


def _choice_faults(group: str, settings: Any) -> list[str]:
    if not isinstance(settings, Mapping):
        found = "is missing" if settings is None else f"must be one of its choices, found {typed(settings)}"
        more = f"; {WITHOUT[group]}" if group in WITHOUT else ""
        return [f"{group} {found}: choose one with {group}=NAME (--help lists them){more}"]
    if group in ("pooling", "head", "backbone"):
        return network_faults(group, settings)
    if group == "trainer":
        return declared_faults(group, TRAINER, settings, needed=tuple(TRAINER))
    return _faults_by_name(group, KINDS[group], settings)


def _faults_by_name(group: str, kinds: Mapping[str, Table], settings: Mapping[str, Any]) -> list[str]:
    given = dict(settings)
    name = given.pop("name", None)
    if group == "data" and is_own(name, group):
        kinds = {**kinds, str(name): {**DATA, CODE: Code(find_own(str(name), group))}}
    if not isinstance(name, str) or name not in kinds:
        hint = nearest(name, list(kinds)) if isinstance(name, str) else ""
        return [
            f"{group}.name must be one of {', '.join(kinds)}, found {typed(name)}{'; ' + hint if hint else ''}".strip()
        ]
    needed = [key for key in kinds[name] if key not in OPTIONAL.get(group, ())]
    faults = declared_faults(group, kinds[name], given, needed=needed, choice="" if group == "data" else name)
    if not faults and group == "data" and name in EMBEDDED and given.get("root") is not None:
        faults = [
            f"{where_words('data.root', given['root'])}: data={name} is a part of the package and reads no folder; for "
            "images of your own write data=image_folder (image_mask_folder for images with masks), or leave it out"
        ]
    return faults


def _batch_faults(batch: int, trainer: Mapping[str, Any]) -> list[str]:
    """Return errors of the batch size that the loaders would raise late; devices=auto is left to them."""
    devices = trainer["devices"]
    count = len(devices) if isinstance(devices, list | tuple) else devices
    if not isinstance(count, int) or count <= 0 or batch % (count * trainer["num_nodes"]) == 0:
        return []
    count *= trainer["num_nodes"]
    below = batch // count * count
    choices = [str(size) for size in (below, below + count) if size > 0]
    return [
        f"data.batch_size={batch} is the batch over all processes and does not divide by {count} processes: "
        f"choose {' or '.join(choices)}"
    ]


def declared(config: Mapping[str, Any], setting: str) -> Option | None:
    """Return the declaration of a setting in a configuration, by its dotted name; None if it has none.

    >>> declared({"trainer": {}}, "trainer.epochs").describe()
    'an int from 1 to 100000'
    """
    group, _, key = setting.partition(".")
    if not key:
        return ROOTS.get(group)
    name = str((config.get(group) or {}).get("name"))
    if group == "trainer":
        table: Table | None = TRAINER
    elif group in KINDS:
        table = DATA if group == "data" and is_own(name, group) else KINDS[group].get(name)
    else:
        table = options_of(group, name)
    return (table or {}).get(key)
