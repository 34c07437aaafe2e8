import json
import os
import subprocess
import sys
import threading

import pytest

from poolab.errors import PoolabError
from poolab.records import RunFolder, read_results
from poolab.records.store import write_atomically

WHOLE = {"status": "failed", "config": {}, "metrics": {}}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs", "0123456789ab").make()


@pytest.mark.parametrize(
    ("status", "finished"), [("completed", True), ("diverged", True), ("failed", False), ("interrupted", False)]
)
def test_what_counts_as_finished(folder, status, finished):
    assert not folder.finished
    folder.write_json("result.json", {"status": status})
    assert folder.finished is finished


def test_numbers_that_json_does_not_have_are_texts(folder):
    folder.write_json("config.json", {"pooling": {"p": float("inf")}, "tags": ("a", float("nan"))})
    text = (folder / "config.json").read_text()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")) == {
        "pooling": {"p": "inf"},
        "tags": ["a", "nan"],
    }


def test_a_reader_never_sees_a_part(tmp_path):
    path, whole = tmp_path / "result.json", {"a" * 200_000, "b" * 200_000}
    write_atomically(path, "a" * 200_000)
    seen, done = [], threading.Event()

    def read():
        while not done.is_set():
            seen.append(path.read_text() in whole)

    reader = threading.Thread(target=read)
    reader.start()
    for letter in "ba" * 20:
        write_atomically(path, letter * 200_000)
    done.set()
    reader.join()
    assert seen
    assert all(seen)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "result.json"
    write_atomically(path, "old")

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="the disk is full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_others_may_read_a_record(folder):
    folder.write_json("result.json", {"status": "completed"})
    assert (folder / "result.json").stat().st_mode & 0o777 == 0o644


def test_a_folder_is_held_once_and_free_afterwards(folder):
    refused = pytest.raises(PoolabError, match=r"another process is making this run .*0123456789ab")
    with folder.claimed(), refused, folder.claimed():
        pass
    with folder.claimed():
        pass


def test_the_lock_of_a_killed_process_is_free(folder):
    held = (
        "import sys, os, signal; from poolab.records import RunFolder\n"
        "with RunFolder(sys.argv[1], sys.argv[2]).claimed(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", held, str(folder.path.parent), folder.signature])
    assert killed.returncode == -9
    with folder.claimed():
        pass


def test_an_emptied_folder_keeps_its_lock(folder):
    with folder.claimed():
        (folder / "last.ckpt").write_text("")
        (folder / "wandb").mkdir()
        (folder / "wandb" / "log").write_text("")
        folder.clear()
        assert os.listdir(folder.path) == [".lock"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PoolabError, match=r"file/0123456789ab.*choose another runs_dir"):
        RunFolder(tmp_path / "file", "0123456789ab").make()


def test_results_come_oldest_first_and_only_where_they_are(tmp_path):
    for name, started in (("b", "2026-01-02"), ("a", "2026-01-03"), ("c", "2026-01-01")):
        RunFolder(tmp_path, name).make().write_json("result.json", {**WHOLE, "started": started, "n": name})
    RunFolder(tmp_path, "unfinished").make()
    assert [result.other["n"] for result in read_results(tmp_path)] == ["c", "b", "a"]
    assert read_results(tmp_path / "nowhere") == []


def test_a_lock_that_cannot_be_opened_is_one_sentence(tmp_path):
    folder = RunFolder(tmp_path, "0123456789ab").make()
    (folder / ".lock").mkdir()
    with pytest.raises(PoolabError, match=r"the lock .*\.lock cannot be opened: .*; remove it"), folder.claimed():
        pass
