"""Arms beside a baseline."""

import csv
import io
import re

import pytest
from scipy.stats import ttest_rel

from poolab.errors import ConfigError
from poolab.records import RunFolder
from poolab.study.commands.verbs import study as study_verb
from poolab.study.record_file import read_records
from tests.study.compared import compare, gathered, read

SCORES = {"max": (0.5, 0.6, 0.65), "avg": (0.45, 0.6, 0.68)}


def score(config):
    return SCORES[config["pooling"]["name"]][config["seed"]]


def test_paired_differences_with_their_intervals(two_arms, recorded):
    first, second = compare(two_arms, recorded(two_arms, score))
    assert (first.baseline, first.difference) == (None, None)
    reference = ttest_rel(SCORES["avg"], SCORES["max"]).confidence_interval(0.95)
    assert second.difference == pytest.approx(-0.02 / 3)
    assert second.interval == pytest.approx((reference.low, reference.high))


def test_arms_that_one_name_would_hide_are_told_apart_by_their_options(written, recorded):
    study = written("{pooling: {values: [max, avg_topk, avg_topk_k3]}, seed: {values: [0, 1]}}")
    arms = compare(study, recorded(study, lambda config: 0.5))
    assert [(arm.arm, len(arm.scores)) for arm in arms] == [("max", 2), ("avg_topk k=2", 2), ("avg_topk k=3", 2)]


def test_only_seeds_that_both_have_are_paired(two_arms, recorded):
    def some(config):
        return None if (config["pooling"]["name"], config["seed"]) == ("max", 1) else score(config)

    records = recorded(two_arms, some)[:5]
    first, second = compare(two_arms, records)
    assert (len(first.scores), first.failed, first.missing) == (2, 1, 0)
    assert (len(second.scores), second.failed, second.missing, second.pairs) == (2, 0, 1, 1)
    assert second.difference == pytest.approx(-0.05)
    assert second.interval is None


def test_an_arm_is_compared_with_the_baseline_that_is_like_it(written, recorded):
    study = written("{pooling: {values: [max, avg]}, pooling.slots: {values: [[pool1], [pool2]]}}")
    records = recorded(study, lambda config: 0.5 + (config["pooling"]["slots"] == ["pool2"]) / 10)
    arms = compare(study, records)
    assert [(arm.place, arm.arm, arm.baseline, arm.difference) for arm in arms if arm.arm == "avg"] == [
        ("digits, keras_cnn, slots=[pool1]", "avg", "max", 0.0),
        ("digits, keras_cnn, slots=[pool2]", "avg", "max", 0.0),
    ]
    named = compare(study, records, baseline="avg")
    assert {arm.baseline for arm in named} == {None, "avg"}
    with pytest.raises(ConfigError, match="did you mean max"):
        compare(study, records, baseline="mx")


def test_without_max_the_first_arm_is_the_baseline_unless_one_is_named(written, recorded):
    study = written("{pooling: {value: avg_topk}, pooling.k: {values: [1, 2, 3]}}")
    records = recorded(study, lambda config: 0.5)
    assert [arm.baseline for arm in compare(study, records)] == [None, "avg_topk k=1", "avg_topk k=1"]
    found = compare(study, records, baseline="avg_topk k=2")
    assert [arm.baseline for arm in found] == [None, "avg_topk k=2", "avg_topk k=2"]


def test_two_data_sets_are_two_tables(written, recorded):
    study = written("{pooling: {values: [max, avg]}, data: {values: [mnist, fashion_mnist]}}")
    arms = compare(study, recorded(study, lambda config: 0.5))
    assert len({arm.place for arm in arms}) == 2
    assert [arm.baseline for arm in arms if arm.arm == "avg"] == ["max", "max"]


def test_of_two_records_of_a_cell_that_nothing_tells_apart_one_is_named_and_left_out(two_arms, recorded):
    records = recorded(two_arms, score)
    found = gathered(two_arms, [*records, {**records[0], "signature": "0" * 12}])
    (out,) = found.left_out
    assert "another run of this arm and seed is taken" in out.reason
    assert [len(arm.runs) for arm in found.settings[0].arms] == [3, 3]


