"""The load of others is the machine's busy time without this process's own."""

import subprocess
import sys
import time

import pytest

from poolab.measure import other_load
from poolab.measure.other_load import OtherLoad

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the busy time of all processes")


def _stat(tmp_path, monkeypatch, *lines):
    """A clock of one second a reading, and a machine whose busy time is as given."""
    ticks = iter(lines)
    seconds = iter(range(100))
    monkeypatch.setattr(other_load.Path, "read_text", lambda *_, **__: next(ticks))
    monkeypatch.setattr(other_load.time, "monotonic", lambda: float(next(seconds)))


@LINUX
@pytest.mark.parametrize(
    ("before", "after", "cores"),
    [
        ("cpu  0 0 0 0 0 0 0 0", "cpu  150 0 0 900 0 0 0 0", 1.5),
        ("cpu  0 0 0 0 0 0 0 0", "cpu  0 20 30 0 900 0 0 50", 1.0),  # waiting for a disk is not busy, a thief is
        ("cpu  7 7 7 7 7 7 7 7", "cpu  7 7 7 99 99 7 7 7", 0.0),
    ],
)
def test_busy_time_of_others(tmp_path, monkeypatch, before, after, cores):
    monkeypatch.setattr(other_load.os, "times", lambda: other_load.os.times_result((0, 0, 0, 0, 0)))
    monkeypatch.setattr(other_load.os, "sysconf", lambda name: 100)
    _stat(tmp_path, monkeypatch, before, after)
    assert OtherLoad().cores() == cores


@LINUX
def test_another_process_counts_and_this_one_does_not():
    command = "import time; end = time.time() + 30\nwhile time.time() < end: pass"
    load = OtherLoad()
    with subprocess.Popen([sys.executable, "-c", command]) as other:
        time.sleep(2)
        found = load.cores()
        other.kill()
    assert found is not None
    assert found > 0.1  # a whole core on an idle machine


def test_a_system_that_does_not_say(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(other_load.Path, "read_text", missing)
    assert OtherLoad().cores() is None


@pytest.mark.parametrize("answers", [(None, (1.0, 1.0, 0.0)), ((1.0, 1.0, 0.0), None)])
def test_a_system_that_says_it_only_once(monkeypatch, answers):
    told = iter(answers)
    monkeypatch.setattr(other_load, "_now", lambda: next(told))
    assert OtherLoad().cores() is None
