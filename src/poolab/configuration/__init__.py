"""The tree of configuration files, a configuration composed from it, and explained errors.

`composition` composes, `choices` lists what conf/ has, `offered` adds choices that no file has, and `faults` explains
errors.
"""

from poolab.configuration.choices import groups, presets_with
from poolab.configuration.composition import (
    LAUNCHERS,
    check_launcher,
    choices_of,
    compose,
    current_setting,
    plain,
    prepared,
)
from poolab.configuration.faults import explain
from poolab.paths import config_dir, expanded_path, with_expanded_paths

__all__ = [
    "LAUNCHERS",
    "check_launcher",
    "choices_of",
    "compose",
    "config_dir",
    "current_setting",
    "expanded_path",
    "explain",
    "groups",
    "plain",
    "prepared",
    "presets_with",
    "with_expanded_paths",
]