def test_the_verb_prints_and_keeps_a_table(two_arms, recorded, tmp_path, capsys):
    records = recorded(two_arms, score)
    for record in records:
        RunFolder(tmp_path / "runs", record["signature"]).make().write_json("result.json", record)
    words = ["table", str(two_arms.path), "--runs"]
    kept = tmp_path / "records.jsonl.gz"
    study_verb([*words, str(tmp_path / "runs"), "--save", str(kept)], "")
    table = capsys.readouterr().out
    assert max(map(len, table.splitlines())) <= 80
    assert "-0.67" in table
    study_verb([*words, str(kept)], "")
    assert capsys.readouterr().out == table
    told = read_records(kept)
    metrics = [{one.signature: one.metrics for one in some} for some in (told, read(records))]
    assert metrics[0] == metrics[1]
    assert {record.config["runs_dir"] for record in told} == {None}  # where it lay is nobody's concern
    study_verb([*words, str(kept), "--markdown"], "")
    row = r"\| avg \| undecided \| -0\.67 \| [-+.\d to]+ \| 0\.80 \| 57\.67 \| [\d.]+ \| 3 \|"
    assert re.search(row, capsys.readouterr().out)
    study_verb([*words, str(kept), "--csv"], "")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["pairs"] for row in rows] == ["0", "3"]
    other = {**records[0], "environment": {"commit": "def", "dirty": False, "packages": {"torch": "2.16.0"}}}
    RunFolder(tmp_path / "runs", other["signature"]).write_json("result.json", other)
    study_verb([*words, str(tmp_path / "runs")], "")
    assert "differ in the code that made them: commit, torch" in capsys.readouterr().out
    kept.write_bytes(b"none")
    with pytest.raises(ConfigError, match="not a file of records"):
        study_verb([*words, str(kept)], "")
    with pytest.raises(ConfigError, match="has no record of"):
        study_verb([*words, str(tmp_path)], "")


def test_what_a_search_over_slots_has_drawn_is_found(written, recorded):
    """Also a preset, which a record has as its pooling and options; and none of what it does not draw from."""
    wide = written(
        "{pooling.at.pool1: {values: [max, avg_topk, avg_topk_k3, avg]}, pooling.at.pool2: {values: [max, avg]}}"
    )
    records = recorded(wide, lambda config: 0.5)
    parameters = "{pooling.at.pool1: {values: [avg_topk, avg_topk_k3]}, pooling.at.pool2: {values: [max, avg]}}"
    arms = compare(written(parameters, "random"), records)
    assert sorted(arm.arm for arm in arms if arm.scores) == [
        f"max pool1.k={k} pool2={name}" for k in (2, 3) for name in ("avg", "max")
    ]


def test_what_a_search_stopped_did_not_fail(written, recorded, tmp_path, capsys):
    drawn = written("{pooling: {values: [max, avg]}, seed: {values: [0, 1, 2]}}", "grid")
    records = recorded(drawn, lambda config: 0.5 if config["pooling"]["name"] == "max" else None)
    for record in records[3:5]:
        record |= {"status": "interrupted", "reason": "stopped by SIGTERM"}
    search = written("{pooling: {values: [max, avg]}, seed: {values: [0, 1, 2]}}", "random")
    counts = [(len(arm.scores), arm.stopped, arm.failed, arm.missing) for arm in compare(search, records)]
    assert counts == [(3, 0, 0, 0), (0, 2, 1, 0)]
    for record in records:
        RunFolder(tmp_path / "runs", record["signature"]).make().write_json("result.json", record)
    study_verb(["table", str(search.path), "--runs", str(tmp_path / "runs")], "")
    table = capsys.readouterr().out
    assert table.splitlines()[1].split()[-3:] == ["verdict", "stopped", "failed"]
    assert max(map(len, table.splitlines())) <= 80
