"""The arms of a study: what its cells differ by, seeds, data sets and networks apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from poolab.per_slot import by_slot
from poolab.records.identity import NOT_IDENTITY, below, flatten
from poolab.study.cells import assignments
from poolab.study.printable import one_line
from poolab.study.sweep_file import Study

# What the cells of one arm may differ by; the last two have tables of their own.
NOT_ARM = (*NOT_IDENTITY, "seed", "measure", "data.name", "backbone.name")
AT = "pooling.at."
GROUPS = ("pooling", "head", "backbone", "data", "optim", "trainer", "measure")


def label_arms(study: Study, configs: Sequence[Mapping[str, Any]], extra: Sequence[str] = ()) -> list[str]:
    """The arm of each configuration: the pooling's name where it is swept, and what else the study varies.

    >>> from poolab.configuration import compose
    >>> from poolab.study import read_study
    >>> label_arms(read_study("sweeps/slots.yaml"), [compose(["pooling=avg", "pooling.slots=[pool1]"])])
    ['avg slots=[pool1]']
    """
    replaced = {key for key, _ in assignments(extra)}
    keys = [p.name for p in study.parameters if p.name not in replaced and len(p.values) != 1]
    slots = {f"{AT}{slot}" for config in configs for slot in by_slot(config["pooling"].get("at") or {})}
    names = [f"{key}.name" if key in GROUPS or key in slots else key for key in keys]
    names = [name for name in names if not below(name, NOT_ARM)]
    settings = [flatten(config) for config in configs]
    return _told_apart([_label(one, names) for one in settings], settings)


def _label(settings: Mapping[str, Any], names: Sequence[str]) -> str:
    """The poolings' names, then the options that vary; without either, the pooling."""
    parts = [str(settings[name]) for name in names if name in ("pooling.name", "head.name")]
    for name in names:
        if name.startswith(AT) or not name.endswith(".name"):
            parts.append(f"{_short(name)}={_value(settings, name)}")
        elif name not in ("pooling.name", "head.name"):
            parts.append(str(settings[name]))
    return " ".join(parts) or str(settings["pooling.name"])


def _short(key: str) -> str:
    """A setting in a label: k of pooling.k, pool1 of pooling.at.pool1.name, pool1.k of pooling.at.pool1.k."""
    return key.removeprefix(AT).removesuffix(".name") if key.startswith(AT) else key.removeprefix("pooling.")


def _told_apart(labels: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Labels with the options of the pooling that differ below one label: avg_topk and its preset avg_topk_k3."""
    options: dict[str, dict[str, set[str]]] = {}
    for label, own in zip(labels, settings, strict=True):
        for key in own:
            if key.startswith("pooling.") and not below(key, NOT_ARM):
                options.setdefault(label, {}).setdefault(key, set()).add(repr(own[key]))
    differing = {label: [key for key, values in found.items() if len(values) > 1] for label, found in options.items()}
    said = [
        [label, *(f"{_short(key)}={_value(own, key)}" for key in differing.get(label, []))]
        for label, own in zip(labels, settings, strict=True)
    ]
    return [one_line(" ".join(dict.fromkeys(words))) for words in said]


def _value(settings: Mapping[str, Any], name: str) -> str:
    own = settings.get(name)
    if isinstance(own, list | tuple):
        return "[" + ",".join(map(str, own)) + "]"
    if own is None and name not in settings:  # a mapping, which flatten took apart
        return ",".join(
            f"{key.removeprefix(f'{name}.')}:{value}" for key, value in settings.items() if below(key, [name])
        )
    return "null" if own is None else f"{own:g}" if isinstance(own, float) else str(own)
