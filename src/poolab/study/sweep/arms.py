"""The arms of a study: what its cells differ by, seeds, data sets and networks apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from poolab.per_slot import by_slot
from poolab.records import AT, BARE, NOT_IDENTITY, below, flatten, setting_words, value_words
from poolab.study.sweep.cells import assignments
from poolab.study.sweep.sweep_file import Study
from poolab.text import one_line

# What the cells of one arm may differ by; the last two have tables of their own.
NOT_ARM = (*NOT_IDENTITY, "seed", "measure", "data.name", "backbone.name")
# The same settings with other files are other arms, where the study lists the files.
FILES = ("backbone.weights", "recipe.checkpoint")
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
    names = [name for name in names if name in FILES or not below(name, NOT_ARM)]
    settings = [flatten(config) for config in configs]
    return _told_apart([_label(one, names) for one in settings], settings)


def _label(settings: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the poolings' names, then the options that vary; without either, the pooling."""
    first = [name for name in names if name in BARE]
    rest = [name for name in names if name not in BARE]
    parts = [setting_words(name, _value(settings, name)) for name in (*first, *rest)]
    return " ".join(parts) or value_words(settings["pooling.name"])


def _told_apart(labels: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Labels with the options of the pooling that differ below one label: avg_topk and its preset avg_topk_k3."""
    options: dict[str, dict[str, set[str]]] = {}
    for label, own in zip(labels, settings, strict=True):
        for key in own:
            if key.startswith("pooling.") and not below(key, NOT_ARM):
                options.setdefault(label, {}).setdefault(key, set()).add(repr(own[key]))
    differing = {label: [key for key, values in found.items() if len(values) > 1] for label, found in options.items()}
    said = [
        [label, *(setting_words(key, _value(own, key)) for key in differing.get(label, []))]
        for label, own in zip(labels, settings, strict=True)
    ]
    return [one_line(" ".join(dict.fromkeys(words))) for words in said]


def _value(settings: Mapping[str, Any], name: str) -> Any:
    if name in settings:
        return settings[name]
    # A mapping, which flatten took apart.
    return {key.removeprefix(f"{name}."): value for key, value in settings.items() if below(key, [name])} or None
