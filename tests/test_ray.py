"""Hydra's multirun on a real Ray of this machine: the records of the basic launcher, each run in a process of its own.

Ray's servers listen on all interfaces, whatever address they are given. So it gets a network of its own, which has the
loopback interface alone.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from poolab import cli
from poolab.configuration import LAUNCHERS

INSTALLED = find_spec("hydra_plugins") and find_spec("hydra_plugins.hydra_ray_launcher")
needs_ray = pytest.mark.skipif(not INSTALLED, reason='needs the extra `ray`: pip install -e ".[dev,ray]"')
# Each command ends by becoming the one behind it, so that the process is the same.
NETWORK = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net", "--"]
NETWORK += ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
# What two runs of the same settings may differ by: time and memory.
MEASURED = ("speed/", "cost/peak")


@pytest.fixture
def on_ray(pytestconfig, tiny, tmp_path):
    """Starts `train.py -m hydra/launcher=ray`; its output goes to a file."""
    try:
        subprocess.run([*NETWORK, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        pytest.skip(f"no network of its own can be made for Ray, which listens on all interfaces: {fault}")
    started = []

    def start(*overrides):
        command = [*NETWORK, sys.executable, str(pytestconfig.rootpath / "train.py"), "-m", "hydra/launcher=ray"]
        # A home of its own: Ray writes its token there.
        environment = {**os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
        path = tmp_path / f"output{len(started)}"
        with path.open("w") as output:
            words = [*command, *tiny, f"runs_dir={tmp_path}/ray", *overrides]
            # A shell lets its background jobs ignore Ctrl-C, and what they start too: not here.
            process = subprocess.Popen(
                words, env=environment, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip
        started.append(process)
        return SimpleNamespace(process=process, output=path.read_text)

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def workers(output):
    """The processes that trained, in the order in which they began."""
    return list(dict.fromkeys(re.findall(r"pid=(\d+)\).* keras_cnn on digits", output)))


def records(folder):
    found = [json.loads(path.read_text()) for path in folder.glob("*/result.json")]
    return {record["signature"]: record for record in found}


def results(record):
    return {name: value for name, value in record["metrics"].items() if not name.startswith(MEASURED)}


def test_without_the_extra_it_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(LAUNCHERS, "ray", ("hydra_no_such_launcher", "ray"))
    assert cli.train(["-m", "hydra/launcher=ray", "pooling=max,avg", f"runs_dir={tmp_path}/runs"]) == 2
    assert capsys.readouterr().err == 'poolab: hydra/launcher=ray needs the extra `ray`: pip install "poolab[ray]"\n'


@needs_ray
@pytest.mark.services
def test_the_records_are_those_of_the_basic_launcher(on_ray, tiny, tmp_path):
    """One GPU, which each run asks for: they take turns. And a fault in one of them stops no other."""
    arms = ("pooling=avg_topk", "pooling.k=9,2,1", "trainer.epochs=1")
    gpu = ("+hydra.launcher.ray.init.num_gpus=1", "hydra.launcher.ray.remote.num_gpus=1")
    run = on_ray(*arms, *gpu)
    assert run.process.wait(timeout=200) == 2, run.output()
    fault = "poolab: keras_cnn: pooling avg_topk cannot fill slot pool1"
    assert run.output().count(fault) == 2  # where it happened, and at the end
    assert "Traceback" not in run.output()
    assert "deprecated" not in run.output()
    assert cli.train(["-m", *tiny, f"runs_dir={tmp_path}/basic", *arms]) == 2
    ours, others = records(tmp_path / "ray"), records(tmp_path / "basic")
    assert len(ours) == 2
    assert ours.keys() == others.keys()
    for name, record in ours.items():
        assert results(record) == results(others[name])
    first, second = sorted(ours.values(), key=lambda record: record["started"])
    assert first["ended"] <= second["started"]
    assert len(workers(run.output())) == 2  # although one worker would have done


@needs_ray
@pytest.mark.services
def test_what_is_stopped_or_killed_goes_on(on_ray, tmp_path):
    run = on_ray("pooling=max,avg", "trainer.epochs=240")
    until(lambda: len(list((tmp_path / "ray").glob("*/last.ckpt"))) == 2)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(timeout=60) == 130
    assert not records(tmp_path / "ray")
    again = on_ray("pooling=max,avg", "trainer.epochs=240")
    until(lambda: len(workers(again.output())) == 2)
    os.kill(int(workers(again.output())[0]), signal.SIGKILL)
    assert again.process.wait(timeout=200) == 0, again.output()
    assert len(workers(again.output())) == 3  # Ray has tried that one again
    assert "epoch   1/240" not in again.output()
    found = records(tmp_path / "ray").values()
    assert [record["status"] for record in found] == ["completed", "completed"]
