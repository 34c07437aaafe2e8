"""A record is read from JSON and written as JSON in one place; older versions are migrated step by step."""

import copy
import gzip
import json

import pytest

from poolab.records import SCHEMA_VERSION, Record, RecordError, RunFolder, gather, result_record, scan_results
from poolab.records import migrations as steps
from poolab.records.record import KNOWN, NO_SEED

WHOLE = {
    "schema_version": SCHEMA_VERSION,
    "signature": "0123456789ab",
    "status": "diverged",
    "reason": "the loss became nan",
    "seed": 3,
    "config": {"seed": 3, "pooling": {"name": "lp", "p": "inf"}, "optim": {"betas": [0.9, 0.999]}},
    "metrics": {"test/accuracy": 0.5, "test/loss": None, "epochs": 3},
    "notes": {"cost": "not measured"},
    "environment": {"data_fingerprint": "digits-1", "packages": {"torch": "2.14"}},
    "measured": {"shift": {"at": "2026-01-02T10:00:00+00:00", "commit": None}},
    "started": "2026-01-01T10:00:00+00:00",
    "ended": "2026-01-01T10:00:30+00:00",
    "history": {"val/accuracy": [0.1, 0.5]},
    "test_correct": {"n": 3, "bits": "oA=="},
}


def test_what_is_read_is_written():
    assert WHOLE.keys() == KNOWN
    assert Record.from_json(copy.deepcopy(WHOLE)).to_json() == WHOLE
    assert list(Record.from_json(WHOLE).to_json()) == list(WHOLE)


@pytest.mark.parametrize("left_out", [{"history", "test_correct"}, {"seed"}, KNOWN - {"status", "schema_version"}])
def test_what_a_record_does_not_say_is_not_invented(left_out):
    given = {key: value for key, value in WHOLE.items() if key not in left_out}
    written = Record.from_json(given).to_json()
    assert {key: written[key] for key in given} == given
    assert written.get("history") is written.get("test_correct") is None or not left_out & {"history"}
    assert Record.from_json(written) == Record.from_json(given)


def test_what_this_version_does_not_know_is_kept():
    given = {**WHOLE, "colour": {"of": ["the", 1]}, "nothing": None}
    record = Record.from_json(given)
    assert record.other == {"colour": {"of": ["the", 1]}, "nothing": None}
    assert record.to_json() == given


def test_the_record_of_a_run_is_the_one_in_its_folder(tmp_path):
    metrics = {"test/loss": float("nan"), "test/accuracy": 0.5}
    config = {"seed": 0, "pooling": {"name": "lp", "p": 3.5}}
    told = result_record(signature="0123456789ab", status="completed", config=config, metrics=metrics, environment={},
                         started="2026-01-01T10:00:00+00:00", ended="2026-01-01T10:00:30+00:00")  # fmt: skip
    folder = RunFolder(tmp_path, told.signature).make()
    folder.write_record(told)
    assert folder.result == folder.latest == scan_results(tmp_path)[0][0] == told
    assert (told.value("test/loss"), told.value("test/accuracy"), told.value("none")) == (None, 0.5, None)
    assert told.settings == {"seed": 0, "pooling.name": "lp", "pooling.p": 3.5}


@pytest.mark.parametrize("where", ["folder", "saved.jsonl", "saved.jsonl.gz"])
def test_numbers_that_are_not_finite_are_none_wherever_they_are_read(tmp_path, where):
    config = {"seed": 3, "pooling": {"name": "lp"}}
    given = {**WHOLE, "config": config, "metrics": {"a": "nan", "b": "inf", "c": "-inf", "d": 1}}
    if where == "folder":
        RunFolder(tmp_path / where, "0123456789ab").make().write_json("result.json", given)
    else:
        line = json.dumps(given).encode()
        (tmp_path / where).write_bytes(gzip.compress(line) if where.endswith(".gz") else line)
    (record,), faults = gather(tmp_path / where)
    assert faults == []
    assert record.metrics == {"a": None, "b": None, "c": None, "d": 1}
    assert record.where == str(tmp_path / where)


@pytest.mark.parametrize(("given", "seed"), [
    ({"seed": 3}, 3), ({"seed": "3"}, 7), ({"seed": True}, 7), ({"seed": None}, 7), ({}, 7),
    ({"seed": 0}, 0), ({"config": {}}, NO_SEED), ({"config": {"seed": "x"}}, NO_SEED),
])  # fmt: skip
def test_the_seed_is_the_records_or_that_of_its_configuration(given, seed):
    record = Record.from_json({"status": "completed", "config": {"seed": 7}, **given})
    assert record.seed == seed
    assert record.to_json().get("seed", NO_SEED) == seed


@pytest.mark.parametrize("signature", [None, 7, ["a"]])
def test_a_folder_names_a_run_whose_record_does_not(tmp_path, signature):
    given = {**WHOLE, "signature": signature}
    RunFolder(tmp_path, "ab").make().write_json("result.json", given)
    assert [record.signature for record in scan_results(tmp_path)[0]] == ["ab"]
    assert RunFolder(tmp_path, "ab").result.signature == "ab"
    assert Record.from_json(given).signature == ""


def test_all_faults_are_named_at_once():
    with pytest.raises(RecordError) as told:
        Record.from_json({"status": "gone", "config": 1, "metrics": {"a": "x"}}, whole=True)
    for fault in ("status must be", "config must be a mapping", "metrics.a must be a finite", "started is missing"):
        assert fault in str(told.value)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99])
def test_a_newer_version_is_refused(version):
    with pytest.raises(RecordError, match=f"schema_version is {version}: a newer poolab wrote it"):
        Record.from_json({**WHOLE, "schema_version": version})


@pytest.fixture
def two_steps(monkeypatch):
    """Two versions more than there are: what each step was given."""
    seen = []

    def step(name):
        def change(content):
            seen.append(name)
            return {**content, "metrics": {f"{key}{name}": value for key, value in content["metrics"].items()}}

        return change

    first = SCHEMA_VERSION
    for module in ("schema", "form", "migrations", "record"):
        monkeypatch.setattr(f"poolab.records.{module}.SCHEMA_VERSION", first + 2)
    later = {first: step("+"), first + 1: step("*")}
    monkeypatch.setattr(steps, "MIGRATIONS", {**steps.MIGRATIONS, **later})
    return seen


@pytest.mark.parametrize(("version", "name", "taken"), [
    (SCHEMA_VERSION, "a+*", ["+", "*"]), (SCHEMA_VERSION + 1, "a*", ["*"]), (SCHEMA_VERSION + 2, "a", []),
    (None, "a+*", ["+", "*"]), (0, "a+*", ["+", "*"]),
])  # fmt: skip
def test_an_older_record_is_brought_to_todays_form_one_version_at_a_time(two_steps, version, name, taken):
    given = {**WHOLE, "schema_version": version, "metrics": {"a": 1}}
    if version is None:
        del given["schema_version"]
    unchanged = copy.deepcopy(given)
    record = Record.from_json(given)
    assert (record.metrics, two_steps, given) == ({name: 1}, taken, unchanged)


def test_each_version_before_todays_has_a_step():
    assert sorted(steps.MIGRATIONS) == list(range(1, SCHEMA_VERSION))


def test_a_record_cannot_be_changed():
    with pytest.raises(AttributeError):
        Record.from_json(WHOLE).status = "completed"
