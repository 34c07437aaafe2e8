"""The arguments of a command line before Hydra reads them: paths are quoted, unreadable ones are explained."""

import re
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from poolab.errors import ConfigError
from poolab.paths import PATHS

ASSIGNMENT = re.compile(r"(\+{0,2}[A-Za-z_][\w./@-]*)=(.*)", re.DOTALL)
NAME = re.compile(r"[A-Za-z_][\w./-]*")
# Options that select what Hydra does with the configuration.
MODES = ("--run", "-r", "--multirun", "-m", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc")
PAIRS = {"[": "]", "{": "}", "(": ")"}


def ordered(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the settings and Hydra's own options of a command line: Hydra takes options only on one side of them.

    Raises:
        ConfigError: an option that Hydra does not have; all of them at once.

    >>> ordered(["pooling=max", "--cfg", "job", "seed=1"])
    (['pooling=max', 'seed=1'], ['--cfg', 'job'])
    """
    settings: list[str] = []
    options: list[str] = []
    faults: list[str] = []
    known = _options() if any(word.startswith("-") for word in arguments) else {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if not word.startswith("-") or word == "-":
            settings.append(word)
            continue
        takes = [known[name]] if name in known else [known[one] for one in known if _abbreviates(name, one)]
        if not takes:
            faults.append(_no_option(word, rest[0] if rest else ""))
            continue
        options.append(word)
        if rest and not equals and (takes[0] is True or (isinstance(takes[0], tuple) and rest[0] in takes[0])):
            options.append(rest.pop(0))
    modes = [word for word in options if word.partition("=")[0] in MODES]
    if len(modes) > 1:
        faults.append(f"{' '.join(modes)}: only one of them at a time")
    if faults:
        raise ConfigError("\n".join(faults))
    return settings, options


def readable(words: Sequence[str], groups: Sequence[str], sweep: bool = False) -> list[str]:
    """Return settings as Hydra reads them: the value of a path is a text, whatever its characters.

    Args:
        words: `key=value` each.
        groups: the names of the groups of choices.
        sweep: whether a setting may have several values, a run each.

    Raises:
        ConfigError: every word that Hydra cannot read, or reads otherwise than it looks.

    >>> readable(["data.root=Images (1)", "seed=1"], ["data"])
    ["data.root='Images (1)'", 'seed=1']
    """
    result = [_with_quoted_path(word, sweep) for word in words]
    faults = []
    skipped = -1
    for index in range(len(result)):
        if index <= skipped:
            continue
        fault, used = _fault(result[index:], groups, sweep)
        skipped = index + used
        faults += [fault] if fault else []
    if faults:
        raise ConfigError("\n".join(faults))
    return result


def quoted(text: str) -> str:
    """Return a text in quotes, so that Hydra takes it literally."""
    # Hydra takes a backslash literally unless a quote follows it.
    return "'" + re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text) + "'"


def for_a_shell(key: str, value: str) -> str:
    """Return `key=value` as it is pasted into a shell, so that Hydra takes the value as a text.

    >>> print(for_a_shell("tracker.project", "R&D"))
    'tracker.project="R&D"'
    """
    pretty = '"' not in value and "\\" not in value
    return shlex.quote(f'{key}="{value}"' if pretty else f"{key}={quoted(value)}")


def with_quoted_path(word: str) -> str:
    """Return a `key=value` whose value, if it is that of a path, is a text to Hydra."""
    return _with_quoted_path(word, sweep=False)


def _with_quoted_path(word: str, sweep: bool) -> str:
    match = ASSIGNMENT.fullmatch(word)
    if match is None or match[1].lstrip("+") not in PATHS:
        return word
    value = match[2]
    if value in ("", "null") or "${" in value:
        return word
    parsed = _parsed(word)
    if parsed is not None and (_is_quoted(parsed) or (sweep and parsed.is_sweep_override())):
        return word
    return f"{match[1]}={quoted(value)}"


def _parsed(word: str) -> Any:
    """Return what Hydra reads in a word, or None where it cannot."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(word)
    except (HydraException, ValueError, RecursionError):  # a number of 5,000 digits, brackets in brackets
        return None


def _is_quoted(parsed: Any) -> bool:
    from hydra.core.override_parser.types import QuotedString

    return isinstance(parsed._value, QuotedString)


def _fault(words: Sequence[str], groups: Sequence[str], sweep: bool) -> tuple[str | None, int]:
    """Return what is wrong with the first of some words, and how many of those behind it belong to it."""
    word = words[0]
    match = ASSIGNMENT.fullmatch(word)
    if match and match[1].lstrip("+") in groups and match[2][:1] in ("[", "{"):
        return _several_choices(match[1].lstrip("+"), match[2]), 0
    parsed = _parsed(word)
    if parsed is not None and (match or word.startswith("~")):
        if match and match[1].lstrip("+") in groups and _names_nothing(match[1], parsed):
            group = match[1].lstrip("+")
            return f"{group}={match[2]}: a group is chosen by a name: {group}=NAME (--help lists them)", 0
        several = parsed.is_sweep_override() and not sweep
        return (_several_values(word, groups) if several else None), 0
    if match:
        return _unreadable(match[1], match[2]), 0
    return _no_assignment(words)


def _names_nothing(group: str, parsed: Any) -> bool:
    """Return True if the value of a group names no choice: a number, an empty text, or null (but for `recipe=null`)."""
    if parsed.is_sweep_override():
        return False
    value = parsed.value()
    return group != "recipe" if value is None else not (isinstance(value, str) and value)


def _several_choices(group: str, value: str) -> str:
    names = [name for name in re.split(r"[\[\]{},\s]+", value) if name]
    named = re.search(r"\bname\s*:\s*([\w./:-]+)", value)
    if value.startswith("{") or not names:
        name = named[1] if named else "NAME"
        return f"{group}={value}: a group is chosen by a name: write {group}={name}, then {group}.key=value"
    if len(names) == 1:
        return f"{group}={value}: a group has one choice, by its name: write {group}={names[0]}"
    return (
        f"{group}={value}: a group has one choice, and the last of a list alone would count: write {group}={names[0]}, "
        f"or train each of them with -m {group}={','.join(names)}"
    )


def _several_values(word: str, groups: Sequence[str]) -> str:
    key, _, value = word.lstrip("+").partition("=")
    listed = "" if key in groups else f"; for one list write {shlex.quote(f'{key}=[{value}]')}"
    text = "" if key in groups else f", for one text {for_a_shell(key, value)}"
    return f"{word}: one value is wanted; train -m {word} makes a run of each{listed}{text}"


def _unreadable(key: str, value: str) -> str:
    shown = value if len(value) < 80 else f"{value[:80]}..."
    why = _open_bracket(value) or (
        "it is too long" if len(value) > 4000 else "some of its characters have a meaning of their own"
    )
    closed = _closed(key, value)
    text = f"; to have it as a text write {for_a_shell(key, value)}" if len(value) < 200 else ""
    return f"{key}={shown}: the value cannot be read: {why}{closed}{text}"


def _closed(key: str, value: str) -> str:
    """Return the setting with its one open bracket closed; empty where that is not what is wrong."""
    for opening, closing in PAIRS.items():
        mended = f"{key}={value}{closing}"
        if value.count(opening) == value.count(closing) + 1 and len(value) < 200 and _parsed(mended) is not None:
            return f"; write {shlex.quote(mended)}"
    return ""


def _open_bracket(value: str) -> str:
    for quote in ("'", '"'):
        if value.startswith(quote) and (len(value) == 1 or not value.endswith(quote)):
            return f"the quote {quote} is not closed"
    for opening, closing in PAIRS.items():
        if value.count(opening) > value.count(closing):
            return f"the bracket {opening} is not closed"
        if value.count(opening) < value.count(closing):
            return f"the bracket {closing} is not opened"
    return ""


def _no_assignment(words: Sequence[str]) -> tuple[str, int]:
    """Return the message for a word that is not key=value, and the number of following words that belong to it."""
    word = words[0]
    if not word.strip():
        return "there is an empty argument: leave it out (a setting is written key=value)", 0
    parts = re.split(r"\s*[:=\s]\s*", word.strip(), maxsplit=1)
    key, value = parts[0], parts[1] if len(parts) > 1 else ""
    used = 0
    following = list(words[1:3])
    if not value and following[:1] == ["="] and len(following) == 2:
        value, used = following[1], 2
    elif not value and following and "=" not in following[0]:
        value, used = following[0], 1
    found = " ".join(words[: used + 1])
    rule = "a setting is written key=value, without spaces around ="
    if not NAME.fullmatch(key):
        return f"{found}: {rule}, e.g. trainer.epochs=3", used
    plain = f"{key}={value or '...'}"
    readable = value and _parsed(plain) is not None
    return f"{found}: {rule}: write {plain if readable or not value else for_a_shell(key, value)}", used


@cache
def _options() -> dict[str, Any]:
    """Return Hydra's options: False for one without a value, True for one with, its choices where it may have one."""
    from hydra._internal.utils import get_args_parser

    found: dict[str, Any] = {}
    for action in get_args_parser()._actions:
        takes: Any = action.nargs != 0 if action.nargs != "?" else tuple(action.choices or ())
        found |= dict.fromkeys(action.option_strings, takes)
    return found


def _abbreviates(name: str, option: str) -> bool:
    return name.startswith("--") and len(name) > 3 and option.startswith(name)


def _no_option(word: str, following: str) -> str:
    key, equals, value = word.lstrip("-").partition("=")
    if not equals and following and not following.startswith("-") and "=" not in following:
        value = following
    near = [one for one in _options() if get_close_matches(word.partition("=")[0], [one], cutoff=0.75)]
    if near:
        return f"{word}: there is no such option; did you mean {' or '.join(near)}? --help lists the settings"
    if NAME.fullmatch(key):
        shown = f"{word} {following}" if value and not equals else word
        return f"{shown}: a setting is written without dashes: write {key}={value or '...'}"
    return f"{word}: there is no such option; --help lists the settings"
