"""One study under two versions of the code."""

from dataclasses import replace

import pytest

from poolab.errors import ConfigError
from poolab.report.two_versions import versus
from tests.report.made import evidence, record, study

OLD, NEW = {"max": [0.5, 0.6], "avg": [0.4, 0.5], "lp": [0.1]}, {"avg": [0.45, 0.55], "max": [0.5, 0.7], "min": [0.2]}


def told(found):
    return {setting.label: [(arm.label, arm.values("test/accuracy")) for arm in setting.arms]
            for setting in found.settings}  # fmt: skip


def test_each_arm_that_both_have_is_a_setting_of_its_old_and_its_new_runs():
    old, new = evidence(study(OLD)), evidence(study(NEW))
    found = versus(old, new, "v1", "v2")
    place = new.settings[0].label
    assert told(found) == {
        f"{place}: {name}": [("v1", OLD[name]), ("v2", NEW[name])] for name in ("max", "avg")
    }  # fmt: skip
    assert [setting.facts for setting in found.settings] == [new.settings[0].facts] * 2
    assert new.settings[0].facts


def test_arms_of_other_settings_are_not_paired():
    old = evidence([*study({"max": [0.5, 0.6]}), *study({"max": [0.7, 0.8]}, data__name="mnist")])
    new = evidence([*study({"max": [0.55, 0.65]}), *study({"max": [0.75, 0.85]}, data__name="mnist")])
    found = told(versus(old, new, "v1", "v2"))
    assert sorted(found.values()) == [
        [("v1", [0.5, 0.6]), ("v2", [0.55, 0.65])],
        [("v1", [0.7, 0.8]), ("v2", [0.75, 0.85])],
    ]
    assert all(": max" in label for label in found)


def test_what_either_side_left_out_is_told():
    sides = [
        replace(evidence([*study({"max": [score, 0.6]}), record("max", 2, status="failed")]), faults=(f"{score}",))
        for score in (0.5, 0.55)
    ]
    twice = evidence([*study({"max": [0.5, 0.6]}), *study({"max": [0.5, 0.6]})])
    found = versus(*sides, "v1", "v2")
    assert [one.run.seed for one in found.left_out] == [2, 2]
    assert found.faults == ("0.5", "0.55")
    assert len(versus(sides[0], twice, "v1", "v2").doubled) == len(twice.doubled) > 0
    assert len(versus(twice, sides[0], "v1", "v2").doubled) == len(twice.doubled)


def test_two_sources_of_one_name_or_without_a_common_arm_are_refused():
    one = evidence(study({"max": [0.5, 0.6]}))
    with pytest.raises(ConfigError, match="both are v1"):
        versus(one, one, "v1", "v1")
    with pytest.raises(ConfigError, match="v1 and v2 share no arm"):
        versus(one, evidence(study({"avg": [0.5, 0.6]})), "v1", "v2")
