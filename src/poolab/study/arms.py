"""The arms of a study: what its cells differ by, seeds, data sets and networks apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from poolab.records.identity import NOT_IDENTITY, below, flatten
from poolab.study.cells import assignments
from poolab.study.sweep_file import Study

# What the cells of one arm may differ by; the last two have tables of their own.
NOT_ARM = (*NOT_IDENTITY, "seed", "measure", "data.name", "backbone.name")
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
    names = [f"{key}.name" if key in GROUPS else key for key in keys]
    names = [name for name in names if not below(name, NOT_ARM)]
    return [_label(flatten(config), names) for config in configs]


def _label(settings: Mapping[str, Any], names: Sequence[str]) -> str:
    """The poolings' names, then the options that vary; without either, the pooling."""
    parts = [str(settings[name]) for name in names if name in ("pooling.name", "head.name")]
    for name in names:
        if name.endswith(".name") and name not in ("pooling.name", "head.name"):
            parts.append(str(settings[name]))
        elif not name.endswith(".name"):
            parts.append(f"{name.removeprefix('pooling.')}={_value(settings, name)}")
    return " ".join(parts) or str(settings["pooling.name"])


def _value(settings: Mapping[str, Any], name: str) -> str:
    own = settings.get(name)
    if isinstance(own, list | tuple):
        return "[" + ",".join(map(str, own)) + "]"
    if own is None and name not in settings:  # a mapping, which flatten took apart
        return ",".join(
            f"{key.removeprefix(f'{name}.')}:{value}" for key, value in settings.items() if below(key, [name])
        )
    return "null" if own is None else f"{own:g}" if isinstance(own, float) else str(own)
