"""The arms of a study: the settings in which its cells differ, without seeds, data sets and networks."""

from collections.abc import Mapping, Sequence
from typing import Any

from poolab.per_slot import by_slot
from poolab.records import AT, NOT_IDENTITY, arm_labels, below, flatten, words_of
from poolab.study.sweep.cells import assignments
from poolab.study.sweep.sweep_file import Study

# What the cells of one arm may differ by; the last two have tables of their own.
NOT_ARM = (*NOT_IDENTITY, "seed", "measure", "data.name", "backbone.name")
# The same settings with other files are other arms, where the study lists the files.
FILES = ("backbone.weights", "recipe.checkpoint")
GROUPS = ("pooling", "head", "backbone", "data", "optim", "trainer", "measure")
CHOSEN = ("pooling", "head")  # make an arm with all their settings: avg_topk and its preset avg_topk_k3 are two


def label_arms(study: Study, configs: Sequence[Mapping[str, Any]], extra: Sequence[str] = ()) -> list[str]:
    """Return the name of each configuration's arm: its pooling, and what else the study varies.

    >>> from poolab.configuration import compose
    >>> from poolab.study import read_study
    >>> study = read_study("sweeps/slots.yaml")
    >>> label_arms(study, [compose(["pooling=avg", f"pooling.slots=[{slot}]"]) for slot in ("pool1", "pool2")])
    ['avg slots=[pool1]', 'avg slots=[pool2]']
    """
    names = (*CHOSEN, *_varied(study, configs, extra))
    arms = [tuple(words_of(_arm(flatten(config), names)).items()) for config in configs]
    distinct = list(dict.fromkeys(arms))
    labels = dict(zip(distinct, arm_labels([dict(arm) for arm in distinct]), strict=True))
    return [labels[arm] for arm in arms]


def _varied(study: Study, configs: Sequence[Mapping[str, Any]], extra: Sequence[str]) -> list[str]:
    """Return the settings that a study varies; for a group, the name of its choice."""
    replaced = {key for key, _ in assignments(extra)}
    keys = [p.name for p in study.parameters if p.name not in replaced and len(p.values) != 1]
    slots = {f"{AT}{slot}" for config in configs for slot in by_slot(config["pooling"].get("at") or {})}
    names = [f"{key}.name" if key in GROUPS or key in slots else key for key in keys]
    return [name for name in names if name in FILES or not below(name, NOT_ARM)]


def _arm(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the settings that make an arm."""
    return {key: value for key, value in settings.items() if below(key, names)}
