"""Records that are damaged, foreign or hand-written: the file is named, nothing hangs, and the others are read."""

import json
import os

import pytest

from poolab.errors import PoolabError
from poolab.records import SCHEMA_VERSION, RunFolder, read_results, scan_results
from poolab.records.reading import LARGEST, read_json, read_record

GOOD = {"schema_version": 1, "status": "completed", "started": "2026-01-01", "config": {}, "metrics": {"test/loss": 1}}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs", "0123456789ab").make()


def changed(**values):
    return json.dumps({**GOOD, **values}).encode()


def without(name):
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


# Those that hold in a record of any form, and what the sentence says of it.
DAMAGED = {
    "cut off": (b'{"status": "comp', "Unterminated string"),
    "empty": (b"", "Expecting value"),
    "a list": (b"[]", "not a mapping but a list"),
    "null": (b"null", "not a mapping but null"),
    "a number": (b"3", "not a mapping but a number"),
    "no status": (b'{"signature": 1}', "status must be one of completed, .*found None"),
    "not UTF-8": (b"\xff\xfe", "not UTF-8 text"),
    "nested": (b"[" * 100_000, "nested too deeply"),
    "many digits": (b'{"status": ' + b"9" * 5000 + b"}", "digits"),
    "NaN": (b'{"status": "completed", "metrics": {"a": NaN}}', "NaN is not a JSON number"),
    "too large a number": (b'{"status": "completed", "metrics": {"a": 1e999}}', "metrics.a must be a finite number"),
    "NUL bytes": (bytes(4096), "Expecting value"),
    "unknown status": (changed(status="unknown"), "status must be one of .*found 'unknown'"),
    "a status that is a list": (changed(status=["completed"]), r"found \['completed'\]"),
    "a status that is true": (changed(status=True), "found True"),
    "a newer schema": (changed(schema_version=SCHEMA_VERSION + 1), "a newer poolab wrote it"),
    "a schema in words": (changed(schema_version="two"), "schema_version must be a whole number, found 'two'"),
    "no metrics": (changed(metrics=None), "metrics must be a mapping, found null"),
    "metrics in a list": (changed(metrics=[1]), "metrics must be a mapping, found a list"),
    "a metric in words": (changed(metrics={"test/accuracy": "high"}), "metrics.test/accuracy must be .*found 'high'"),
    "a metric that is a list": (changed(metrics={"a": [1], "b": {}}), "metrics.a and 1 more must be"),
    "a configuration in words": (changed(config="resnet"), "config must be a mapping, found a text"),
    "notes in a list": (changed(notes=[]), "notes must be a mapping"),
    "an environment of null": (changed(environment=None), "environment must be a mapping, found null"),
    "a start in seconds": (changed(started=1.5), "started must be a text, found a number"),
    "a reason in a list": (changed(reason=["no"]), "reason must be a text or null, found a list"),
}


