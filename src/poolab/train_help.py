"""The help of `poolab train`: choices, and each setting with its value and what conf/ says about it, in 80 columns."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from poolab.configuration import choices_of, config_dir
from poolab.records import value_words
from poolab.setting_notes import choice, common

WIDTH = 80
KEY = 34  # columns of `key=value`
INTRODUCTION = """\
poolab train: train, measure and record one CNN with a chosen pooling.

  {command} pooling=avg_topk pooling.k=3 seed=1
      another pooling, one of its options, another seed
  {command} -m pooling=max,avg,avg_topk seed=0,1,2
      all nine combinations, one run after the other
  {command} task=segmentation
      segmentation: a U-Net on drawn shapes
  {command} pooling=gem --help
      the settings that a choice has
"""
END = """\
Change any setting with key=value, e.g. optim.lr=0.01 trainer.epochs=3.
--cfg job prints the whole configuration and does not run; --version prints the
versions; --hydra-help lists Hydra's own options.
"""


def train_help(settings: Sequence[str] = (), program: str = "train.py") -> str:
    """Return the help for the choices that some settings make.

    Args:
        settings: `key=value` each, as on the command line.
        program: the name of the command.

    Raises:
        ConfigError: a setting that does not fit the tree.

    >>> "  pooling.k=2                       number of taps, 1 to the" in train_help(["pooling=avg_topk"])
    True
    """
    config, chosen = choices_of(settings)
    command = "python train.py" if program.endswith(".py") else program
    parts = [INTRODUCTION.format(command=command), "== Choices: group=name ==", *_choices()]
    parts += ["", "== Settings: key=value, as they are now =="]
    roots = {key: value for key, value in config.items() if not isinstance(value, Mapping)}
    notes = {"task": "what is learned: chosen as above"} | {key: note for key, (_, note) in common().items()}
    parts += list(_lines(roots, notes))
    for group in sorted(set(config) - set(roots)):
        parts += ["", *_group(group, config[group], chosen.get(group, ""))]
    return "\n".join([*parts, "", END])


def _choices() -> Iterator[str]:
    groups = [path for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"]
    for group in sorted(groups):
        names = sorted(path.stem for path in group.glob("*.yaml"))
        names += ["torchvision/<name>", "timm/<name>"] if group.name == "backbone" else []
        yield textwrap.fill(f"{group.name}: {', '.join(names)}", WIDTH, subsequent_indent="    ", **_WHOLE)


def _group(group: str, values: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield what was chosen in a group, and its settings."""
    known = name in {path.stem for path in (config_dir() / group).glob("*.yaml")}
    about = f": {choice(group, name).about}" if known and choice(group, name).about else ""
    yield textwrap.fill(f"[{group}={name}]{about}", WIDTH, **_WHOLE)
    shown = {f"{group}.{key}": value for key, value in values.items() if key != "name"}
    yield from _lines(shown, {**_notes(group), **(_own_notes(group, name) if known else {})})


def _notes(group: str) -> dict[str, str]:
    """Return the notes of all choices of a group: that of a network of torchvision stands in another one's file."""
    files = sorted((config_dir() / group).glob("*.yaml"))
    notes = {key: note for key, (_, note) in common().items()}
    for file in files:
        notes = {**_own_notes(group, file.stem), **notes}
    return notes


def _own_notes(group: str, name: str) -> dict[str, str]:
    # A recipe sets other groups too: its settings have dotted names already.
    return {key if "." in key else f"{group}.{key}": note for key, note in choice(group, name).notes.items()}


def _lines(values: Mapping[str, Any], notes: Mapping[str, str]) -> Iterator[str]:
    for key, value in values.items():
        word = f"  {key}={_written(value)}"
        note = notes.get(key, "")
        if len(word) >= KEY + 2:
            yield word
            word = ""
        indent = " " * (KEY + 2)
        first = word.ljust(KEY + 2)
        yield textwrap.fill(note, WIDTH, initial_indent=first, subsequent_indent=indent, **_WHOLE) if note else word


def _written(value: Any) -> str:
    return value_words(value) if value is None or isinstance(value, bool | list | tuple | Mapping) else str(value)


_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
