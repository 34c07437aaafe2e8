"""How settings read in the name of an arm."""

import pytest

from poolab.records.labels import setting_words, short_key, value_words


@pytest.mark.parametrize(("value", "words"), [
    (True, "true"), (False, "false"), (None, "null"), (0, "0"), (1, "1"), (-3, "-3"),
    (0.1, "0.1"), (1.0, "1"), (1e-05, "1e-05"), (3e20, "3e+20"),
    (0.1234567, "0.1234567"), (1 / 3, "0.3333333333333333"), (float("nan"), "nan"), (float("inf"), "inf"),
    ("max", "max"), ("two\nlines", r"two\nlines"),
    ([], "[]"), (["stage2"], "[stage2]"), ((1, 2.5, None), "[1,2.5,null]"), ([[1], [True]], "[[1],[true]]"),
    ({}, "{}"), ({"name": "lip", "k": [1, 2], "on": False}, "{name:lip,k:[1,2],on:false}"),
])  # fmt: skip
def test_a_value_reads_as_it_is_typed(value, words):
    assert value_words(value) == words


@pytest.mark.parametrize(("key", "value", "words"), [
    ("pooling.name", "avg_topk", "avg_topk"),
    ("head.name", "gap", "gap"),
    ("backbone.name", "resnet20", "backbone=resnet20"),
    ("pooling.k", 3, "k=3"),
    ("pooling.at.pool1.name", "avg", "pool1=avg"),
    ("pooling.at.pool1.k", 3, "pool1.k=3"),
    ("pooling.slots", ["stage2"], "slots=[stage2]"),
    ("optim.lr", 0.01, "optim.lr=0.01"),
    ("optim.name", "sgd", "optim=sgd"),
    ("mypooling.k", 1, "mypooling.k=1"),
])  # fmt: skip
def test_a_setting_reads_without_what_every_reader_knows(key, value, words):
    assert setting_words(key, value) == words
    assert words == value_words(value) or words.startswith(f"{short_key(key)}=")
