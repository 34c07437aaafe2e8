"""The journal and the claims: what a full disk, a killed writer and another machine do to them."""

import errno
import fcntl
import json
import os
import resource
import subprocess
import sys

import pytest

from poolab.study.runner import locks
from poolab.study.runner.journal import DiskFull, Journal
from poolab.study.runner.locks import Claim
from poolab.study.runner.outcomes import Ending, ending


def test_an_end_is_written_into_the_line_of_its_beginning(tmp_path):
    journal = Journal(tmp_path / "studies" / "s.jsonl")
    places = [journal.begin({"cell": name}) for name in "ab"]
    size = journal.path.stat().st_size
    journal.end(places[1], {"outcome": "failed", "reason": "ü" * 1000})
    journal.end(places[0], {"outcome": "completed"})
    assert journal.path.stat().st_size == size
    first, second = journal.entries()
    assert first == {"cell": "a", "outcome": "completed"}
    assert second["outcome"] == "failed"
    assert 50 < len(second["reason"]) < 1000


@pytest.mark.parametrize("cut", [0, 10])
def test_a_full_disk_takes_nothing_or_all(tmp_path, monkeypatch, cut):
    journal = Journal(tmp_path / "s.jsonl")
    place = journal.begin({"cell": "a"})
    before = journal.path.read_bytes()
    pwrite = os.pwrite

    def full(file, content, where):
        if where < len(before):  # there is room for what is there
            return pwrite(file, content, where)
        if not cut:
            raise OSError(errno.ENOSPC, "no space left on device")
        return pwrite(file, content[:cut], where)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DiskFull, match="make room"):
        journal.begin({"cell": "b"})
    assert journal.path.read_bytes() == before
    journal.end(place, {"outcome": "completed"})
    assert journal.entries() == [{"cell": "a", "outcome": "completed"}]


def test_the_line_of_a_writer_that_was_killed_is_written_over(tmp_path):
    journal = Journal(tmp_path / "s.jsonl")
    journal.begin({"cell": "a"})
    with journal.path.open("ab") as file:
        file.write(b'{"cell": "tor')
    assert [entry["cell"] for entry in journal.entries()] == ["a"]
    journal.begin({"cell": "b"})
    assert [entry["cell"] for entry in journal.entries()] == ["a", "b"]


def test_a_journal_that_is_deleted_meanwhile(tmp_path):
    journal = Journal(tmp_path / "s.jsonl")
    assert journal.entries() == []
    place = journal.begin({"cell": "a"})
    journal.path.unlink()
    journal.end(place, {"outcome": "completed"})
    assert journal.entries() == [{"outcome": "completed"}]


def test_a_claim_lives_as_long_as_who_inherited_it(tmp_path):
    claim = Claim.take(tmp_path / "cell")
    heir = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[claim.file])
    claim.close()
    assert Claim.take(tmp_path / "cell") is None
    heir.kill()
    heir.communicate()
    again = Claim.take(tmp_path / "cell")
    assert again is not None
    again.release(done=False)
    assert not Claim.done(tmp_path / "cell")


def test_what_is_done_stays_done(tmp_path):
    Claim.take(tmp_path / "cell").release(done=True)
    assert Claim.done(tmp_path / "cell")
    claim = Claim.take(tmp_path / "cell")
    assert Claim.done(tmp_path / "cell")
    claim.close()
    assert not Claim.done(tmp_path / "other")


def test_another_machine_takes_over_what_shows_no_sign_of_life(tmp_path, monkeypatch):
    """On a share whose locks do not reach from one machine to the other."""
    path = tmp_path / "cell"
    claim = Claim.take(path)
    monkeypatch.setattr(locks.socket, "gethostname", lambda: "elsewhere")
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert Claim.take(path) is None
    old = path.stat().st_mtime - locks.EXPIRES - 1
    os.utime(path, (old, old))
    claim.beat()
    assert Claim.take(path) is None
    os.utime(path, (old, old))
    taken = Claim.take(path)
    assert taken is not None
    assert json.loads(path.read_text())["host"] == "elsewhere"
    taken.close()
    claim.close()


def test_without_locks_the_sign_of_life_is_all(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    claim = Claim.take(tmp_path / "cell")
    monkeypatch.setattr(locks.socket, "gethostname", lambda: "elsewhere")
    assert Claim.take(tmp_path / "cell") is None
    claim.close()
    journal = Journal(tmp_path / "s.jsonl")
    journal.begin({"cell": "a"})
    assert journal.entries() == [{"cell": "a"}]


def test_a_claim_that_finds_no_room_is_none(tmp_path):
    """A limit on the size of files stands for the full disk: the kernel writes a part, then refuses."""
    code = (
        "import resource, sys, pathlib; from poolab.study.runner.locks import Claim\n"
        "from poolab.study.runner.journal import DiskFull\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: Claim.take(pathlib.Path(sys.argv[1]))\n"
        "except DiskFull as fault: print(fault)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "cell")], capture_output=True, text=True)
    assert "the disk is full" in done.stdout, done.stderr
    assert (tmp_path / "cell").stat().st_size == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize(("code", "status", "outcome", "words"), [
    (0, "completed", "completed", ""),
    (0, "diverged", "diverged", "why"),
    (130, "interrupted", "interrupted", "asked to stop"),
    (2, None, "refused", "the last words"),
    (1, "failed", "failed", "exit code 1: the last words"),
    (None, None, "failed", "its end was not seen"),
    (0, None, "failed", "without a record"),
    (-9, None, "killed", "killed by SIGKILL, while the system ran out of memory"),
    (-9, "completed", "completed", ""),
])  # fmt: skip
def test_how_a_run_ended(tmp_path, code, status, outcome, words):
    log, folder = tmp_path / "log", tmp_path / "run"
    log.write_text("the first\nthe last words\n\n")
    folder.mkdir()
    if status:
        (folder / "result.json").write_text(json.dumps({"status": status, "reason": "why" if words else None}))
    became = ending(code, str(log), folder, out_of_memory=True)
    assert became.outcome == outcome
    assert words in became.reason


def test_a_run_that_another_process_makes_is_busy(tmp_path):
    log = tmp_path / "log"
    log.write_text("poolab: another process is making this run (runs/x); wait for it\n")
    became = ending(2, str(log), tmp_path / "run")
    assert became.outcome == "busy"
    assert not became.final


def test_a_program_without_records_is_known_by_its_code(tmp_path):
    assert ending(0, "", None) == Ending("completed")
    assert ending(3, "", None) == Ending("failed", "exit code 3: it printed nothing")
