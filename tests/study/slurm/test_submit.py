"""What is submitted, skipped and refused, and the batch script; programs stand in for SLURM's."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from poolab.cli import main
from poolab.configuration import compose
from poolab.errors import ConfigError, PoolabError
from poolab.records import RunFolder
from poolab.study.plan.cache import Expected
from poolab.study.slurm.ending import log_words
from poolab.study.slurm.queue import look
from poolab.study.slurm.resources import Resources
from poolab.study.slurm.submission import Submission, all_submissions, with_added
from poolab.study.slurm.submit import submit
from poolab.study.status import counted, status
from poolab.study.sweep.grid import grid_cells
from poolab.study.sweep.sweep_file import read_study
from poolab.training import with_automatic
from tests.growth import assert_grows


@pytest.fixture
def file(studied):
    return studied("s", ("max", "avg"), (0, 1))


@pytest.fixture
def send(file):
    def call(*extra, dry_run=False, **resources):
        return submit(read_study(file), extra, Resources(time="60", **resources), "runs", dry_run)

    return call


def squeue(*lines):
    """Its answer, e.g. for ("7", 0, "PENDING", "Priority", "") and the study's first submission."""
    (one, *_) = all_submissions("runs")
    return "".join("|".join(map(str, (*line, one.script))) + "\n" for line in lines)


def test_a_dry_run_needs_no_slurm_and_leaves_nothing(file, stand_in, capsys):
    words = ["--time", "4:00:00", "--gpus-per-node", "2", "--nodes", "2", "--cpus-per-task", "8", "--partition", "gpu"]
    setup = Path("setup.sh")
    setup.write_text("module load cuda/12\nexport A='b c'\n")
    more = ["--setup", "setup.sh", "--setup", "ulimit -n 4096", "--sbatch", "mail-type=END", "--max-parallel", "3"]
    assert main(["study", "submit", file, *words, *more, "--dry-run"]) == 0
    told = capsys.readouterr().out
    wanted = ("job-name=poolab-s", "array=0-3%3", "nodes=2", "ntasks-per-node=2", "gpus-per-node=2", "cpus-per-task=8")
    for option in (
        *wanted,
        "partition=gpu",
        "time=4:00:00",
        "requeue",
        "open-mode=append",
        "signal=USR1@120",
        "mail-type=END",
    ):
        assert f"#SBATCH --{option}\n" in told
    assert "\nmodule load cuda/12\nexport A='b c'\n" in told
    assert "\nulimit -n 4096\n" in told
    assert "4 of 4 cells to run" in told
    assert "with trainer=ddp trainer.devices=2 trainer.num_nodes=2" in told
    assert not Path("runs").exists()
    assert stand_in.calls == []


def test_what_is_submitted_is_complete_and_known_afterwards(send, stand_in):
    stand_in("sbatch", "7;cluster\n")
    stand_in("squeue")
    sent = send("optim.lr=0.01")
    ((one, _),) = sent.arrays
    assert (one.job, len(one.cells)) == ("7", 4)
    wanted = ["pooling=max", "optim.lr=0.01", f"runs_dir={Path('runs').resolve()}", "trainer.threads=1"]
    assert one.cells[0] == with_automatic(compose([*wanted, "tracker.group=s"]))
    assert stand_in.calls[-1] == ["sbatch", "--parsable", str(one.script)]
    assert "optim" not in one.script.read_text()  # values stand in the file of cells alone
    assert all_submissions("runs") == [one]
    stand_in("squeue", squeue(("7", 0, "PENDING", "Priority", ""), ("7", 1, "RUNNING", "None", "n1")))
    again = send("optim.lr=0.01")
    assert (again.queued, len(again.arrays[0][0].cells)) == (2, 2)
    states = status(read_study("s.yaml"), "runs", ["optim.lr=0.01"])
    assert counted(states) == {"running": 1, "waiting": 1, "missing": 2}
    assert [one.reason for one in states[:2]] == ["job 7_0: Priority", "job 7_1 on n1"]


