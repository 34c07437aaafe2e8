"""Processor, device and threads change no signature: the report tells where they differ within a pair."""

import pytest

from poolab.report.rounding import rounding_remarks
from tests.report.made import answer, document, drawn, study

SCORES = drawn({"max": 0.8, "avg": 0.7, "lp": 0.8}, 4)


def changed(name, value, which):
    """Records of three arms, of which some have another processor, device or number of threads."""
    records = study(SCORES)
    for one in records:
        if which(one["config"]["pooling"]["name"], one["seed"]):
            one["environment"][name] = value
    return records


@pytest.mark.parametrize(("name", "value"), [("threads", 2), ("device", "NVIDIA H200"), ("processor", "Intel")])
def test_pairs_that_differ_are_counted(name, value):
    analysis = answer(changed(name, value, lambda arm, seed: arm == "avg" and seed < 2))
    (remark,) = rounding_remarks(analysis.evidence.settings[0], "max")
    assert remark.startswith(f"digits, keras_cnn: in 2 of 8 pairs the two runs differ in {name}")
    assert "All pairs" not in remark
    assert remark in document(analysis).remarks


def test_an_arm_whose_pairs_all_differ_is_named():
    analysis = answer(changed("device", "NVIDIA H200", lambda arm, _: arm == "lp"))
    (remark,) = rounding_remarks(analysis.evidence.settings[0], "max")
    assert "in 4 of 8 pairs" in remark
    assert "All pairs of lp differ in it: a difference from max may come from the device" in remark


@pytest.mark.parametrize("which", [lambda *_: False, lambda *_: True, lambda _, seed: seed < 2])
def test_what_is_the_same_within_each_pair_is_no_remark(which):
    """All runs of two seeds with two threads: each pair is rounded alike."""
    analysis = answer(changed("threads", 2, which))
    assert rounding_remarks(analysis.evidence.settings[0], "max") == []


def test_records_that_do_not_name_it_are_not_told_apart():
    analysis = answer(changed("threads", None, lambda arm, _: arm == "avg"))
    assert rounding_remarks(analysis.evidence.settings[0], "max") == []


def test_without_the_baseline_there_are_no_pairs():
    analysis = answer(study({"avg": [0.5, 0.6], "lp": [0.5, 0.6]}))
    assert rounding_remarks(analysis.evidence.settings[0], "max") == []
