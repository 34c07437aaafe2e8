"""Real signals to real processes: kill -9, Ctrl-C, SIGTERM; the same command then finishes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from poolab import cli
from poolab.records import read_record
from poolab.training.module import Classifier
from tests.warm import WarmProcess

pytestmark = pytest.mark.slow

STEPS = 20  # of the 180 images, in batches of 9
# Trains as train.py does; steps are slowed down, so that a signal finds the run inside an epoch.
PROGRAM = """
import sys, time
from poolab.training.module import Classifier
step = Classifier.training_step
def slow(module, batch, batch_idx):
    time.sleep(0.1)
    print("step", module.trainer.global_step, flush=True)
    return step(module, batch, batch_idx)
Classifier.training_step = slow
from poolab import cli
sys.exit(cli.train(sys.argv[1:]))
"""


class Runs:
    """One command, started as often as the test likes; each of its steps is a line."""

    def __init__(self, folder, overrides):
        self.folder = folder
        self.overrides = [*overrides, "data.batch_size=9", f"runs_dir={folder}"]

    def interrupt(self, number, step):
        """Start, send the signal inside the step, wait: exit code and output."""
        with WarmProcess(PROGRAM, self.overrides, self.folder) as process:
            lines = []
            for line in process.lines():
                lines.append(line)
                if line == f"step {step}\n":
                    process.send_signal(number)
            return process.wait(60), "".join(lines)

    @property
    def result(self):
        return read_record(next(Path(self.folder).glob("*/result.json")))


@pytest.fixture
def runs(tmp_path, tiny):
    return Runs(tmp_path, tiny)


@pytest.fixture
def finish(runs, monkeypatch):
    """The same command to its end, in this process: the steps that it made."""
    steps, step = [], Classifier.training_step

    def counted(module, batch, batch_idx):
        steps.append(module.trainer.global_step)
        return step(module, batch, batch_idx)

    def train():
        assert cli.train(runs.overrides) == 0
        return steps

    monkeypatch.setattr(Classifier, "training_step", counted)
    return train


@pytest.mark.processes
def test_ctrl_c_and_then_sigterm_leave_a_checkpoint_from_which_the_same_command_goes_on(runs, finish):
    code, output = runs.interrupt(signal.SIGINT, step=3)
    assert code == 130
    assert "interrupted: stopped by SIGINT; the same command resumes here" in output
    assert "Traceback" not in output
    assert (runs.result.status, runs.result.reason) == ("interrupted", "stopped by SIGINT")
    assert next(Path(runs.folder).glob("*/last.ckpt")).stat().st_size > 0

    code, output = runs.interrupt(signal.SIGTERM, step=STEPS + 2)
    assert "going on from its checkpoint" in output
    assert "step 0\n" not in output
    assert (code, runs.result.reason) == (130, "stopped by SIGTERM")

    assert finish() == list(range(STEPS + 3, 2 * STEPS))
    assert (runs.result.status, runs.result.metrics["epochs"]) == ("completed", 2)


@pytest.mark.processes
def test_after_kill_9_the_same_command_finishes(runs, finish):
    code, output = runs.interrupt(signal.SIGKILL, step=STEPS + 2)
    assert code == -signal.SIGKILL, output
    assert not list(Path(runs.folder).glob("*/result.json"))
    assert finish() == list(range(STEPS, 2 * STEPS))  # from the end of the first epoch
    assert (runs.result.status, runs.result.metrics["epochs"]) == ("completed", 2)


HANGUP = """
import json, signal, sys
from poolab.training.interruption import StopRequest
with StopRequest().listening() as request:
    signal.raise_signal(signal.SIGHUP)
    print(request.reason)
"""


@pytest.mark.parametrize(("ignored", "reason"), [(False, "SIGHUP"), (True, "None")])
def test_a_closed_terminal_is_a_request_to_stop_unless_nohup_ignores_it(ignored, reason):
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        done = subprocess.run([sys.executable, "-c", HANGUP], capture_output=True, text=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.stdout.strip() == reason


def test_a_run_in_a_thread_takes_no_signals_and_completes(configured, tmp_path):
    import threading

    from poolab.training.launcher import launch

    found = []
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: found.append(launch(configured(tmp_path, "trainer.epochs=1"))[0]))
    thread.start()
    thread.join()
    assert found[0].status == "completed"
    assert signal.getsignal(signal.SIGINT) == before
