"""Replace `auto` in the settings of `trainer` by what is fastest here, before a run has its name."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from poolab.backbones import channels_last_on
from poolab.errors import ConfigError
from poolab.run_config import TrainerConfig
from poolab.training.settings.kinds import AUTO

# What torch calls a processor's instructions for bfloat16: of x86, and of Arm.
BFLOAT16 = ("avx512_bf16", "amx_bf16", "arm_bf16", "arm_sve_bf16")


def with_automatic(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a configuration with values in place of `auto`: these are in the run's identity.

    - `channels_last`: true where training the backbone in it was measured to be faster on that kind of device.
    - `precision`: bf16-mixed where the device computes in bfloat16, else 32-true.

    What is wrong with the settings is left to `check_settings`.

    >>> tree = {"backbone": {"name": "keras_cnn"}, "trainer": {"accelerator": "cpu", "channels_last": "auto"}}
    >>> with_automatic(tree)["trainer"]["channels_last"]
    True
    """
    trainer, backbone = tree.get("trainer"), tree.get("backbone")
    if not isinstance(trainer, Mapping):
        return tree
    left = [key for key in TrainerConfig.AUTOMATIC if trainer.get(key) == AUTO]
    if not left:
        return tree
    device = kind_of_device(str(trainer.get("accelerator")))
    found: dict[str, Any] = {}
    if "channels_last" in left:
        name = backbone.get("name") if isinstance(backbone, Mapping) else None
        found["channels_last"] = device in _layouts(str(name))
    if "precision" in left:
        found["precision"] = "bf16-mixed" if computes_in_bfloat16(device) else "32-true"
    return {**tree, "trainer": {**trainer, **found}}


def kind_of_device(accelerator: str) -> str:
    """Return the kind of the device that an accelerator's name stands for on this machine.

    >>> kind_of_device("cpu")
    'cpu'
    """
    import torch

    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "cuda"
    return "mps" if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available() else "cpu"


@cache
def computes_in_bfloat16(device: str) -> bool:
    """Return True if a kind of device has instructions for bfloat16.

    A processor without them is slower in it than in float32: keras_cnn took 5 to 7 times as long on an AMD EPYC of
    the third generation.
    """
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.10 and earlier have none
    return device == "cpu" and any(known.get(name) for name in BFLOAT16)


def _layouts(backbone: str) -> tuple[str, ...]:
    try:
        return channels_last_on(backbone)
    except ConfigError:  # `check_settings` says that there is no such backbone
        return ()
