"""The same study under two versions of the code: each arm's new runs beside its old ones."""

from __future__ import annotations

from dataclasses import replace

from poolab.errors import ConfigError
from poolab.report.evidence import Arm, Evidence, Setting


def versus(old: Evidence, new: Evidence, old_name: str, new_name: str) -> Evidence:
    """Pair two gatherings: a setting for each arm that both have, with the old and the new runs as its two arms.

    Raises:
        ConfigError: both have one name, or share no arm.
    """
    if old_name == new_name:
        raise ConfigError(f"--versus compares two sources, and both are {old_name}")
    before = {(setting.label, arm.label): (setting, arm) for setting in old.settings for arm in setting.arms}
    settings = []
    for setting in new.settings:
        for arm in setting.arms:
            if (setting.label, arm.label) in before:
                _, other = before[setting.label, arm.label]
                settings.append(_pair(setting, arm.label, _named(other, old_name), _named(arm, new_name)))
    if not settings:
        raise ConfigError(f"--versus: {old_name} and {new_name} share no arm of the same setting")
    return Evidence(
        tuple(settings),
        (*old.left_out, *new.left_out),
        (*old.doubled, *new.doubled),
        (*old.faults, *new.faults),
    )


def _pair(setting: Setting, label: str, old: Arm, new: Arm) -> Setting:
    return Setting(f"{setting.label}: {label}", setting.facts, (old, new))


def _named(arm: Arm, name: str) -> Arm:
    return replace(arm, label=name)
