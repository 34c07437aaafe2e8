"""The page of all settings: values and words from conf/, allowed values from the check of the settings."""

from collections.abc import Mapping

import yaml

from poolab.catalogue.card import allowed
from poolab.configuration import config_dir
from poolab.pooling import get_pool
from poolab.pooling.core import Option
from poolab.setting_notes import choice, common
from poolab.training.settings import DATA, MEASURES, OPTIMIZERS, RECIPES, ROOTS, TRACKERS, TRAINER, options_of

INTRODUCTION = """# Configuration

*Made from `conf/` and from the check of the settings.*

A run is described by settings. Choose one file of a group with `group=name` (`pooling=avg_topk`), change one setting
with `group.key=value` (`pooling.k=3`). The command line, study files and `poolab.run` take the same names and check
the same bounds before anything is loaded. `python train.py --help` prints the settings of a run with their values.
`null` means "not set".

```sh
python train.py --help                          # all settings of the default run
python train.py pooling=gem data=cifar10 --help # the settings that these choices have
```
"""
GROUPS = {
    "pooling": "The pooling in the network's slots. Each pooling also takes the geometry above.",
    "head": "What turns the last map into features.",
    "backbone": "The network. `backbone=torchvision/NAME` and `backbone=timm/NAME` take any one of these libraries.",
    "data": "The images. Every data set takes the same settings; the defaults differ.",
    "task": "What is learned.",
    "optim": "The optimiser and the schedule of its learning rate.",
    "trainer": "Devices, precision, and the length of the training.",
    "measure": "What is measured after the training.",
    "tracker": "Where the run is logged beside its record.",
    "recipe": "How the run starts.",
}
KINDS: dict[str, Mapping[str, Mapping[str, Option]]] = {
    "optim": OPTIMIZERS,
    "measure": MEASURES,
    "recipe": RECIPES,
    "tracker": {**TRACKERS, **dict.fromkeys(("wandb_auto", "wandb_offline", "wandb_online"), TRACKERS["wandb"])},
    "trainer": dict.fromkeys(("single", "ddp", "fast"), TRAINER),
}


def page() -> str:
    """Return the page as Markdown."""
    parts = [INTRODUCTION, "## Of every run\n", _table([(key, *told) for key, told in common().items()], _of_root())]
    for group, what in GROUPS.items():
        parts += [f"## {group}\n", f"{what}\n", *_group(group)]
    return "\n".join(parts)


def _group(group: str) -> list[str]:
    names = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
    if group == "data":
        return _data(names)
    parts = []
    for name in names:
        made = choice(group, name)
        rows = [(_named(group, key), value, made.notes.get(key, "")) for key, value in made.values.items()]
        parts.append(f"### {group}={name}\n")
        parts.append(f"{_escaped(made.about)}\n")
        if rows and group != "task":
            parts.append(_table(rows, _allowed(group, name)))
    return parts


def _named(group: str, key: str) -> str:
    return key if group in ("recipe", "task") else f"{group}.{key}"


def _data(names: list[str]) -> list[str]:
    """Return one table for all data sets: they have the same settings."""
    downloaded, folder = choice("data", "cifar10"), choice("data", "image_folder")
    notes = downloaded.notes | folder.notes | {"root": f"{downloaded.notes['root']}; or your {folder.notes['root']}"}
    notes["download"] = downloaded.notes["download"]
    rows = [(f"data.{key}", _defaults(names, key), note) for key, note in notes.items() if key != "name"]
    parts = [_table(rows, _bounds("data", DATA))]
    for name in names:
        parts += [f"### data={name}\n", f"{_escaped(choice('data', name).about)}\n"]
    return parts


def _defaults(names: list[str], key: str) -> str:
    values: dict[str, list[str]] = {}
    for name in names:
        if key in choice("data", name).values:
            values.setdefault(choice("data", name).values[key], []).append(name)
    most = max(values, key=lambda value: len(values[value]))
    others = [f"{value} ({', '.join(having)})" for value, having in values.items() if value != most]
    return "; ".join([most, *others])


def _of_root() -> dict[str, str]:
    bounds = {key: _words(option) for key, option in ROOTS.items()}
    for group, name in (("pooling", "max"), ("backbone", "keras_cnn")):
        bounds |= _bounds(group, options_of(group, name) or {})
    return bounds


def _allowed(group: str, name: str) -> dict[str, str]:
    if group in ("pooling", "head"):
        method = _method(group, name)
        options = {} if method == "own" else get_pool(method).options
        return {f"{group}.{key}": allowed(option) for key, option in options.items()}
    if group == "backbone":
        return _bounds(group, options_of(group, _network(name)) or {})
    return _bounds(group, KINDS.get(group, {}).get(name, {}))


def _method(group: str, name: str) -> str:
    """Return the method of a choice; a preset has that of the choice that it begins from."""
    content = yaml.safe_load((config_dir() / group / f"{name}.yaml").read_text())
    return str(content["name"]) if "name" in content else _method(group, content["defaults"][0])


def _network(name: str) -> str:
    """Return the name by which a file of conf/backbone/ chooses its network."""
    lines = (config_dir() / "backbone" / f"{name}.yaml").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("name:"))


def _bounds(group: str, options: Mapping[str, Option]) -> dict[str, str]:
    # A plain `Option` is checked elsewhere, and has no words for what it allows.
    return {f"{group}.{key}": _words(option) for key, option in options.items() if type(option) is not Option}


def _words(option: Option) -> str:
    text = option.describe().removeprefix("must be ")
    for python, words in (("None", "null"), ("one of True, False", "true or false")):
        text = text.replace(python, words)
    return text


def _table(rows: list[tuple[str, str, str]], bounds: Mapping[str, str]) -> str:
    lines = ["| setting | default | allowed | meaning and unit |", "|---|---|---|---|"]
    for key, value, note in rows:
        bound = bounds.get(key, "")
        lines.append(f"| `{key}` | `{_escaped(value)}` | {_escaped(bound)} | {_escaped(note)} |")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")