@pytest.mark.parametrize(("content", "says"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_record_that_cannot_be_used_names_its_file_and_is_no_licence_to_train_over_it(folder, content, says):
    (folder / "result.json").write_bytes(content)
    with pytest.raises(PoolabError, match=rf"(?s)0123456789ab/result\.json .*{says}.*delete or move that file"):
        _ = folder.finished
    assert (folder / "result.json").read_bytes() == content


@pytest.mark.parametrize(("content", "says"), DAMAGED.values(), ids=DAMAGED.keys())
def test_the_other_records_of_the_folder_are_read(folder, content, says):
    (folder / "result.json").write_bytes(content)
    RunFolder(folder.path.parent, "good").make().write_json("result.json", GOOD)
    records, faults = scan_results(folder.path.parent)
    assert [record.signature for record in records] == ["good"]
    (fault,) = faults
    assert "0123456789ab/result.json" in fault
    assert "\n" not in fault
    with pytest.warns(UserWarning, match=r"left out: the record .*0123456789ab/result\.json"):
        assert read_results(folder.path.parent) == records


@pytest.mark.parametrize("name", ["started", "config", "metrics"])
def test_a_record_without_what_tables_need_is_left_out_of_them(folder, name):
    (folder / "result.json").write_bytes(without(name))
    records, (fault,) = scan_results(folder.path.parent)
    assert records == []
    assert f"{name} is missing" in fault
    assert folder.finished  # but the run is not made again for that


def test_what_a_record_need_not_say_has_a_value(folder):
    folder.write_json("result.json", GOOD)
    (record,), faults = scan_results(folder.path.parent)
    assert (record.signature, record.notes, record.reason, faults) == ("0123456789ab", {}, None, [])


def pipe(path):
    os.mkfifo(path)


def a_folder(path):
    path.mkdir()


def device(path):
    path.symlink_to("/dev/zero")


def loop(path):
    path.symlink_to(path)


def huge(path):
    with open(path, "wb") as file:
        file.truncate(LARGEST + 1)  # a hole: takes no room


@pytest.mark.parametrize("make", [pipe, a_folder, device, loop, huge])
def test_a_thing_that_is_no_file_neither_hangs_nor_ends_in_a_traceback(folder, make):
    make(folder / "result.json")
    with pytest.raises(PoolabError, match=r"0123456789ab/result\.json cannot be read: "):
        _ = folder.finished
    records, (fault,) = scan_results(folder.path.parent)
    assert records == []
    assert "result.json cannot be read" in fault


def test_a_link_to_nothing_is_no_record(folder):
    (folder / "result.json").symlink_to("nowhere")
    assert folder.result is None
    assert scan_results(folder.path.parent) == ([], [])


def test_a_byte_order_mark_does_no_harm(folder):
    (folder / "result.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert folder.finished


def test_the_form_is_utf8_whatever_the_locale(folder):
    (folder / "result.json").write_text(json.dumps({**GOOD, "reason": "é"}, ensure_ascii=False), encoding="utf-8")
    assert folder.result.reason == "é"


def test_a_file_of_the_largest_size_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1, 2]")
    assert read_json(path, largest=6) == [1, 2]
    with pytest.raises(ValueError, match=r"it has 6 bytes, more than the 5 that are read"):
        read_json(path, largest=5)
    assert LARGEST == 64 * 2**20


def test_bytes_that_are_no_text_are_told_with_their_place(tmp_path):
    (tmp_path / "a.json").write_bytes(b'["\xff"]')
    with pytest.raises(ValueError, match=r"^it is not UTF-8 text: invalid start byte at byte 2$"):
        read_json(tmp_path / "a.json")


def test_no_file_is_no_record(tmp_path):
    (tmp_path / "file").touch()
    assert read_record(tmp_path / "missing") is None
    assert read_record(tmp_path / "file" / "result.json") is None


@pytest.mark.parametrize(("adopted", "written", "seen"), [
    (True, True, "interrupted"), (True, False, "completed"), (False, True, "completed"),
])  # fmt: skip
def test_the_new_record_counts_once_it_is_whole(folder, adopted, written, seen):
    folder.write_json("result.json", GOOD)
    (folder / ".remake").mkdir()
    if written:
        (folder / ".remake" / "result.json").write_bytes(changed(status="interrupted"))
    if adopted:
        (folder / ".remake" / ".adopt").touch()
    (record,), _ = scan_results(folder.path.parent)
    assert record.status == seen


def test_a_record_knows_the_folder_that_it_was_read_from(folder):
    folder.write_json("result.json", GOOD)
    (record,), _ = scan_results(folder.path.parent)
    assert record.where == str(folder.path.parent)
    assert record.folder == folder.path
    assert read_record(folder.path / "result.json", "0123456789ab", str(folder.path.parent)) == record
    assert read_record(folder.path / "result.json", "0123456789ab", "elsewhere").where == "elsewhere"
    assert read_record(folder.path / "result.json").folder is None
