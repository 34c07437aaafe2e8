"""Check that this machine has the devices that `trainer` asks for, before anything is loaded."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from poolab.errors import ConfigError
from poolab.run_config import TrainerConfig
from poolab.training.cluster import is_task

if TYPE_CHECKING:
    import torch

# Who may start the processes of other machines beside SLURM: torchrun, or the user with Lightning's own variables.
STARTED_BY = ({"TORCHELASTIC_RUN_ID"}, {"MASTER_ADDR", "NODE_RANK"})


def check_machine(trainer: TrainerConfig, environ: Mapping[str, str]) -> None:
    """Check the accelerator, the number of devices, and that something starts the processes of other machines.

    Raises:
        ConfigError: all that is missing, each on its line.
    """
    found = devices_here(trainer.accelerator)
    started = is_task(environ) or any(names <= environ.keys() for names in STARTED_BY)
    faults = [_no_device(trainer.accelerator)] if found == 0 else []
    if found != 0 and not started:  # a task of SLURM may see its own device alone
        faults += _too_many(trainer, found)
    if trainer.num_nodes > 1 and not started:
        faults.append(
            f"trainer.num_nodes={trainer.num_nodes}: the processes on the other machines are not started, and this "
            "one would wait for them for ever: start the run with srun, `poolab study submit` or torchrun, or set "
            "trainer.num_nodes=1"
        )
    if faults:
        raise ConfigError("\n".join(faults))


def devices_here(accelerator: str) -> int | None:
    """Return the number of an accelerator's devices on this machine; None for the CPU, which has no number of them.

    >>> devices_here("cpu") is None
    True
    """
    import torch

    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = int(torch.backends.mps.is_available())
    counts: dict[str, int | None] = {
        "cpu": None,
        "cuda": cuda,
        "mps": mps,
        "gpu": cuda or mps,
        "auto": cuda or mps or None,
    }
    return counts[accelerator]


def device_name(device: "torch.device") -> str:
    """Return the name of a device for a record: with a GPU's model.

    >>> import torch
    >>> device_name(torch.device("cpu"))
    'cpu'
    """
    import torch

    return f"cuda: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def _no_device(accelerator: str) -> str:
    kind = {"mps": "Apple GPU", "cuda": "CUDA GPU"}.get(accelerator, "GPU")
    hidden = "" if accelerator == "mps" else " (nvidia-smi lists them, and CUDA_VISIBLE_DEVICES may hide them)"
    return f"trainer.accelerator={accelerator}: torch sees no {kind} on this machine{hidden}; write auto or cpu"


def _too_many(trainer: TrainerConfig, found: int | None) -> list[str]:
    devices = list(trainer.devices) if isinstance(trainer.devices, tuple) else trainer.devices
    listed = isinstance(devices, list)
    if found is None:  # a process each, as many as wanted
        wrong = listed or devices == -1
        return [f"trainer.devices={devices}: on the CPU it is a number of processes, or auto"] if wrong else []
    most = max(devices) + 1 if isinstance(devices, list) else devices
    if not isinstance(most, int) or most <= found:
        return []
    indices = ", ".join(map(str, range(found)))
    return [
        f"trainer.devices={devices}: this machine has {found} (index {indices}); write a number up to {found} or auto"
    ]