def test_what_is_finished_queued_or_run_elsewhere_is_left_out(send, stand_in):
    stand_in("sbatch", "7\n")
    stand_in("squeue")
    names = send().arrays[0][0].signatures
    RunFolder("runs", names[0]).make().write_json(
        "result.json", {"status": "completed", "reason": None, "metrics": {"cost/parameters": 9}}
    )
    stand_in("squeue", squeue(("7", 1, "COMPLETING", "None", "n1"), ("7", 3, "FAILED", "NonZeroExitCode", "n1")))
    with RunFolder("runs", names[2]).make().claimed():
        sent = send()
    assert (sent.finished, sent.queued, sent.elsewhere) == (1, 1, 1)
    assert sent.arrays[0][0].signatures == [names[3]]
    for name in names[1:]:
        RunFolder("runs", name).make().write_json("result.json", {"status": "diverged", "reason": "nan"})
    assert str(send()) == "0 of 4 cells to run: nothing to submit; 4 finished already"


def test_another_study_of_the_folder_is_seen_in_the_queue(send, studied, stand_in):
    stand_in("sbatch", "7\n")
    stand_in("squeue")
    send()
    stand_in("squeue", squeue(("7", 2, "PENDING", "Resources", "")))
    other = read_study(studied("other", ("avg", "lp"), (0,)))
    assert submit(other, [], Resources(time="60"), "runs").queued == 1


def test_large_studies_are_cut_into_arrays(send, stand_in):
    stand_in("sbatch", "7\n")
    stand_in("squeue")
    stand_in("scontrol", "Configuration data\nMaxArraySize            = 3\n")
    sent = send(max_parallel=2)
    assert [len(one.cells) for one, _ in sent.arrays] == [3, 1]
    assert "#SBATCH --array=0-2%2\n" in sent.arrays[0][1]
    assert "--dependency=afterany:7" in stand_in.calls[-1]


def test_a_refusal_leaves_nothing_and_says_what_was_submitted_before(send, stand_in):
    stand_in("squeue")
    stand_in("sbatch", "sbatch: error: invalid partition specified: gpu\n", code=1)
    with pytest.raises(PoolabError, match="nothing more was submitted: sbatch: error: invalid partition"):
        send(partition="gpu")
    assert all_submissions("runs") == []
    assert [path.name for path in Path("runs/studies/s.slurm").iterdir()] == [".lock"]


def test_without_an_answer_of_the_queue_nothing_is_submitted(send, stand_in, capsys):
    stand_in("sbatch", "7\n")
    stand_in("squeue")
    send()
    stand_in("squeue", "slurm_load_jobs error: Unable to contact slurm controller", code=1)
    with pytest.raises(PoolabError, match="cells might be submitted twice: squeue: slurm_load_jobs error"):
        send()
    assert main(["study", "status", "s.yaml"]) == 0
    assert "the queue could not be asked, and is left out" in capsys.readouterr().out


def test_without_slurm_it_says_so_and_status_is_as_ever(send, stand_in):
    with pytest.raises(PoolabError, match="sbatch is not on the PATH"):
        send()
    assert counted(status(read_study("s.yaml"), "runs")) == {"missing": 4}


@pytest.mark.parametrize(
    ("extra", "resources", "message"),
    [
        (["optim.lr=-1"], {}, "lr must be"),
        (["force=true"], {}, "a requeued job would start from scratch"),
        (["runs_dir=x"], {}, "set the folder of the runs with --runs"),
        (["trainer.devices=4"], {"gpus_per_node": 2}, "trainer.devices=4 does not fit --nodes 1 with 2 tasks"),
        (["trainer.devices=2"], {}, "make 2 processes, but SLURM has 1 tasks on each of 1 nodes"),
        (["trainer.accelerator=cpu"], {"gpus_per_node": 1}, "would leave the GPUs idle"),
        (["data.batch_size=31"], {"nodes": 2}, "does not divide by 2 processes"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_submitted(send, stand_in, extra, resources, message):
    stand_in("sbatch", "7\n")
    with pytest.raises(ConfigError, match=message):
        send(*extra, **resources)
    assert stand_in.calls == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"time": "soon"}, "--time 'soon': SLURM takes minutes"),
        ({"nodes": 0}, "--nodes must be at least 1, found 0"),
        ({"max_parallel": 0}, "--max-parallel must be at least 1"),
        ({"sbatch": ("--mail-type=END",)}, "KEY=VALUE without hyphens"),
        ({"sbatch": ("array=0-9",)}, "poolab sets array itself"),
        ({"account": "a\n#SBATCH --uid=0"}, "has a character that no option"),
        ({"sbatch": ("comment=a\nrm",)}, "has a character that no option"),
        ({"gpus_per_node": 2, "tasks_per_node": 4}, "one task for each of the GPUs"),
    ],
)
def test_options_that_slurm_would_not_take(given, message):
    with pytest.raises(ConfigError, match=message):
        Resources(**{"time": "60", **given})


