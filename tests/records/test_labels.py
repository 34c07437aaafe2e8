"""An arm has one name, whoever names it: a plan, a table, a report; from values as typed or as JSON has them."""

import json

import pytest

from poolab.configuration import compose
from poolab.records import RunFolder, arm_labels, gather, value_words, words_of
from poolab.records.store import strict
from poolab.records.table import arms
from poolab.report import gather as report_gather
from poolab.study import read_study
from poolab.study.sweep.arms import label_arms

WORDS = {
    "a list": (["stage2"], "[stage2]"),
    "a tuple": (("stage2", "stage3"), "[stage2,stage3]"),
    "an empty list": ([], "[]"),
    "lists in a list": ([[1, 2], ("a",)], "[[1,2],[a]]"),
    "a mapping": ({"name": "lp", "p": 3}, "{name:lp,p:3}"),
    "nested mappings": ({"a": {"b": [None, True]}}, "{a:{b:[null,true]}}"),
    "null": (None, "null"),
    "true": (True, "true"),
    "a whole number": (3, "3"),
    "a float": (0.1, "0.1"),
    "a float that is whole": (3.0, "3"),
    "a small float": (1e-05, "1e-05"),
    "a float with all digits": (0.1 + 0.2, "0.30000000000000004"),
    "infinity": (float("inf"), "inf"),
    "a text": ("all", "all"),
    "a text like a number": ("3", "'3'"),
    "a text like a float": ("-1.5e-3", "'-1.5e-3'"),
    "a text like null": ("null", "'null'"),
    "a text like true": ("True", "'True'"),
    "an empty text": ("", "''"),
    "numbers as texts in a list": (["1", 1], "['1',1]"),
    "a text with a number in it": ("32-true", "32-true"),
    "a text of two lines": ("a\nb", "a\\nb"),
}


@pytest.mark.parametrize(("value", "words"), WORDS.values(), ids=WORDS.keys())
def test_a_value_has_the_same_words_before_and_after_json(value, words):
    assert value_words(value) == words
    assert value_words(json.loads(json.dumps(strict(value)))) == words


def other(value):
    return "another" if value != "another" else "one"


@pytest.mark.parametrize(("value", "words"), WORDS.values(), ids=WORDS.keys())
def test_a_plan_a_table_and_a_report_name_an_arm_alike(tmp_path, value, words):
    """Whatever value an option has: as it was typed in the study, as the record has it, flat or as a mapping."""
    study_file = tmp_path / "study.yaml"
    study_file.write_text(
        "program: train.py\nmethod: grid\nparameters: {pooling: {values: [max, avg]}, "
        'pooling.option: {values: [1, 2]}}\ncommand: ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]\n'
    )
    configs = [compose(["pooling=max"]) for _ in range(2)]
    for config, option in zip(configs, (value, other(value)), strict=True):
        config["pooling"]["option"] = option
    for number, config in enumerate(configs):
        record = {"status": "completed", "started": "a", "config": config, "metrics": {"test/accuracy": number / 10}}
        RunFolder(tmp_path / "runs", f"run{number}").make().write_json("result.json", record)
    planned = label_arms(read_study(study_file), configs)
    tabled = [row.arm for row in arms(tmp_path / "runs")]
    reported = report_gather(gather(tmp_path / "runs").records).arms
    assert sorted(planned) == sorted(tabled) == sorted(reported)
    assert planned[1] == "max option=another"
    assert isinstance(value, dict) or planned[0] == f"max option={words}"


def labels(*settings):
    return arm_labels([words_of(own) for own in settings])


LP = {"pooling.name": "lp"}


@pytest.mark.parametrize(("settings", "names"), [
    ([{"pooling.name": "max"}], ["max"]),
    ([{"pooling.name": "max"}, {**LP, "pooling.p": 2}], ["max", "lp"]),
    ([{**LP, "pooling.p": 2}, {**LP, "pooling.p": 3}], ["lp p=2", "lp p=3"]),
    ([{**LP, "pooling.p": 2}, {**LP, "pooling.p": "2"}], ["lp p=2", "lp p='2'"]),
    ([{**LP, "pooling.p": 2}, {"pooling.name": "max", "pooling.p": 3}], ["lp", "max"]),  # options of two poolings
    ([{**LP, "optim.lr": 0.1}, {"pooling.name": "max", "optim.lr": 0.2}], ["lp optim.lr=0.1", "max optim.lr=0.2"]),
    ([{**LP, "head.name": "gap"}, {**LP, "head.name": "gem", "head.p": 3}, {**LP, "head.name": "gem", "head.p": 4}],
     ["gap", "gem head.p=3", "gem head.p=4"]),
    ([{**LP, "head.name": "gap"}, {"pooling.name": "max", "head.name": "gem"}], ["lp gap", "max gem"]),
    ([{**LP, "pooling.at.pool1.name": "avg"}, LP], ["lp pool1=avg", "lp"]),
    ([{**LP, "pooling.at.pool1.name": "topk", "pooling.at.pool1.k": k} for k in (2, 3)],
     ["lp pool1.k=2", "lp pool1.k=3"]),
    ([{**LP, "backbone.match": "multiply_adds", "backbone.match_to.name": "lip", "backbone.match_to.k": 3}, LP],
     ["lp with as many multiply-adds as lip k=3", "lp"]),
    ([{**LP, "weights_sha256": "0123456789abcdef"}, {**LP, "weights_sha256": "f" * 16}],
     ["lp weights_sha256=01234567", "lp weights_sha256=ffffffff"]),
    ([{**LP, "recipe.checkpoint": "/a/one"}, {**LP, "recipe.checkpoint": "/b/one"}],
     ["lp recipe.checkpoint=one (1)", "lp recipe.checkpoint=one (2)"]),  # no two names are alike
    ([{**LP, "data content": "data 3f..."}, {**LP, "data content": "data 77..."}],
     ["lp (data 3f...)", "lp (data 77...)"]),
])  # fmt: skip
def test_the_name_of_an_arm(settings, names):
    assert labels(*settings) == names
