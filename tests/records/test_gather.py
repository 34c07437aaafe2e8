"""Records that a table cannot use are named and left out: in a folder, in a saved file, and what is neither."""

import gzip
import json
import os

import pytest

from poolab.errors import ConfigError
from poolab.records import Record, RunFolder
from poolab.records.gathering import SHOWN, gather, tell
from poolab.records.table import arms, differing_code

CONFIG = {"seed": 0, "pooling": {"name": "max"}, "backbone": {"name": "keras_cnn"}, "data": {"name": "digits"}}
GOOD = {
    "schema_version": 1,
    "signature": "0123456789ab",
    "status": "completed",
    "started": "2026-01-01T10:00:00+00:00",
    "ended": "2026-01-01T10:00:30+00:00",
    "config": CONFIG,
    "metrics": {"test/accuracy": 0.5},
}


def changed(**values):
    return {**GOOD, "signature": "changed", **values}


def without(name):
    return {key: value for key, value in changed().items() if key != name}


def config(**values):
    return changed(config={key: value for key, value in {**CONFIG, **values}.items() if value != "drop"})


UNUSABLE = {
    "no metrics": (changed(metrics=None), "metrics must be a mapping"),
    "an unknown status": (changed(status="unknown"), "found 'unknown'"),
    "a status that is a list": (changed(status=["completed"]), "found"),
    "no start": (without("started"), "started is missing"),
    "no configuration": (without("config"), "config is missing"),
    "a newer schema": (changed(schema_version=99), "a newer poolab wrote it"),
    "no seed": (config(seed="drop"), "seed must be a whole number, found None"),
    "a seed in words": (config(seed="zero"), "seed must be a whole number, found 'zero'"),
    "a seed that is true": (config(seed=True), "seed must be a whole number"),
    "no pooling": (config(pooling="drop"), "config.pooling is missing"),
    "a pooling without a name": (config(pooling={"k": 2}), "config.pooling.name is missing"),
    "a pooling that is a text": (config(pooling="max"), "config.pooling is not a mapping"),
    "a name that is a list": (config(pooling={"name": ["max"]}), "config.pooling.name is missing"),
    "a backbone that is null": (config(backbone=None), "config.backbone is not a mapping"),
    "data in a list": (config(data=[1]), "config.data is not a mapping"),
    "an unknown task": (config(task="detection"), "task must be one of classification, segmentation"),
    "a task that is a list": (config(task=["classification"]), "task must be one of"),
    "a metric that is a text": (changed(metrics={"test/accuracy": "0.5"}), "metrics.test/accuracy"),
    "a list": ([], "not a mapping but a list"),
}


