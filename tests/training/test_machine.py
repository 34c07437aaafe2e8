"""What a machine does not have is told before anything is loaded."""

import pytest

from poolab.configuration import compose
from poolab.errors import ConfigError
from poolab.run_config import RunConfig, TrainerConfig
from poolab.training import machine
from poolab.training.machine import check_machine

ONE = RunConfig.from_tree(compose([])).trainer


def changed(settings):
    return TrainerConfig.from_tree({**ONE.tree(), **settings})


SLURM = {"SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "train"}


@pytest.fixture
def gpus(monkeypatch):
    def have(count, mps=False):
        monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: count)
        monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)

    return have


@pytest.mark.parametrize(
    ("count", "trainer", "told"),
    [
        (0, {"accelerator": "gpu"}, "trainer.accelerator=gpu: torch sees no GPU on this machine .nvidia-smi"),
        (0, {"accelerator": "cuda"}, "no CUDA GPU"),
        (2, {"accelerator": "mps"}, "no Apple GPU"),
        (2, {"devices": 3}, "trainer.devices=3: this machine has 2 .index 0, 1.; write a number up to 2 or auto"),
        (2, {"devices": [0, 2]}, "this machine has 2"),
        (1, {"accelerator": "gpu", "devices": 2}, "this machine has 1"),
        (0, {"devices": [0, 1]}, "on the CPU it is a number of processes"),
        (2, {"accelerator": "cpu", "devices": -1}, "on the CPU it is a number of processes"),
        (0, {"num_nodes": 2}, "trainer.num_nodes=2: the processes on the other machines are not started"),
    ],
)
def test_what_is_not_there_is_told(gpus, count, trainer, told):
    gpus(count)
    with pytest.raises(ConfigError, match=told):
        check_machine(changed(trainer), {})


@pytest.mark.parametrize(
    ("count", "trainer", "environ"),
    [
        (0, {}, {}),
        (0, {"devices": 4}, {}),
        (0, {"devices": "auto"}, {}),
        (2, {"devices": 2}, {}),
        (2, {"devices": [1]}, {}),
        (2, {"devices": -1}, {}),
        (1, {"devices": 4, "num_nodes": 2}, SLURM),
        (1, {"devices": 4, "num_nodes": 2}, {"TORCHELASTIC_RUN_ID": "x"}),
        (0, {"num_nodes": 2}, {"MASTER_ADDR": "10.0.0.1", "NODE_RANK": "0"}),
    ],
)
def test_what_is_there_is_taken(gpus, count, trainer, environ):
    gpus(count)
    check_machine(changed(trainer), environ)


def test_all_that_is_missing_is_told_at_once(gpus):
    gpus(0)
    with pytest.raises(ConfigError) as told:
        check_machine(changed({"accelerator": "gpu", "num_nodes": 2}), {})
    assert len(str(told.value).splitlines()) == 2


def test_a_run_for_two_machines_does_not_wait_for_ever(launched, tmp_path, monkeypatch):
    for name in ("MASTER_ADDR", "NODE_RANK", "TORCHELASTIC_RUN_ID", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"trainer.num_nodes=2: the processes on the other machines are not started"):
        launched(tmp_path, "trainer.num_nodes=2")
    assert machine.devices_here("cpu") is None