def test_a_search_is_told_what_to_do_instead(written, stand_in):
    search = written("{optim.lr: {min: 0.1, max: 0.2}}", "random")
    with pytest.raises(ConfigError, match=r"array of `wandb agent --count 1 SWEEP`, or `poolab study run` inside"):
        submit(search, [], Resources(time="60"))


def test_the_words_that_were_added_are_found_again(send, stand_in):
    stand_in("sbatch", "7\n")
    stand_in("squeue")
    names = send("optim.lr=0.01", nodes=2).arrays[0][0].signatures
    added = ["trainer=ddp", "trainer.devices=1", "trainer.num_nodes=2"]
    assert with_added("runs", "s", ["optim.lr=0.01"]) == ["optim.lr=0.01", *added]
    assert with_added("runs", "s", ["optim.lr=0.02"]) == ["optim.lr=0.02"]
    assert not set(names) & set(send("optim.lr=0.01").arrays[0][0].signatures)  # others than on one device


# --- the batch script ---------------------------------------------------------------------------------------------


@pytest.fixture
def batch(send, stand_in, tmp_path):
    """Runs the script of an array's job with a task that ends so, while SLURM has the job in a state."""
    ((_, script),) = send(dry_run=True).arrays
    Path("script.sh").write_text(script)

    def run(code, state="RUNNING", restarts="0"):
        stand_in("srun", code=code)
        stand_in("squeue", f"{state}\n")
        stand_in("scontrol")
        numbers = {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3", "SLURM_JOB_ID": "12"}
        environ = {**os.environ, **numbers, "SLURM_RESTART_COUNT": restarts}
        before = len(stand_in.calls)
        done = subprocess.run(["bash", "script.sh"], env=environ, capture_output=True, text=True)
        assert done.returncode == code
        return [call[1:] for call in stand_in.calls[before:] if call[0] == "scontrol"], done.stdout

    return run


@pytest.mark.parametrize("code", [85, 138, 143])
def test_a_run_that_was_asked_to_stop_is_requeued_by_its_own_index(batch, code):
    assert batch(code)[0] == [["requeue", "12_3"]]  # 12 alone, its number, would be the whole array


@pytest.mark.parametrize("code", [0, 1, 2, 130, 137])
def test_what_ended_failed_or_was_refused_is_not_requeued(batch, code):
    assert batch(code)[0] == []


@pytest.mark.parametrize("state", ["COMPLETING", "PENDING", "CANCELLED", ""])
def test_a_job_that_slurm_itself_ends_or_requeues_is_left_to_slurm(batch, state):
    assert batch(85, state)[0] == []


def test_the_restarts_have_an_end(batch):
    assert batch(85, restarts="19")[0] == [["requeue", "12_3"]]
    calls, told = batch(85, restarts="20")
    assert calls == []
    assert "not requeued" in told


def test_no_path_can_say_anything_to_the_shell_or_to_sbatch(studied, stand_in, tmp_path, monkeypatch):
    place = tmp_path / "a $(touch owned) 'b' %j;`id`"
    place.mkdir()
    file = studied("s")
    ((one, script),) = submit(read_study(file), [], Resources(time="60", partition="a b"), place, dry_run=True).arrays
    Path("script.sh").write_text(script)
    stand_in("srun")
    environ = {**os.environ, "SLURM_ARRAY_JOB_ID": "1", "SLURM_ARRAY_TASK_ID": "0"}
    subprocess.run(["bash", "script.sh"], env=environ, check=True, capture_output=True)
    assert stand_in.calls[0][-1] == str(one.path)
    assert not Path("owned").exists()
    assert "%%j" in next(line for line in script.splitlines() if "--output" in line)
    assert '#SBATCH --partition="a b"\n' in script
    with pytest.raises(ConfigError, match="choose another --runs"):
        submit(read_study(file), [], Resources(time="60"), tmp_path / 'a"b', dry_run=True)


# --- jobs that ended without a record -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["poolab: no", "srun: error: n1: task 0: Exited with exit code 2"], "exit code 2: poolab: no"),
        (["epoch 1", "srun: error: n1: task 0: Killed", "srun: launch/slurm: _step_signal: x"], "task 0: killed"),
        (
            ["e", "slurmstepd: error: *** STEP 5.0 ON n1 CANCELLED AT 2026 DUE TO TIME LIMIT ***"],
            "ended by SLURM because of time limit",
        ),
        (["e", "slurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT 2026 ***"], "cancelled"),
        (["srun: error: n1: task 0: Killed", "poolab: job 1_0 begins", "module: not found"], "module: not found"),
        ([], ""),
    ],
)
def test_the_last_words_of_a_log(tmp_path, lines, words):
    log = tmp_path / "0.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    assert log_words(log) == words


