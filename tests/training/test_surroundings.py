"""What surrounds a run and is not its own: the working folder, paths as objects, another Hydra application."""

import os
from pathlib import Path

import pytest

from poolab.errors import PoolabError
from poolab.training.launcher import launch


def test_a_working_folder_that_was_deleted_is_one_sentence(configured, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    config = configured(tmp_path / "runs")
    gone.rmdir()
    try:
        with pytest.raises(PoolabError, match=r"the working folder is gone .*change to another one"):
            launch(config)
    finally:
        os.chdir(tmp_path)


def test_paths_may_be_objects(launched, configured, tmp_path):
    record, folder, _ = launched(tmp_path, "trainer.epochs=1")
    config = configured(tmp_path, "trainer.epochs=1")
    config["runs_dir"] = Path(config["runs_dir"])
    config["data"]["cache_dir"] = tmp_path / "cache"
    assert launch(config) == (record, folder, False)


def test_a_clock_in_the_far_future_or_turned_back(launched, monkeypatch, tmp_path):
    import time

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1e10)
    assert launched(tmp_path, "trainer.epochs=1")[0].status == "completed"
    monkeypatch.setattr(time, "time", lambda: real() - 1e9)
    assert launched(tmp_path, "trainer.epochs=1", "force=true")[0].status == "completed"


def test_a_user_without_a_home_and_a_name(configured, monkeypatch, tmp_path):
    import pwd

    def unknown(*_):
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "POOLAB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "remembered by monkeypatch, so that it is put back")
    monkeypatch.delenv("HOME")
    assert launch(configured(tmp_path, "trainer.epochs=1"))[0].status == "completed"
