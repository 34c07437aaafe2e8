"""`poolab study run` with a stand-in program: endings, retries, kill -9 of everybody, Ctrl-C, a full disk."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from poolab.errors import ConfigError
from poolab.study.run import run_study
from poolab.study.runner.journal import Journal
from poolab.study.runner.locks import Claim
from poolab.study.sweep.command import command
from poolab.study.sweep.sweep_file import read_study

# A cell writes its name into `done` as its last act; like train.py it finishes what it does when it is asked to stop.
DURABLE = 'trap "" TERM; sleep 0.05; echo "$*" >> done'


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study_file(script, cells, name="s", words=("${args_no_hyphens}",)):
    """A study whose cells are `sh` with a script; they are called a=0, a=1 and so on."""
    content = {
        "program": f"{name}.sh",
        "method": "grid",
        "parameters": {"a": {"values": list(range(cells))}},
        "command": ["sh", "${program}", *words],
    }
    Path(f"{name}.sh").write_text(script)
    Path(f"{name}.yaml").write_text(yaml.safe_dump(content))
    return f"{name}.yaml"


def ran(path, **options):
    return run_study(read_study(path), **options)


def started(path, *options, **how):
    """A runner in a process of its own."""
    command = [sys.executable, "-m", "poolab", "study", "run", path, "--workers", "2", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)


def done(name="done"):
    return sorted(Path(name).read_text().splitlines()) if Path(name).exists() else []


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def all_of(cells):
    return sorted(f"a={number}" for number in range(cells))


def children(pid):
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def killed_newest(server):
    """Whether a cell was killed before it had ended."""
    for pid in children(server)[-1:]:
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
    return outcomes()["killed"] > 0


def outcomes(name="s"):
    return Counter(entry.get("outcome") for entry in Journal(Path("runs") / "studies" / f"{name}.jsonl").entries())


def test_every_cell_is_run_once_and_never_again(place, capsys):
    path = study_file('echo "$*" >> done', 20)
    outcome = ran(path, workers=3)
    assert (outcome.code, outcome.completed, outcome.earlier) == (0, 20, 0)
    assert done() == all_of(20)
    again = ran(path)
    assert (again.code, again.completed, again.earlier) == (0, 20, 20)
    assert done() == all_of(20)
    assert "20/20 done, 20 of them earlier" in capsys.readouterr().out
    entries = Journal(again.journal).entries()
    assert len(entries) == 20
    assert entries[0].keys() == {"cell", "what", "attempt", "started", "ended", "seconds", "code", "outcome"}


def test_another_study_of_the_folder_shares_the_cells(place):
    ran(study_file('echo "$*" >> done', 4))
    content = yaml.safe_load(Path("s.yaml").read_text())
    content["parameters"]["a"]["values"] = [2, 3, 4]
    Path("t.yaml").write_text(yaml.safe_dump(content))
    assert ran("t.yaml").earlier == 2
    assert done() == all_of(5)


def test_a_cell_that_fails_twice_and_then_works(place, capsys):
    script = (
        '[ "$1" = a=1 ] && echo x >> tries && [ $(wc -l < tries) -lt 3 ] && echo no luck && exit 3; echo "$*" >> done'
    )
    outcome = ran(study_file(script, 4), workers=2)
    assert (outcome.code, outcome.completed) == (0, 4)
    assert done() == all_of(4)
    tried = [entry for entry in Journal(outcome.journal).entries() if entry["what"] == "a=1"]
    assert [(one["attempt"], one["outcome"], one["code"]) for one in tried] == [
        (1, "failed", 3),
        (2, "failed", 3),
        (3, "completed", 0),
    ]
    assert tried[0]["reason"] == "exit code 3: no luck"
    assert "failed, is tried again: a=1" in capsys.readouterr().out


def test_what_fails_for_good_stops_no_other_and_is_tried_again_by_the_next_run(place):
    path = study_file('[ "$1" = a=0 ] && [ ! -e mended ] && kill -9 $$; echo "$*" >> done', 4)
    outcome = ran(path, retries=1)
    assert (outcome.code, outcome.completed, len(outcome.failed)) == (1, 3, 1)
    assert outcomes() == {"killed": 2, "completed": 3}
    (ending,) = outcome.failed.values()
    assert ending.reason.startswith("killed by SIGKILL")
    Path("mended").touch()
    assert ran(path).code == 0
    assert done() == all_of(4)


def test_nothing_of_one_cell_reaches_another(place):
    script = """
    ls /proc/self/fd | wc -l >> files
    cat >> input
    export LEAK=1; cd /; umask 0; sleep 1000 &
    """
    study = study_file(script, 3, words=("${args}",))
    assert ran(study).code == 0
    assert done("files") == ["5", "5", "5"]  # the three standard ones, the claim, and the folder that ls reads
    assert done("input") == []  # which ends at once, whatever the terminal has
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and b"sleep\x001000" in _words(pid)]


def _words(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_values_are_arguments_and_no_shell_reads_them(place):
    values = {"a": "x; touch owned", "b": "$(touch owned)", "c": True, "d": False, "e": None}
    words = ["sh", "-c", 'printf "%s\\n" "$@"', "sh", "--flag", "${args_no_boolean_flags}", "${envvar:SOMETHING}"]
    os.environ["SOMETHING"] = "`touch owned`"
    try:
        said = command(words, "p", values)
    finally:
        del os.environ["SOMETHING"]
    printed = subprocess.run(said, capture_output=True, text=True).stdout.splitlines()
    assert printed == ["--flag", "--a=x; touch owned", "--b=$(touch owned)", "--c", "--e=None", "`touch owned`"]
    assert not Path("owned").exists()
    assert command((), "p.py", {"a": 1}) == ["/usr/bin/env", sys.executable, "p.py", "--a=1"]
    assert command(["${args_json}", "${args_override_hydra}"], "p", {"a": [1]}) == ['{"a": [1]}', "++a=[1]"]
    assert command(["${args_no_equals}", "${args_append_hydra}"], "p", {"a": 1}) == ["--a", "1", "+a=1"]
    with pytest.raises(ConfigError, match="did you mean args_no_hyphens"):
        command(["${args_no_hyphen}"], "p", {})


def test_the_arguments_as_a_file(place):
    path = study_file('cat "$1" >> done; echo >> done', 3, words=("${args_json_file}",))
    assert ran(path).code == 0
    assert done() == ['{"a": 0}', '{"a": 1}', '{"a": 2}']


def test_a_program_that_there_is_not_is_not_tried_again(place):
    content = {"program": "./missing", "method": "grid", "parameters": {"a": {"value": 1}}, "command": ["${program}"]}
    Path("s.yaml").write_text(yaml.safe_dump(content))
    outcome = ran("s.yaml")
    assert outcome.code == 1
    assert outcomes() == {"refused": 1}


@pytest.mark.parametrize(("options", "words"), [
    ({"workers": 0}, "workers must be between 1 and 256"),
    ({"workers": 1000}, "workers must be between 1 and 256"),
    ({"retries": -1}, "retries at least 0"),
    ({"isolate": "thread"}, "isolate must be one of auto, fork, spawn"),
])  # fmt: skip
def test_options_that_are_wrong(place, options, words):
    with pytest.raises(ConfigError, match=words):
        ran(study_file("true", 1), **options)


@pytest.mark.parametrize("who", ["runner", "fork server", "cell"])
def test_kill_9(place, who):
    """Each cell is completed once, whoever was killed; a runner that was is started again by hand."""
    path = study_file(DURABLE, 40)
    runner = started(path)
    wait_for(lambda: len(done()) > 5)
    (server,) = children(runner.pid)
    if who == "cell":
        wait_for(lambda: killed_newest(server))
    else:
        os.kill({"runner": runner.pid, "fork server": server}[who], signal.SIGKILL)
    said = runner.communicate(timeout=60)[0]
    if who == "runner":
        assert runner.returncode == -9
        again = started(path)
        said = again.communicate(timeout=60)[0]
        runner = again
    assert runner.returncode == 0, said
    assert done() == all_of(40)
    assert outcomes()["completed"] == 40
    assert (outcomes()["killed"] > 0) == (who == "cell"), Path("runs/studies/s.jsonl").read_text()


def test_a_cell_that_outlived_everybody_is_not_run_beside_itself(place):
    path = study_file('echo "$*" >> begun; sleep 1.5; echo "$*" >> done', 1)
    runner = started(path)
    wait_for(lambda: done("begun"))
    for pid in (*children(runner.pid), runner.pid):
        os.kill(pid, signal.SIGKILL)
    runner.communicate()
    (claim,) = (place / "runs" / ".claims").iterdir()
    assert Claim.take(claim) is None
    outcome = ran(path)
    assert outcome.code == 0
    # Nobody was there to see how it ended, so that it is run once more, but only when it is over.
    assert done("begun") == done() == ["a=0", "a=0"]


def test_two_runners_on_one_folder(place):
    path = study_file(DURABLE, 40)
    runners = [started(path) for _ in range(2)]
    said = [runner.communicate(timeout=60)[0] for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0], said
    assert done() == all_of(40)
    assert outcomes() == {"completed": 40}
    assert all("40 of 40 cells completed" in text for text in said)


def test_ctrl_c_lets_cells_end_and_the_next_run_goes_on(place):
    script = (
        'trap "sleep 0.1; echo stopped >> stopped; exit 130" TERM; '
        'case $* in a=[0-3]) ;; *) echo "$*" >> begun; [ -e go ] || { sleep 60 & wait; } ;; esac; echo "$*" >> done'
    )
    path = study_file(script, 30)
    runner = started(path)
    wait_for(lambda: len(done("begun")) == 2)  # after the first four, cells wait until they are allowed to go on
    runner.send_signal(signal.SIGINT)
    said = runner.communicate(timeout=60)[0]
    assert runner.returncode == 130, said
    assert "the same command resumes here" in said
    assert done() == all_of(4)
    assert done("stopped") == ["stopped"] * 2
    assert outcomes()["interrupted"] == 2
    Path("go").touch()
    assert ran(path, workers=2).code == 0
    assert done() == all_of(30)


def test_a_second_ctrl_c_kills(place):
    path = study_file('echo $$ >> begun; trap "" TERM; sleep 60; echo "$*" >> done', 4)
    runner = started(path)
    wait_for(lambda: len(done("begun")) == 2)
    runner.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert runner.poll() is None
    runner.send_signal(signal.SIGINT)
    runner.communicate(timeout=20)
    assert runner.returncode == 130
    assert outcomes() == {"interrupted": 2}
    assert done() == []


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.fixture
def small_disk(place):
    """A disk of 200 kB, where this user may mount one."""
    disk = place / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not permitted here; the test with a limit on the size of files stands for it")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(place, small_disk):
    """Nothing begins that could not be recorded; with room again the rest is run, and nothing twice."""
    path = study_file(DURABLE.replace("0.05", "0.01"), 40)
    (small_disk / "ballast").write_bytes(b"x" * 150_000)
    full = started(path, "--runs", "disk")
    said = full.communicate(timeout=60)[0]
    assert full.returncode == 1
    assert "the disk is full" in said
    assert 0 < len(done()) < 40
    (small_disk / "ballast").unlink()
    after = started(path, "--runs", "disk")
    said = after.communicate(timeout=60)[0]
    assert after.returncode == 0, said
    assert done() == all_of(40)
    assert Counter(one["outcome"] for one in Journal("disk/studies/s.jsonl").entries()) == {"completed": 40}


def test_a_journal_that_finds_no_room(place):
    """A limit on the size of files stands for the full disk: the kernel writes a part of a line, then refuses."""
    path = study_file(DURABLE.replace("0.05", "0.01"), 30)
    full = started(path, preexec_fn=limited(8000))
    said = full.communicate(timeout=60)[0]
    assert full.returncode == 1
    assert "the disk is full" in said
    assert outcomes() == {"completed": len(done())}
    assert 0 < len(done()) < 30
    assert ran(path).code == 0
    assert done() == all_of(30)
    assert outcomes() == {"completed": 30}


@pytest.mark.long
def test_2000_cells(place):
    """Less than 20 ms each beyond the program's own time, and no more memory than 200 take."""
    peaks, seconds = [], []
    for cells in (200, 2000):
        path = study_file("", cells, name=f"s{cells}")
        code = (
            "import resource, sys, time; from poolab.study.run import run_study; "
            "from poolab.study.sweep.sweep_file import read_study\n"
            "begun = time.monotonic(); outcome = run_study(read_study(sys.argv[1]), workers=2)\n"
            "peak = max(resource.getrusage(who).ru_maxrss for who in (0, -1))\n"
            "print(outcome.code, time.monotonic() - begun, peak)"
        )
        said = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
        code, took, peak = said.splitlines()[-1].split()
        assert code == "0"
        seconds.append(float(took))
        peaks.append(int(peak))
    assert seconds[1] / 2000 < 0.02
    assert peaks[1] - peaks[0] < 16_000  # KiB
    begun = time.monotonic()
    assert len(Journal("runs/studies/s2000.jsonl").entries()) == 2000
    assert time.monotonic() - begun < 1
    assert json.loads(Path("runs/studies/s2000.jsonl").read_text().splitlines()[-1])["outcome"] == "completed"
