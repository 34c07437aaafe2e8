"""Settings that were tuned for each arm: one value an arm, which tells neither arms nor settings apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from poolab.errors import ConfigError, nearest
from poolab.records import Record, value_words
from poolab.report.evidence import Evidence, Setting
from poolab.report.sentence import listed

# What tells arms or runs apart, so that it cannot have been tuned.
NEVER = ("pooling", "head", "seed", "data", "backbone")


def check_known(tuned: Sequence[str], everyone: Iterable[Mapping[str, Any]]) -> None:
    """Check the names of tuned settings.

    Raises:
        ConfigError: a name stands for no setting of the runs, or for one that tells runs apart.
    """
    if not tuned:
        return
    known = sorted({key for one in everyone for key in one})
    for key in tuned:
        if key.partition(".")[0] in NEVER:
            raise ConfigError(
                f"tuned {key}: arms and settings are told apart by {', '.join(NEVER)}; name what was tuned for each "
                "arm in the training, e.g. optim.lr"
            )
        if key not in known:
            raise ConfigError(f"tuned {key}: no run has this setting; {nearest(key, known)}an example is optim.lr")


def tuned_values(tuned: Sequence[str], runs: Sequence[Record], where: str) -> dict[str, str]:
    """Return the value of each tuned setting of an arm, as it is typed.

    Args:
        tuned: the names of the settings.
        runs: the runs of one arm in one setting.
        where: the arm and the setting, for the message.

    Raises:
        ConfigError: the runs have several values.
    """
    found = {}
    for key in tuned:
        values = sorted({value_words(run.settings.get(key)) for run in runs})
        if len(values) > 1:
            raise ConfigError(
                f"tuned {key}: {where} has runs with {', '.join(values)}; report the runs with the chosen value alone, "
                f"or leave out --tuned to compare the values"
            )
        if values:
            found[key] = values[0]
    return found


def tuned_words(setting: Setting, tuned: Sequence[str]) -> str:
    """Return the values that the arms of a setting have, e.g. `optim.lr 0.001 (avg, max) and 0.003 (lp)`."""
    return "; ".join(f"{key} {listed(_by_value(setting, key))}" for key in tuned)


def _by_value(setting: Setting, key: str) -> list[str]:
    arms: dict[str, list[str]] = {}
    for arm in setting.arms:
        if key in arm.settings:
            arms.setdefault(str(arm.settings[key]), []).append(arm.label)
    return [f"{value} ({', '.join(labels)})" for value, labels in sorted(arms.items())]


def tuned_remark(evidence: Evidence) -> str | None:
    """Return the remark that a setting was chosen for each arm, with the values; None where nothing was tuned."""
    if not evidence.tuned:
        return None
    values = listed([f"{setting.label}: {tuned_words(setting, evidence.tuned)}" for setting in evidence.settings])
    return (
        f"Tuned for each arm, as declared: {values}. The comparison holds for these choices; it is fair only if the "
        "values were chosen on other seeds and without the test images, which these records do not show."
    )
