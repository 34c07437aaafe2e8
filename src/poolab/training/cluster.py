"""Check and set what Lightning needs to find the other tasks of a SLURM job, before anything is trained."""

import re
import socket
import subprocess
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from poolab.errors import ConfigError
from poolab.run_config import TrainerConfig

# Steps that are no `srun`: the batch script itself, an interactive allocation's shell, the extern step.
NO_STEPS = range(4294967290, 4294967296)
INTERACTIVE = ("bash", "interactive")  # job names of a shell by `srun --pty`; Lightning takes it for no cluster either
SECONDS = 20  # for an answer of scontrol


def is_task(environ: Mapping[str, str]) -> bool:
    """Return True if `srun` started this process. (A batch script has most of SLURM's variables too, but no step.)

    >>> is_task({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}), is_task({"SLURM_PROCID": "0", "SLURM_STEP_ID": "0"})
    (False, True)
    """
    step = environ.get("SLURM_STEP_ID", "")
    named = environ.get("SLURM_JOB_NAME") in INTERACTIVE
    return "SLURM_PROCID" in environ and step.isdigit() and int(step) not in NO_STEPS and not named


def prepare(trainer: TrainerConfig, environ: MutableMapping[str, str]) -> None:
    """Set what the processes of a run need to find each other, unless the cluster has set it.

    Raises:
        ConfigError: SLURM's tasks are not the processes of `trainer`, or cannot find each other: what does not fit.
    """
    counts = _tasks(environ)
    fault = task_fault(trainer, counts)
    if fault:
        raise ConfigError(fault)
    # Lightning refuses `--ntasks=2` without it, although SLURM has spread the tasks evenly.
    environ["SLURM_NTASKS_PER_NODE"] = str(counts[0])
    if sum(counts) == 1:
        return
    address = environ.setdefault("MASTER_ADDR", _first_host(environ, len(counts)))
    port = environ.setdefault("MASTER_PORT", str(15000 + int(environ.get("SLURM_JOB_ID", "0")) % 10000))
    _check_address(address, environ)
    if environ["SLURM_PROCID"] == "0":
        _check_port(int(port))
    if len(counts) > 1 and trainer.accelerator in ("cpu", "auto"):
        _check_interface(address, environ)


def task_fault(trainer: TrainerConfig, tasks: list[int]) -> str | None:
    """Return why this number of tasks on each node does not fit the run, or None.

    >>> from poolab.configuration import compose
    >>> trainer = TrainerConfig.from_tree({**compose([])["trainer"], "devices": 2})
    >>> task_fault(trainer, [2])
    >>> task_fault(trainer, [1])[:74]
    'trainer.devices=2 and trainer.num_nodes=1 make 2 processes, but SLURM has '
    """
    if len(set(tasks)) > 1:
        spread = ", ".join(map(str, tasks))
        return f"SLURM spreads the tasks unevenly over the nodes ({spread}): use --ntasks-per-node instead of --ntasks"
    devices, nodes = trainer.devices, trainer.num_nodes
    count = len(devices) if isinstance(devices, tuple) else devices
    said = list(devices) if isinstance(devices, tuple) else devices
    if count in ("auto", -1):  # what there is, which Lightning compares
        count = tasks[0]
    if (count, nodes) == (tasks[0], len(tasks)):
        return None
    return (
        f"trainer.devices={said} and trainer.num_nodes={nodes} make {count * nodes} processes, but SLURM has "
        f"{tasks[0]} tasks on each of {len(tasks)} nodes: ask for --nodes={nodes} --ntasks-per-node={count}, or set "
        f"trainer=ddp trainer.devices={tasks[0]} trainer.num_nodes={len(tasks)}"
    )


def lightning_environment(environ: Mapping[str, str]) -> list[Any] | None:
    """Return the plugin that tells Lightning who starts its processes; None if Lightning finds out itself.

    In a batch script without `srun` it would see SLURM's variables, and refuse or wait for tasks that nobody starts.
    """
    if "SLURM_JOB_ID" not in environ:
        return None
    from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment

    if is_task(environ):
        return [SLURMEnvironment(auto_requeue=False)]  # the batch script requeues: Lightning would in a signal handler
    return None if "TORCHELASTIC_RUN_ID" in environ else [LightningEnvironment()]


def _tasks(environ: Mapping[str, str]) -> list[int]:
    """Return the number of tasks on each node, from SLURM's short form.

    >>> _tasks({"SLURM_STEP_TASKS_PER_NODE": "2(x2),1"})
    [2, 2, 1]
    """
    found: list[int] = []
    text = environ.get("SLURM_STEP_TASKS_PER_NODE") or environ.get("SLURM_TASKS_PER_NODE") or "1"
    for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", text):
        found += [int(count)] * int(times or 1)
    return found


def _first_host(environ: Mapping[str, str], nodes: int) -> str:
    """Return the address of the first process: this machine, or SLURM's name or address of the first node."""
    if nodes == 1:
        return "127.0.0.1"
    listed = environ.get("SLURM_JOB_NODELIST", "")
    told = _scontrol("show", "hostnames", listed).split()
    host = told[0] if told else re.sub(r"\[(\w+)[^\]]*\]", r"\1", listed).split(",")[0]
    if _addresses(host):
        return host
    found = re.search(r"NodeAddr=(\S+)", _scontrol("show", "node", host))  # two nodes may be one machine
    return found[1] if found else host


def _scontrol(*words: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(["scontrol", *words], capture_output=True, text=True, timeout=SECONDS).stdout
    return ""


def _check_address(address: str, environ: Mapping[str, str]) -> None:
    if not _addresses(address):
        raise ConfigError(
            f"MASTER_ADDR={address} cannot be resolved on this node, so that the processes on "
            f"{environ.get('SLURM_JOB_NODELIST')} cannot meet: export MASTER_ADDR with an address of the first node"
        )


def _check_port(port: int) -> None:
    """Check that the port is free. Only the first process calls this, since it listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as fault:
            raise ConfigError(
                f"MASTER_PORT={port} is not free ({fault.strerror}): export another MASTER_PORT"
            ) from None


def _check_interface(address: str, environ: Mapping[str, str]) -> None:
    """Check that this node's own name, where gloo listens on CPUs, is not the loopback on several machines."""
    own = _addresses(socket.gethostname())
    alone = any(map(_loopback, _addresses(address)))  # all nodes are this machine
    if alone or "GLOO_SOCKET_IFNAME" in environ or (own and not all(map(_loopback, own))) or _has_gpu():
        return
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    raise ConfigError(
        f"{socket.gethostname()} resolves to {', '.join(own) or 'nothing'}, where other nodes cannot reach it: export "
        f"GLOO_SOCKET_IFNAME with the network that joins the nodes (here: {', '.join(names) or 'none'})"
    )


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _addresses(name: str) -> list[str]:
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None)})
    except OSError:
        return []
