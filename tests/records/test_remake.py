"""A finished run that is made again: at any moment there is the old record or the new one, whole."""

import os
import subprocess
import sys

import pytest

from poolab.records import RunFolder, scan_results

NEW = {"status": "completed", "started": "2", "config": {}, "metrics": {"n": 2}}
OLD = {**NEW, "started": "1", "metrics": {"n": 1}}


@pytest.fixture
def folder(tmp_path):
    """An old record with files of its own, and a new one that is to take its place."""
    old = RunFolder(tmp_path, "0123456789ab").make()
    old.write_json("result.json", OLD)
    (old / ".lock").touch()
    for name in ("test_examples.npz", "error.txt"):
        (old / name).write_text("old")
    (old / "wandb").mkdir()
    (old / "wandb" / "old").touch()
    new = old.remake.make()
    new.write_json("result.json", NEW)
    (new / "test_examples.npz").write_text("new")
    (new / "wandb").mkdir()
    (new / "wandb" / "new").touch()
    return old


def is_new(folder):
    names = {".lock", "result.json", "test_examples.npz", "wandb"}
    return (
        folder.result.metrics == {"n": 2}
        and (folder / "test_examples.npz").read_text() == "new"
        and os.listdir(folder / "wandb") == ["new"]
        and set(os.listdir(folder.path)) - {".remake"} == names  # killed before its end, it is left empty
    )


def test_the_old_record_counts_until_the_new_one_is_adopted(folder):
    assert folder.result.metrics == {"n": 1}
    assert folder.latest.metrics == {"n": 2}
    assert folder.remake.signature == folder.signature
    folder.adopt()
    assert is_new(folder)
    assert folder.latest == folder.result


KILLED = """
import os, signal, sys
from poolab.records import RunFolder
left = int(sys.argv[3])
def counted(call):
    def made(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **named)
    return made
for name in ("replace", "unlink", "rmdir", "fsync"):
    setattr(os, name, counted(getattr(os, name)))
RunFolder(sys.argv[1], sys.argv[2]).adopt()
"""


def test_killed_at_any_step_a_reader_finds_the_old_record_or_the_new(folder, tmp_path_factory):
    import shutil

    codes = []
    for step in range(40):
        runs = tmp_path_factory.mktemp("runs")
        copy = RunFolder(runs, folder.signature)
        shutil.copytree(folder.path, copy.path)
        done = subprocess.run([sys.executable, "-c", KILLED, str(runs), copy.signature, str(step)])
        codes.append(done.returncode)
        (record,), faults = scan_results(runs)
        assert faults == []
        assert record.metrics in ({"n": 1}, {"n": 2})
        untouched = (copy / "test_examples.npz").read_text() == "old" and (copy / "error.txt").exists()
        assert is_new(copy) or (untouched and copy.result.metrics == {"n": 1})
        if done.returncode == 0:
            break
    assert codes[-1] == 0
    assert codes.count(-9) > 5
