"""Explain what Hydra and OmegaConf raise: with the choices and settings that there are, and the nearest names."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from poolab.configuration.choices import choices, common_keys, groups, is_preset, own_keys
from poolab.configuration.offered import own_node
from poolab.errors import nearest
from poolab.own_code import ENTRY_POINTS, entry_points, is_own

HOMES = {"pooling": "head", "head": "pooling"}  # the other group, in which a method may be

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
    known, home = [*choices(group), *(entry_points(group) if group in ENTRY_POINTS else ())], HOMES.get(group, "")
    if group == "data" and "/" in name:
        return f"data={name}: a folder is not a choice: write data=image_folder data.root={name}"
    if name == "own" and home == "head":
        why = "to keep the backbone's own pooling write pooling.name=own; "
    elif home and name in choices(home):
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
    others = [choice for choice in choices(home) if choice not in known]
    words = nearest(name, [*known, *others]) if name.islower() else ""
    if not words:  # it may be the name of a class; the registry, and torch with it, is loaded only for this
        from poolab.pooling.registry import hint

        words = hint(name, [*known, *others])
    return re.sub(r"\w+", lambda word: f"{home}={word[0]}" if word[0] in others else word[0], words)


def _unknown_key(full_key: str, node: Mapping[Any, Any] | None = None) -> str:
    """Return the message for a setting that does not exist, with the settings of what was chosen in its group.

    If the choice is not known, list the settings of all choices of the group.
    """
    group, _, key = full_key.rpartition(".")
    common = sorted(common_keys(group))
    by_choice = {name: own_keys(group, name) for name in choices(group)} if group else {}
    chosen = str(node.get("name")) if node else ""
    if group in ENTRY_POINTS and chosen not in by_choice and is_own(chosen, group):
        by_choice[chosen] = set(own_node(group, chosen)) - {"name"}
    if chosen not in by_choice:
        known = sorted({*common, *(key for keys in by_choice.values() for key in keys)})
        where = f"{group} takes {', '.join(known) or 'none'}" if group else f"the settings are {', '.join(known)}"
        note = " (those of all its choices; see --help)" if by_choice and known else ""
        hint = "" if group else _meant(key)
        return f"{full_key}: there is no such setting; {hint or nearest(key, known)}{where}{note}"
    own = sorted(by_choice[chosen])
    owners = [name for name, keys in by_choice.items() if key in keys and name != chosen and not is_preset(group, name)]
    if key in own:  # the name alone was changed, and the settings are those of another choice
        hint = f"choose with {group}={chosen} instead of {group}.name={chosen}, which brings no settings; "
    elif owners:
        hint = f"{key} is for {group}={' or '.join(owners)}; "
    else:
        hint = nearest(key, [*own, *common])
    takes = f"{group}={chosen} takes {', '.join(own) or 'no settings of its own'}"
    also = f", and every {group} takes {', '.join(common)}" if common else ""
    return f"{full_key}: there is no such setting; {hint}{takes}{also}"


def _meant(key: str) -> str:
    """Return the settings of the groups that are called so, or that other tools call so; empty without one."""
    if key in OTHER_NAMES:
        return f"did you mean {OTHER_NAMES[key]}? "
    owners = [
        f"{group}.{key}"
        for group in groups()
        if key in common_keys(group) or any(key in own_keys(group, name) for name in choices(group))
    ]
    return f"did you mean {' or '.join(owners)}? " if owners else ""
