"""`poolab study cancel` and the runners of this machine."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from poolab.cli import main
from poolab.study.runner.registry import announced, stop_runners


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_running_study_is_asked_to_stop_and_goes_on_later(place, capsys):
    script = 'trap "echo stopped >> done; exit 1" TERM; echo begun >> done; sleep 60 & wait'
    content = {
        "program": "s.sh",
        "method": "grid",
        "parameters": {"a": {"values": [1, 2]}},
        "command": ["sh", "-c", script],
    }
    Path("s.yaml").write_text(yaml.safe_dump(content))
    command = [sys.executable, "-m", "poolab", "study", "run", "s.yaml", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as runner:
        end = time.monotonic() + 60
        while not Path("done").exists():
            assert runner.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        assert main(["study", "cancel", "other.yaml"]) == 2  # no such file
        Path("other.yaml").write_text(Path("s.yaml").read_text())
        assert main(["study", "cancel", "other.yaml"]) == 0
        assert "nothing of other runs or waits" in capsys.readouterr().out
        assert main(["study", "cancel", "s.yaml"]) == 0
        assert f"asked the runner with pid {runner.pid} to stop" in capsys.readouterr().out
        assert runner.wait(30) == 130
    assert Path("done").read_text().split() == ["begun", "stopped"]
    assert not list(Path("runs/studies").glob("*.runners"))
    assert main(["study", "cancel", "s.yaml"]) == 0
    assert "nothing of s runs or waits" in capsys.readouterr().out


def test_a_runner_that_was_killed_is_nobody_and_one_of_another_machine_is_told(place, monkeypatch):
    folder = place / "studies" / "s.runners"
    folder.mkdir(parents=True)
    (folder / "dead").write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
    with open(folder / "far", "w") as far:
        json.dump({"host": "far", "pid": 7}, far)
        far.flush()
        fcntl.flock(far, fcntl.LOCK_EX)
        monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it is not ours"))
        assert stop_runners(place, "s") == ["a runner works on far: stop it there (kill -TERM 7)"]
    assert [path.name for path in folder.iterdir()] == ["far"]


def test_two_runners_are_both_asked_and_no_other_study(place, monkeypatch):
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    with announced(place, "s"):
        assert stop_runners(place, "t") == []
        assert len(stop_runners(place, "s")) == 1
    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert stop_runners(place, "s") == []


def test_cancel_takes_no_settings(place, capsys):
    Path("s.yaml").write_text("program: train.py\nmethod: grid\nparameters: {seed: {value: 0}}\n")
    assert main(["study", "cancel", "s.yaml", "seed=3"]) == 2
    assert "takes no key=value, found seed=3" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_keeps_no_study_from_running(place):
    Path("file").touch()
    with announced(place / "file", "s"):
        pass
