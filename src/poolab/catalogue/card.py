"""The card of a method: all that is to be known before it is used, read off its class and counted."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poolab import pooling
from poolab.catalogue.chosen import known
from poolab.catalogue.cost import measured
from poolab.configuration import config_dir
from poolab.own_code import is_own
from poolab.pooling import Pool, WindowPool2d
from poolab.pooling.core import Option, parsed
from poolab.pooling.functional import has_twin
from poolab.pooling.registry import SIBLINGS

GROUPS = {"window": "pooling", "global": "head"}  # the folder of conf/ where a role's configurations lie
ROLES = {
    "window": "a window method",
    "global": "a head: the whole map to a size that does not depend on it",
    "channel": "a channel method: pools across the channels",
    "same": "a same-size method",
}
LEARNS = {"never": "learns nothing", "option": "learns by an option", "always": "learns"}
SIZES = {
    "window": "as torch.nn.MaxPool2d gives for the same arguments",
    "global": "does not depend on the map",
    "channel": "that of the map",
    "same": "that of the map",
}
CHANNELS = {
    "never": "",
    "option": "; some options need channels=..., the number of channels of the input (a network sets it for its slots)",
    "always": "; needs channels=..., the number of channels of the input (a network sets it for its slots)",
}


@dataclass(frozen=True)
class OptionRow:
    """One option: its default, its allowed values, and its meaning."""

    name: str
    default: str
    allowed: str
    meaning: str


@dataclass(frozen=True)
class Card:
    """The content of a method's card; `render` makes text or Markdown of it.

    Attributes:
        name, class_name: the stem and the class.
        kind: its role, whether it is random and whether it learns.
        formula: what it computes, one sentence.
        details: further paragraphs of its documentation.
        options: the method's own.
        use: how it is called and what it does to a map; short entries by their heading.
        cost: what it needs, and `measured_on` with what.
        disagreements: how public implementations differ, a sentence each.
        exempt: what the conformance suite does not ask of it, and why.
        example: a doctest.
    """

    name: str
    class_name: str
    kind: str
    formula: str
    details: tuple[str, ...]
    options: tuple[OptionRow, ...]
    use: Mapping[str, str]
    cost: Mapping[str, str]
    measured_on: str
    disagreements: tuple[str, ...]
    exempt: Mapping[str, str]
    example: str


def card(name: str, /, **given: Any) -> Card:
    """Return the card of a method; the cost is that of the given options.

    Raises:
        ConfigError: no such method, or options that it does not take or that do not fit the map of the cost.

    >>> card("avg_topk", k=3, kernel_size=3).measured_on
    'AvgTopKPool2d(kernel_size=3, stride=3, k=3), a float32 map (2, 64, 16, 16)'
    """
    cls = known(name)
    text, cost = parsed(cls), measured(cls, given)
    random = "random in training" if cls.random else "deterministic"
    return Card(
        name=name,
        class_name=cls.__name__,
        kind=f"{ROLES[cls.role]}; {random}; {LEARNS[cls.learns]}",
        formula=text.formula,
        details=text.details,
        options=tuple(_row(each, option, text.arguments.get(each, "")) for each, option in cls.options.items()),
        use={title: fact for title, fact in _use(cls).items() if fact},
        cost={
            "parameters": cost.parameters,
            "kept for backward": f"{cost.saved:.4g} bytes per input element, beyond the input itself",
            "output": str(cost.output),
        },
        measured_on=f"{cost.made}, a float32 map {cost.input}",
        disagreements=cls.disagreements,
        exempt=dict(cls.exempt),
        example=text.example,
    )


def _row(name: str, option: Option, meaning: str) -> OptionRow:
    return OptionRow(name, written(option.default), allowed(option), meaning)


def allowed(option: Option) -> str:
    """Return the allowed values of an option, in the words of its refusal.

    >>> from poolab.pooling.core.options import Choice, Integer, Real
    >>> allowed(Integer(2, within_window=True)), allowed(Real(None, least=0.0)), allowed(Choice("a", ("a", "b")))
    ('an int from 1 to the number of taps of the window', 'a number >= 0, or null', "one of 'a', 'b'")
    """
    refused = object()  # a value that no option allows
    words = str(option.fault(refused, None)).split(", found ")[0].removeprefix("must be ").removesuffix(" or None")
    if getattr(option, "within_window", False):
        words = re.sub(r">= (\d+)", r"from \1 to the number of taps of the window", words)
    words = words.replace("one of True, False", "true or false") + ", or inf" * getattr(option, "infinite", False)
    return f"{words}, or null" if option.fault(None, None) is None else words


def written(value: Any) -> str:
    """Return a default as a configuration writes it.

    >>> written(None), written(True), written((1, 2)), written(0.5), written("mean")
    ('null', 'true', '[1,2]', '0.5', 'mean')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(map(written, value))}]" if isinstance(value, list | tuple) else str(value)


def _use(cls: type[Pool]) -> dict[str, str]:
    return {
        "class": f"{'poolab.pooling' if hasattr(pooling, cls.__name__) else cls.__module__}.{cls.__name__}",
        "signature": f"{cls.__name__}{_signature(cls)}",
        "input": f"(N, C, H, W) or (C, H, W), any floating dtype{CHANNELS[cls.uses_channels]}",
        "output size": _output_size(cls),
        "in training": "draws random numbers" if cls.random else "the same as in evaluation",
        "in evaluation": _evaluation(cls),
        "1-d and 3-d": _dimensions(cls),
        "function": _twin(cls),
        "configuration": _configuration(cls),
        "reference": str(getattr(cls, "reference", "")),
    }


def _output_size(cls: type[Pool]) -> str:
    if "geometry" in cls.exempt:
        return cls.exempt["geometry"]
    return SIZES[cls.role] + (", at the start; it changes with what is learned" if cls.resizes else "")


def _signature(cls: type[Pool]) -> inspect.Signature:
    """Return the signature without types, which say less than the options' descriptions."""
    shown = inspect.signature(cls)
    return shown.replace(parameters=[p.replace(annotation=p.empty) for p in shown.parameters.values()])


def _evaluation(cls: type[Pool]) -> str:
    if cls.evaluates:
        return cls.evaluates
    is_expectation = cls.random and "expectation" not in cls.exempt
    return "deterministic: the expectation of the training draws" if is_expectation else "deterministic"


def _dimensions(cls: type[Pool]) -> str:
    if is_own(cls.name, "pooling") and issubclass(cls, WindowPool2d) and "dimensions" not in cls.exempt:
        return f"create_pool({cls.name!r}, dims=1, ...), and dims=3"
    names = [SIBLINGS[cls.name, dims].__name__ for dims in (1, 3) if (cls.name, dims) in SIBLINGS]
    return ", ".join(names) or f"none: {cls.exempt.get('dimensions', 'only window methods have them')}"


def _twin(cls: type[Pool]) -> str:
    if is_own(cls.name, "pooling"):
        return ""
    twin = f"poolab.pooling.functional.{cls.name}_pool{cls.dims}d"
    return twin if has_twin(cls) else "none: the layer holds what the formula needs (parameters or buffers)"


def _configuration(cls: type[Pool]) -> str:
    group = GROUPS.get(cls.role, "")
    file = config_dir() / group / f"{cls.name}.yaml"
    if group and is_own(cls.name, "pooling"):
        return f"poolab train {group}={cls.name}"
    return f"python train.py {group}={cls.name} (conf/{group}/{file.name})" if group and file.is_file() else ""