def in_folder(runs, *records):
    for number, record in enumerate(records):
        RunFolder(runs, f"run{number}").make().write_json("result.json", record)
    return runs


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.mark.parametrize(("record", "says"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_the_others_of_a_folder_are_taken(tmp_path, record, says):
    records, (fault,) = gather(in_folder(tmp_path, GOOD, record))
    assert [one.signature for one in records] == [GOOD["signature"]]
    assert says in fault
    assert "run1" in fault or "record changed" in fault
    assert arms(tmp_path)[0].runs == "1"


@pytest.mark.parametrize("name", ["saved.jsonl", "saved.jsonl.gz"])
@pytest.mark.parametrize(("record", "says"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_the_others_of_a_saved_file_are_taken(tmp_path, record, says, name):
    content = lines(GOOD, record)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    records, (fault,) = gather(tmp_path / name)
    assert [one.signature for one in records] == [GOOD["signature"]]
    assert says in fault
    assert f"line 2 of {tmp_path / name}" in fault or "record changed" in fault


@pytest.mark.parametrize(("line", "says"), [
    (b'{"status": "comp', "not JSON"),
    (b"\xff\xfe", "not UTF-8"),
    (b"[" * 100_000, "nested too deeply"),
    (b"9" * 5_000, "not JSON"),
    (b"null", "not a mapping but null"),
    (lines(without("signature")).strip(), "signature is missing"),
    (lines(changed(signature=7)).strip(), "signature is missing"),
], ids=["torn", "bytes", "nested", "digits", "null", "no signature", "a number for a signature"])  # fmt: skip
def test_a_damaged_line_is_named_by_its_number(tmp_path, line, says):
    (tmp_path / "saved.jsonl").write_bytes(lines(GOOD) + line + b"\n\n" + lines({**GOOD, "signature": "other"}))
    records, (fault,) = gather(tmp_path / "saved.jsonl")
    assert len(records) == 2
    assert f"line 2 of {tmp_path / 'saved.jsonl'}: " in fault
    assert says in fault


def test_a_file_that_is_cut_off_gives_what_it_has(tmp_path):
    many = [{**GOOD, "signature": f"{number:012d}", "seed": number} for number in range(3000)]
    packed = gzip.compress(lines(*many))
    (tmp_path / "saved.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    records, (fault,) = gather(tmp_path / "saved.jsonl.gz")
    assert 0 < len(records) < 3000
    assert f"saved.jsonl.gz behind line {len(records)}: " in fault


def test_whether_a_file_is_compressed_its_content_says(tmp_path):
    (tmp_path / "renamed.jsonl").write_bytes(gzip.compress(lines(GOOD)))
    (tmp_path / "plain.jsonl.gz").write_bytes(lines(GOOD))
    for name in ("renamed.jsonl", "plain.jsonl.gz"):
        assert len(gather(tmp_path / name).records) == 1


@pytest.mark.parametrize("content", [
    b"\x89PNG\r\n\x1a\n\x00\x00", b"\x1f\x8bnone", b"\x1f\x8b", b"a,b\n1,2\n", b"{}\n", b"\x00" * 100,
], ids=["PNG", "no gzip", "a gzip head", "CSV", "no record", "zeros"])  # fmt: skip
@pytest.mark.parametrize("name", ["file.gz", "file.png"])
def test_a_file_that_holds_no_record_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"{name} is not a file of records"):
        gather(tmp_path / name)


def test_an_empty_file_and_a_folder_that_is_not_there_have_none(tmp_path):
    (tmp_path / "empty").touch()
    for place in ("empty", "absent", "empty/below", "e" * 300):
        assert gather(tmp_path / place) == ([], []) if len(place) < 255 else True


@pytest.mark.parametrize("place", ["e" * 300, "a\x00b", "loop", "pipe"])
def test_a_place_that_cannot_be_looked_at_is_named(tmp_path, place):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="--runs"):
        gather(tmp_path / place)


def test_a_folder_without_rights_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)  # the tests may run as root, whom no right keeps out
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        gather(tmp_path)


def test_a_record_that_stands_twice_counts_once(tmp_path):
    records, (fault,) = gather(in_folder(tmp_path, GOOD, GOOD))
    assert len(records) == 1
    assert "is there twice" in fault


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_that_differ_the_last_one_is_taken(tmp_path, order):
    other = {**GOOD, "ended": "2026-01-02T10:00:00+00:00", "metrics": {"test/accuracy": 0.75}}
    records, (fault,) = gather(in_folder(tmp_path, *[GOOD, other][::order]))
    assert [one.metrics["test/accuracy"] for one in records] == [0.75]
    assert "0123456789ab" in fault
    assert "differs" in fault


@pytest.mark.parametrize("started", ["2999-01-01T00:00:00+00:00", "", "tomorrow", "9" * 300])
def test_a_record_from_the_future_is_a_record(tmp_path, started):
    assert len(gather(in_folder(tmp_path, {**GOOD, "started": started})).records) == 1


def test_a_few_are_named_and_the_others_counted(capsys):
    tell(f"file {number}\x1b[31m" for number in range(SHOWN + 3))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == SHOWN + 1
    assert lines[-1] == "left out: and 3 more"
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("environment", [{}, {"packages": None}, {"packages": ["torch"]}, {"commit": ["a"]}])
def test_the_code_of_any_environment(environment):
    assert differing_code([Record(status="failed", environment=environment), Record(status="failed")]) in (
        None,
        "The records differ in the code that made them: commit.",
    )


@pytest.mark.parametrize("words", [["table"], ["table", "--markdown"]])
def test_the_verb_takes_a_saved_file_too(tmp_path, capsys, words):
    from poolab.cli import main

    (tmp_path / "saved.jsonl").write_bytes(lines(GOOD))
    assert main([*words, "--runs", str(tmp_path / "saved.jsonl")]) == 0
    assert "0.5000" in capsys.readouterr().out
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert main([*words, "--runs", str(tmp_path / "picture.png")]) == 2
    assert main([*words, "--runs", str(tmp_path / "absent")]) == 2
    assert "there are no records in" in capsys.readouterr().err
