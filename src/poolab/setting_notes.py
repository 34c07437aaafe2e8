"""Reads the comments in conf/ about each setting and each choice, which `--help` and the site show."""

import re
from dataclasses import dataclass, field
from functools import cache

from poolab.paths import config_dir

SETTING = re.compile(r"(?P<key>\w+):(?P<value>\s+(?:\[[^\]]*\]|\{[^}]*\}|[^#\s][^#]*?))?\s*(?:#\s*(?P<note>.*))?$")


@dataclass(frozen=True)
class Choice:
    """One file of conf/.

    Attributes:
        about: the comment at its top, as one paragraph.
        values: its settings with their values, as they are written.
        notes: what the file says about each of its settings.
    """

    about: str = ""
    values: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


@cache
def choice(group: str, name: str) -> Choice:
    """Read a choice of a group, with the settings of the choices that it is made from.

    A choice that sets other groups too, as recipe=finetune does, has their settings by their dotted names.

    >>> choice("pooling", "avg_topk_k3").values["k"], choice("pooling", "avg_topk_k3").notes["k"]
    ('3', 'number of taps, 1 to the taps of the window')
    """
    text = (config_dir() / group / f"{name}.yaml").read_text()
    values: dict[str, str] = {}
    notes: dict[str, str] = {}
    for base in re.findall(r"^  - (\w+)$", text, re.MULTILINE):
        if base != "_self_":
            values, notes = values | choice(group, base).values, notes | choice(group, base).notes
    own = _settings(text)
    return Choice(
        about=_leading(text),
        values=values | {key: value for key, (value, _) in own.items() if key.rpartition(".")[2] != "name"},
        notes=notes | {key: note for key, (_, note) in own.items() if note},
    )


@cache
def common() -> dict[str, tuple[str, str]]:
    """Return value and note of each setting in conf/train.yaml by its dotted name.

    >>> common()["pooling.stride"]
    ('null', 'elements, an int or [height, width]')
    """
    found = _settings((config_dir() / "train.yaml").read_text())
    return {key: told for key, told in found.items() if not key.startswith("hydra.")}


def _settings(text: str) -> dict[str, tuple[str, str]]:
    """Return value and note of each setting of a file; the note is behind it, or in the lines above it."""
    found: dict[str, tuple[str, str]] = {}
    groups: list[str] = []
    above: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            above.append(stripped.lstrip("# "))
            continue
        match = SETTING.match(stripped)
        if match:
            groups = groups[: (len(line) - len(line.lstrip())) // 2]
            if match["value"]:
                found[".".join([*groups, match["key"]])] = (match["value"].strip(), match["note"] or " ".join(above))
            else:
                groups.append(match["key"])
        above = []
    return found


def _leading(text: str) -> str:
    """Return the comment at the top of a file, without the line that only Hydra reads."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    return " ".join(lines)
