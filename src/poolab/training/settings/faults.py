"""Find the errors of a group of settings, one line each: the setting, its value, and what is allowed."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from poolab.errors import nearest
from poolab.pooling.core import Option, shown
from poolab.records import value_words

LONGEST = 80  # characters of a value in a message
WORDS = {" or None": " or null", "one of None,": "one of null,", "one of True, False": "true or false"}
WORDS["one of 'auto', True, False"] = "auto, true or false"
YAML = {"None": "null", "True": "true", "False": "false"}
FOUND = re.compile(r"found (None|True|False)(?=;|$)")  # a text has quotes: 'None'


def declared_faults(
    group: str,
    declared: Mapping[str, Option],
    given: Mapping[Any, Any],
    *,
    needed: Collection[str],
    choice: str = "",
    strange: bool = False,
) -> list[str]:
    """Return what is wrong with the settings of a group.

    Args:
        group: the group's name, or "" for the settings of the run itself.
        choice: what was chosen in the group, for the message.
        needed: the settings that must be there.
        strange: whether a setting that is not declared may stand there, since others check it.

    >>> from poolab.pooling.core.options import Integer
    >>> declared_faults("data", {"batch_size": Integer(8, most=9)}, {"batch_size": 16.0, "bach": 1}, needed=())
    ['data.bach: there is no such setting; did you mean batch_size? data takes batch_size', \
'data.batch_size must be an int from 1 to 9, found 16.0']
    """
    faults = []
    for key in given if not strange else ():
        if key not in declared:
            hint = nearest(str(key), list(declared))
            chosen = f"{group}={choice}" if choice else group
            takes = f"{chosen} takes {', '.join(declared) or 'no settings'}"
            faults.append(f"{named(group, key)}: there is no such setting; {hint}{takes}")
    for key, option in declared.items():
        if key not in given:
            if key in needed:
                faults.append(
                    f"{named(group, key)} is missing: it {_allowed(option)}, e.g. {_example(group, key, option)}"
                )
            continue
        fault = option.fault(given[key], None)
        if fault:
            fault = fault.replace(f"found {shown(given[key])}", f"found {typed(given[key])}", 1)
            faults.append(f"{named(group, key)} {_in_yaml(fault)}")
    return faults


def named(group: str, key: Any) -> str:
    """Return a setting's name as a user types it."""
    return f"{group}.{key}" if group else str(key)


def where_words(setting: str, value: Any) -> str:
    """Return `setting=value`, with a long value shortened."""
    return f"{setting}={value if isinstance(value, str) and len(value) < 80 else typed(value)}"


def typed(value: Any) -> str:
    """Return a value for a message: null, true, false, lists and mappings as a user types them, others as in Python.

    >>> typed(None), typed([True, "a"]), typed("3"), typed(3)
    ('null', '[true,a]', "'3'", '3')
    """
    if value is None or isinstance(value, bool | list | tuple | Mapping):
        words = value_words(value)
        return words if len(words) <= LONGEST else f"{words[:LONGEST]}... ({len(words):,} characters)"
    return shown(value)


def _allowed(option: Option) -> str:
    return _in_yaml(f"must be {option.describe()}")


def _example(group: str, key: str, option: Option) -> str:
    value = (
        {None: "null", True: "true", False: "false"}.get(option.default, option.default) if _plain(option) else "..."
    )
    return f"{named(group, key)}={value}"


def _plain(option: Option) -> bool:
    return option.default is None or isinstance(option.default, str | int | float)


def _in_yaml(text: str) -> str:
    """Return the words of YAML in place of Python's (null for None)."""
    for python, yaml in WORDS.items():
        text = text.replace(python, yaml)
    return FOUND.sub(lambda found: f"found {YAML[found[1]]}", text)