def test_what_the_queue_has_forgotten_is_asked_of_the_accounting_once(send, stand_in):
    stand_in("sbatch", "7\n")
    stand_in("squeue")
    (one, _) = send().arrays[0]
    for index in (0, 1, 2):
        (one.logs / f"{index}.log").write_text("epoch 1\n")
    stand_in("sacct", "7_0|OUT_OF_MEMORY\n7_1|NODE_FAIL\n7_2|CANCELLED by 0\n")
    states = status(read_study("s.yaml"), "runs")
    assert [state.state for state in states] == ["failed", "failed", "interrupted", "missing"]
    assert states[0].reason == "job 7_0 (OUT_OF_MEMORY): epoch 1"
    assert [call[0] for call in stand_in.calls].count("sacct") == 1
    stand_in("sacct", "Slurm accounting storage is disabled\n", code=1)
    assert status(read_study("s.yaml"), "runs")[0].reason == "job 7_0: epoch 1"


def test_a_record_is_believed_before_a_log(send, stand_in):
    stand_in("sbatch", "7\n")
    stand_in("squeue")
    (one, _) = send().arrays[0]
    for index, (kind, reason) in enumerate([("failed", "ValueError: no"), ("interrupted", "stopped by SIGUSR1")]):
        folder = RunFolder("runs", one.signatures[index]).make()
        folder.write_json("result.json", {"status": kind, "reason": reason})
        (one.logs / f"{index}.log").write_text("x\nsrun: error: n1: task 0: Exited with exit code 85\n")
    stand_in("squeue", squeue(("7", 0, "FAILED", "NonZeroExitCode", ""), ("7", 1, "FAILED", "NonZeroExitCode", "")))
    states = status(read_study("s.yaml"), "runs")
    assert [(one.state, one.reason) for one in states[:2]] == [
        ("failed", "ValueError: no"),
        ("interrupted", "stopped by SIGUSR1"),
    ]
    (one.logs / "1.log").write_text("x\nsrun: error: n1: task 0: Killed\n")  # after it had been requeued
    assert status(read_study("s.yaml"), "runs")[1].state == "failed"
    later = time.time() + 5
    os.utime(Path("runs") / one.signatures[1] / "result.json", (later, later))  # and then run by hand, and stopped
    assert status(read_study("s.yaml"), "runs")[1].state == "interrupted"


def test_the_time_of_a_status_grows_with_the_number_of_jobs(written, stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = written("{seed: {distribution: int_uniform, min: 0, max: 1999}}")
    (cell,) = [compose(cell.overrides) for cell in grid_cells(study)[:1]]
    path = Path("runs").resolve() / "studies" / "study.slurm" / "1.json"

    def prepared(jobs):
        runs = [Expected([f"{number:012x}"], "max", number, "digits, keras_cnn", "") for number in range(jobs)]
        monkeypatch.setattr("poolab.study.status.expected", lambda *_: runs)  # test_status looks at its time
        Submission(path, "2026", os.getuid(), [], [], [run.signature for run in runs], [cell] * jobs, "7").write("")
        stand_in("squeue", squeue(*(("7", index, "PENDING", "Priority", "") for index in range(jobs))))
        before = len(stand_in.calls)

        def look():
            assert counted(status(study, "runs")) == {"waiting": jobs}
            assert len(stand_in.calls) == before + 1

        return look

    # A second each for 2,000 on an idle machine; with quadratic work the ratio would be 100.
    assert_grows(prepared, (100, 1000), less_than=30)


def test_a_file_of_a_newer_version_is_passed_over(send, stand_in):
    stand_in("sbatch", "7\n")
    stand_in("squeue")
    (one, _) = send().arrays[0]
    (one.path.parent / "x.json").write_text(json.dumps({"version": 9}))
    (one.path.parent / "y.json").write_text("torn")
    assert all_submissions("runs") == [one]
    assert look("runs").submitted.keys() == set(one.signatures)
