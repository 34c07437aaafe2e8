"""`poolab study run` where a cell cannot start, where the output is full or gone, and where the terminal hangs up."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from poolab.study import grid_cells, read_study
from poolab.study.job_factory import Programs
from poolab.study.plan.plan import plan
from poolab.study.run import run_study
from poolab.study.runner.journal import Journal
from poolab.study.runner.locks import Claim
from poolab.study.runner.outcomes import Ending
from poolab.study.runner.output import Output
from poolab.study.runner.processes import record
from poolab.study.status import counted, status

LONG = "x" * 200_000  # one argument of Linux has at most 131,072 bytes


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study_file(values, command=("sh", "-c", 'echo "$1" >> done', "sh", "${args_no_hyphens}"), key="a", **more):
    content = {"program": "s.sh", "method": "grid", "parameters": {key: {"values": values}}, "command": list(command)}
    Path("s.yaml").write_text(yaml.safe_dump({**content, **more}))
    return "s.yaml"


def entries():
    return Journal("runs/studies/s.jsonl").entries()


def runner(*options, before=(), **how):
    command = [*before, sys.executable, "-m", "poolab", "study", "run", "s.yaml", *options]
    return subprocess.Popen(command, **how)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize(("bad", "words"), [
    ("a\0b", "embedded null byte"),
    ("\ud800", "surrogates not allowed"),
])  # fmt: skip
def test_a_value_that_no_process_can_have_is_its_cells_fault(place, monkeypatch, bad, words):
    path = study_file([1, "SECOND", 3])
    study = read_study(path)
    object.__setattr__(study.parameters[0], "values", (1, bad, 3))  # YAML refuses both; JSON of a sweep does not
    outcome = run_study(study, workers=2)
    assert sorted(Path("done").read_text().split()) == ["a=1", "a=3"]
    assert (outcome.code, outcome.completed, outcome.error) == (1, 2, None)
    (ending,) = outcome.failed.values()
    assert ending.outcome == "refused"
    assert words in ending.reason
    assert sorted(one["outcome"] for one in entries()) == ["completed", "completed", "refused"]
    again = run_study(study)
    assert (again.earlier, again.completed) == (2, 2)


def test_nul_in_a_value_of_a_file(place):
    Path("s.yaml").write_text(
        'program: s.sh\nmethod: grid\nparameters: {a: {values: [1, "x\\0y", 3]}}\n'
        'command: [sh, -c, "echo \\"$1\\" >> done", sh, "${args_no_hyphens}"]\n'
    )
    outcome = run_study(read_study("s.yaml"), workers=2)
    assert (outcome.completed, len(outcome.failed)) == (2, 1)
    assert counted(status(read_study("s.yaml"), "runs")) == {"completed": 2, "failed": 1}


def test_an_argument_that_is_too_long(place):
    outcome = run_study(read_study(study_file([1, LONG[:90_000] * 1, 2], ("sh", "-c", ":", "${args}", "${args}"))))
    assert outcome.completed == 3
    study = read_study(study_file([1, 2]))
    object.__setattr__(study.parameters[0], "values", (1, LONG, 2))
    outcome = run_study(study)
    (ending,) = outcome.failed.values()
    assert "Argument list too long" in ending.reason
    assert outcome.completed == 2


@pytest.mark.parametrize(("make", "words"), [
    (lambda path: None, "No such file or directory"),
    (lambda path: path.write_text("echo"), "Permission denied"),
    (lambda path: (path.write_bytes(b"\x7fELF nonsense"), path.chmod(0o755)), "Exec format error"),
    (lambda path: (path.write_text("#!/no/such/interpreter\n"), path.chmod(0o755)), "No such file or directory"),
    (lambda path: path.mkdir(), "Permission denied"),
])  # fmt: skip
def test_a_program_that_cannot_be_started(place, make, words):
    make(place / "it")
    outcome = run_study(read_study(study_file([1, 2], ["./it", "${args}"])), workers=2)
    assert outcome.error is None
    assert len(outcome.failed) == 2
    assert all(words in one.reason for one in outcome.failed.values())
    assert {one["outcome"] for one in entries()} == {"refused"}


def test_the_folder_goes_while_a_study_runs(place):
    """A program without its script fails by itself, and the study ends with a reason for each cell."""
    (place / "w").mkdir()
    os.chdir(place / "w")
    runs = place / "runs"
    path = study_file([1, 2], ["sh", "-c", f"rm -rf {place / 'w'}; echo x; exit 3", "${args}"])
    outcome = run_study(read_study(path), runs_dir=runs, retries=0)
    os.chdir(place)
    assert [one.reason for one in outcome.failed.values()] == ["exit code 3: x"] * 2


def test_a_working_folder_that_is_gone_is_named(place, monkeypatch):
    study = read_study(study_file([1]))

    def gone():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", gone)
    with pytest.raises(Exception, match="the working folder of this process is gone"):
        Programs(study, (), place).key(grid_cells(study)[0])


@pytest.mark.parametrize("kind", ["full", "unread", "closed"])
def test_an_output_that_takes_nothing_costs_no_cell(place, kind):
    study_file([1, "bad", 3], ["sh", "-c", '[ "$1" != a=bad ] && echo "$1" >> done', "sh", "${args_no_hyphens}"])
    if kind == "full":
        with open("/dev/full", "w") as out:
            code = runner("--retries", "0", stdout=out).wait(60)
    elif kind == "unread":
        read, write = os.pipe()
        os.close(read)
        code = runner("--retries", "0", stdout=write).wait(60)
        os.close(write)
    else:
        code = runner("--retries", "0", before=["sh", "-c", '"$@" >&-', "sh"]).wait(60)
    assert code == 1  # that of the cell that failed
    assert Path("done").read_text().split() == ["a=1", "a=3"]
    assert sorted(one["outcome"] for one in entries()) == ["completed", "completed", "failed"]


def test_characters_that_an_output_lacks_are_written_out(tmp_path):
    with open(tmp_path / "out", "w", encoding="ascii") as file:
        Output(file).say("ü \ud800 \x1b[2J")
    assert (tmp_path / "out").read_text() == "\\xfc \\ud800 \\x1b[2J\n"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_hangs_up_asks_for_a_stop(place, number):
    study_file([1, 2, 3], ["sh", "-c", 'trap "" TERM; echo x >> begun; sleep 0.5; echo "$1" >> done', "sh", "${args}"])
    process = runner(stdout=subprocess.PIPE)
    wait_for(Path("begun").exists)
    process.send_signal(number)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"the same command resumes here" in told
    assert run_study(read_study("s.yaml")).code == 0
    assert sorted(Path("done").read_text().split()) == ["--a=1", "--a=2", "--a=3"]


def test_below_nohup_a_hangup_is_not_heard(place):
    study_file([1, 2, 3], ["sh", "-c", 'echo x >> begun; sleep 0.2; echo "$1" >> done', "sh", "${args}"])
    process = runner(stdout=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for(Path("begun").exists)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
    assert len(Path("done").read_text().split()) == 3


def test_a_journal_that_is_emptied_while_cells_run_keeps_their_ends(place):
    study_file([1, 2], ["sh", "-c", 'echo x >> begun; while [ ! -e go ]; do sleep 0.05; done; echo "$1" >> done'])
    process = runner("--workers", "2", stdout=subprocess.DEVNULL)
    journal = Path("runs/studies/s.jsonl")
    wait_for(lambda: Path("begun").exists() and len(Path("begun").read_text().split()) == 2)
    journal.write_text('["foreign"]\n')
    Path("go").touch()
    assert process.wait(60) == 0
    keys = {Programs(read_study("s.yaml"), (), Path("runs")).key(cell) for cell in grid_cells(read_study("s.yaml"))}
    assert {(one["cell"], one["outcome"]) for one in entries()} == {(key, "completed") for key in keys}
    assert counted(status(read_study("s.yaml"), "runs")) == {"completed": 2}


def test_an_end_that_cannot_be_written_down_ends_nobody_else(tmp_path, monkeypatch, capsys):
    journal = Journal(tmp_path / "s.jsonl")
    entry = journal.begin({"cell": "a"})
    claim = Claim.take(tmp_path / "a")

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", read_only)
        with contextlib.suppress(OSError):
            record(journal, entry, "a", claim, 0, Ending("completed"), 1.0)
    assert "is not in the journal: [Errno 30] Read-only file system" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["file", "studies", "journal"])
def test_a_folder_of_runs_that_is_none_is_told(place, what, capsys):
    path = study_file([1, 2])
    runs = place / "runs"
    if what == "file":
        runs.write_text("")
    elif what == "studies":
        runs.mkdir()
        (runs / "studies").write_text("")
    else:
        (runs / "studies" / "s.jsonl").mkdir(parents=True)
    outcome = run_study(read_study(path))
    assert outcome.code == 1
    assert "the study cannot continue" in str(outcome)
    assert str(runs) in str(outcome)
    assert not Path("done").exists()


def test_a_disk_without_room_for_the_words_of_a_cell_is_told(place, monkeypatch):
    study = read_study(study_file([1], ["sh", "-c", ":", "${args_json_file}"]))
    (place / "runs" / "studies").mkdir(parents=True)
    (place / "runs" / "studies" / "s.arguments").write_text("")
    with pytest.raises(Exception, match="cannot write the arguments of a cell"):
        run_study(study)
    (place / "runs" / "studies" / "s.arguments").unlink()
    assert run_study(study).code == 0
    (written,) = (place / "runs" / "studies" / "s.arguments").iterdir()
    assert json.loads(written.read_text()) == {"a": 1}


def test_two_studies_of_one_name_share_a_folder(place):
    first = read_study(study_file([1, 2]))
    (place / "other").mkdir()
    Path("other/s.yaml").write_text(Path(study_file([2, 3])).read_text())
    study_file([1, 2])
    processes = [
        subprocess.Popen([sys.executable, "-m", "poolab", "study", "run", name], stdout=subprocess.DEVNULL, cwd=place)
        for name in ("s.yaml", "other/s.yaml")
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert sorted(Path("done").read_text().split()) == ["a=1", "a=2", "a=3"]
    assert counted(status(first, "runs")) == {"completed": 2}


def test_a_file_that_changes_while_it_runs_is_read_once(place):
    study_file([1, 2, 3], ["sh", "-c", 'echo x >> begun; sleep 0.2; echo "$1" >> done', "sh", "${args_no_hyphens}"])
    process = runner(stdout=subprocess.DEVNULL)
    wait_for(Path("begun").exists)
    Path("s.yaml").write_text("a: [")
    assert process.wait(60) == 0
    assert Path("done").read_text().split() == ["a=1", "a=2", "a=3"]


def test_a_damaged_record_is_its_cells_fault_and_nothing_is_trained_over_it(written, tmp_path, recorded, capsys):
    study = written("{seed: {values: [0, 1, 2]}}")
    folders = []
    for one in recorded(study, lambda config: 0.5):
        folders.append(tmp_path / "runs" / one["signature"])
        folders[-1].mkdir(parents=True)
        (folders[-1] / "result.json").write_text(json.dumps(one))
    damaged = folders[1] / "result.json"
    damaged.write_text('{"status": ')
    outcome = run_study(study, runs_dir=tmp_path / "runs")
    assert (outcome.code, outcome.earlier, outcome.error) == (1, 2, None)
    (ending,) = outcome.failed.values()
    assert str(damaged) in ending.reason
    assert damaged.read_text() == '{"status": '
    told = status(study, tmp_path / "runs")
    assert [one.state for one in told] == ["completed", "failed", "completed"]
    assert str(damaged) in told[1].reason
    assert len(plan(study, [f"runs_dir={tmp_path / 'runs'}"]).finished) == 2


def test_a_study_that_is_stopped_before_its_first_cell_began_says_so(place, monkeypatch):
    def stopped(link, _):
        os.kill(os.getpid(), signal.SIGINT)
        link.process.kill()

    monkeypatch.setattr("poolab.study.runner.scheduler.Link.receive", stopped)
    path = study_file([1])
    assert run_study(read_study(path)).interrupted
    assert [one["reason"] for one in entries()] == ["it was stopped before it began"]
    (state,) = status(read_study(path), "runs")
    assert (state.state, state.reason) == ("interrupted", "it was stopped before it began")
