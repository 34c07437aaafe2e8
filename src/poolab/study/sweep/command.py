"""The command of a cell, with W&B's macros, as a list of arguments: no shell reads a value."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from poolab.errors import ConfigError, nearest

DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")


def command(template: Sequence[str], program: str, values: Mapping[str, Any], json_file: str = "") -> list[str]:
    """Return the arguments that start a program with these values.

    Args:
        template: the study file's `command`; W&B's own where it is empty.
        json_file: what `${args_json_file}` stands for; the caller writes it.

    Raises:
        ConfigError: a macro that there is not. (W&B would leave it out without a word.)

    >>> command(["${program}", "--fast", "${args_no_hyphens}"], "./fit", {"k": 2, "name": "a b; rm -rf"})
    ['./fit', '--fast', 'k=2', 'name=a b; rm -rf']
    """
    macros = _macros(program, values, json_file)
    words: list[str] = []
    for word in map(str, template or DEFAULT):
        word = VARIABLE.sub(lambda found: os.environ.get(found[1], found[1]), word)
        if not (word.startswith("${") and word.endswith("}")):
            words.append(word)
        elif word[2:-1] in macros:
            words += macros[word[2:-1]]
        else:
            hint = nearest(word[2:-1], list(macros))
            raise ConfigError(
                f"command: there is no macro {word}; {hint}the macros are {', '.join(macros)}, envvar:NAME"
            )
    return words


def _macros(program: str, values: Mapping[str, Any], json_file: str) -> dict[str, list[str]]:
    pairs = [f"{key}={value}" for key, value in values.items()]
    flags = [
        (f"--{key}" if value else "") if isinstance(value, bool) else f"--{key}={value}"
        for key, value in values.items()
    ]
    return {
        "env": ["/usr/bin/env"],
        "interpreter": [sys.executable],  # W&B's agent takes the first `python` of PATH, which may be another one
        "program": [program],
        "args": [f"--{pair}" for pair in pairs],
        "args_no_equals": [word for key, value in values.items() for word in (f"--{key}", str(value))],
        "args_no_hyphens": pairs,
        "args_no_boolean_flags": [flag for flag in flags if flag],
        "args_append_hydra": [f"+{pair}" for pair in pairs],
        "args_override_hydra": [f"++{pair}" for pair in pairs],
        "args_json": [json.dumps(dict(values))],
        "args_json_file": [json_file],
    }
