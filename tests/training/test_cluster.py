"""What SLURM's environment has to be for a run of several processes; and requests to stop that come before the run."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.run_config import RunConfig, TrainerConfig
from poolab.training import cluster
from poolab.training.interruption import EARLIER, StopRequest

ONE = RunConfig.from_tree(compose([])).trainer


def changed(settings):
    return TrainerConfig.from_tree({**ONE.tree(), **settings})


STEP = {"SLURM_PROCID": "1", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "123456", "SLURM_JOB_NODELIST": "a[07-09],b1"}


def step(tasks, **more):
    return {**STEP, "SLURM_STEP_TASKS_PER_NODE": tasks, **more}


@pytest.fixture
def names(monkeypatch):
    """What names resolve to, and what scontrol says."""
    known = {"a07": ["10.0.0.7"], socket.gethostname(): ["10.0.0.9"], "127.0.0.1": ["127.0.0.1"]}
    said = {"hostnames": "a07\na08\na09\nb1\n", "node": "NodeName=a07 NodeAddr=127.0.0.1 Port=6818\n"}
    monkeypatch.setattr(cluster, "_addresses", lambda name: known.get(name, []))
    monkeypatch.setattr(cluster, "_scontrol", lambda *words: said[words[1]])
    monkeypatch.setattr(cluster, "_has_gpu", lambda: False)
    return known, said


@pytest.mark.parametrize(
    ("environ", "is_task"),
    [
        ({}, False),
        (STEP, True),
        ({**STEP, "SLURM_STEP_ID": "4294967291"}, False),  # the batch script
        ({**STEP, "SLURM_STEP_ID": "4294967290"}, False),  # the shell of an interactive allocation
        ({key: value for key, value in STEP.items() if key != "SLURM_STEP_ID"}, False),
        ({**STEP, "SLURM_JOB_NAME": "bash"}, False),  # srun --pty bash
    ],
)
def test_what_is_a_task_of_srun(environ, is_task):
    assert cluster.is_task(environ) is is_task


@pytest.mark.parametrize(
    ("tasks", "change", "message"),
    [
        ("1", {}, None),
        ("2", {"devices": 2}, None),
        ("2(x2)", {"devices": [0, 1], "num_nodes": 2}, None),
        ("4", {"devices": "auto"}, None),
        ("1(x2)", {"devices": -1, "num_nodes": 2}, None),
        ("1", {"devices": 2}, "make 2 processes, but SLURM has 1 tasks on each of 1 nodes: ask for --nodes=1 --ntasks"),
        ("2", {}, "set trainer=ddp trainer.devices=2 trainer.num_nodes=1"),  # each task would make the whole run
        ("2,1", {"devices": 2, "num_nodes": 2}, "unevenly over the nodes .2, 1.: use --ntasks-per-node"),
        ("1(x2)", {"devices": "auto"}, "trainer.num_nodes=2"),
    ],
)
def test_the_tasks_have_to_be_the_processes(names, tasks, change, message):
    environ, trainer = step(tasks), changed(change)
    if message is None:
        return cluster.prepare(trainer, environ)
    with pytest.raises(ConfigError, match=message):
        cluster.prepare(trainer, environ)
    return None


def test_what_lightning_needs_is_set_and_nothing_that_was_is_changed(names):
    environ = step("1(x4)")
    cluster.prepare(changed({"num_nodes": 4}), environ)
    set_now = {key: environ[key] for key in ("MASTER_ADDR", "MASTER_PORT", "SLURM_NTASKS_PER_NODE")}
    assert set_now == {"MASTER_ADDR": "a07", "MASTER_PORT": "18456", "SLURM_NTASKS_PER_NODE": "1"}
    given = step("1(x4)", MASTER_ADDR="a07", MASTER_PORT="999")
    cluster.prepare(changed({"num_nodes": 4}), given)
    assert (given["MASTER_ADDR"], given["MASTER_PORT"]) == ("a07", "999")
    alone = step("1")
    cluster.prepare(ONE, alone)
    assert "MASTER_ADDR" not in alone


def test_the_first_node_is_found_by_its_address_or_its_short_form(names):
    known, said = names
    del known["a07"]  # as where two nodes are one machine
    environ = step("1(x2)")
    cluster.prepare(changed({"num_nodes": 2}), environ)
    assert environ["MASTER_ADDR"] == "127.0.0.1"
    said.update(hostnames="", node="")  # no scontrol on the nodes
    with pytest.raises(ConfigError, match="MASTER_ADDR=a07 is no name that this node can resolve"):
        cluster.prepare(changed({"num_nodes": 2}), step("1(x2)"))


def test_a_port_that_is_taken_is_told_by_the_first_process(names):
    with socket.create_server(("", 0)) as taken:
        environ = step("2", SLURM_PROCID="0", MASTER_PORT=str(taken.getsockname()[1]))
        with pytest.raises(ConfigError, match=r"is not free .*export another MASTER_PORT"):
            cluster.prepare(changed({"devices": 2}), environ)
        cluster.prepare(changed({"devices": 2}), {**environ, "SLURM_PROCID": "1"})


def test_a_name_that_leads_to_the_loopback_is_told_with_the_interfaces(names):
    names[0][socket.gethostname()] = ["127.0.1.1"]  # Debian's /etc/hosts
    with pytest.raises(ConfigError, match=r"resolves to 127\.0\.1\.1, .* export GLOO_SOCKET_IFNAME"):
        cluster.prepare(changed({"num_nodes": 4}), step("1(x4)"))
    cluster.prepare(changed({"num_nodes": 4}), step("1(x4)", GLOO_SOCKET_IFNAME="eth0"))


def test_lightning_is_told_who_starts_the_processes(monkeypatch):
    from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment

    assert cluster.lightning_environment({}) is None
    batch = {"SLURM_JOB_ID": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}
    (plugin,) = cluster.lightning_environment(batch)
    assert isinstance(plugin, LightningEnvironment)
    for key, value in {**STEP, "SLURM_NTASKS": "1"}.items():
        monkeypatch.setenv(key, value)
    (plugin,) = cluster.lightning_environment(os.environ)
    assert isinstance(plugin, SLURMEnvironment)
    assert not plugin.auto_requeue


@pytest.mark.slow
def test_a_run_in_a_batch_script_of_many_tasks_is_a_run_of_one_process(configured, tmp_path, monkeypatch):
    from poolab.training.launcher import launch

    for key, value in {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_NNODES": "2"}.items():
        monkeypatch.setenv(key, value)
    record, _, _ = launch(configured(tmp_path, "trainer.epochs=1"))
    assert (record.status, record.environment["processes"]) == ("completed", 1)


def test_a_request_before_the_run_is_the_runs(monkeypatch):
    monkeypatch.setattr(EARLIER, "reason", "SIGUSR1")
    assert StopRequest().reason == "SIGUSR1"
    monkeypatch.setattr(EARLIER, "reason", None)
    before = signal.getsignal(signal.SIGUSR1)
    with StopRequest().listening() as request:
        signal.raise_signal(signal.SIGUSR1)
        assert request.reason == "SIGUSR1"
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_cell_that_is_asked_to_stop_before_its_imports_asks_for_the_requeue(tmp_path):
    (tmp_path / "cells.json").write_text('{"cells": [["pooling=no_such_pooling"]]}')
    code = (
        "import os, runpy, signal, sys, poolab.training.interruption as i\n"
        "listen = i.EARLIER.listen\n"
        "def listened(): listen(); os.kill(os.getpid(), signal.SIGTERM)\n"
        "i.EARLIER.listen = listened\n"
        f"sys.argv = ['cell', {str(tmp_path / 'cells.json')!r}]\n"
        "runpy.run_module('poolab.study.slurm.cell', run_name='__main__')\n"
    )
    environ = {**os.environ, "SLURM_ARRAY_TASK_ID": "0", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.returncode == 85, done.stderr
