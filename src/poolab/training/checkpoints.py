"""Read a checkpoint that poolab wrote; a damaged or foreign one is an error of one sentence. No code in it is run."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poolab.errors import ConfigError

SIGNATURE = "poolab_signature"  # in a checkpoint: of the run that wrote it
NETWORK = "network."  # the network's part of a checkpoint
NEEDED = ("state_dict", "epoch", "global_step", "callbacks", "optimizer_states")


def read_checkpoint(path: Path, way_out: str, signature: str | None = None) -> dict[str, Any]:
    """Return the content of a checkpoint, its tensors on the CPU.

    Args:
        path: of the file.
        way_out: what the user can do where it is of no use.
        signature: of the run that it must be of; a checkpoint of earlier versions does not say its run's.

    Raises:
        ConfigError: it is damaged, foreign, or another run's.
    """
    found = _content(path)
    if isinstance(found, str):
        raise ConfigError(f"the checkpoint {path} cannot be used: {found}; {way_out}")
    wrote = found.get(SIGNATURE)
    if signature is not None and wrote is not None and wrote != signature:
        raise ConfigError(f"the checkpoint {path} is of the run {wrote} and not of {signature}; {way_out}")
    return found


def network_weights(path: Path, way_out: str, signature: str | None = None) -> dict[str, Any]:
    """Return the weights of the network in a checkpoint, under the names that the network has for them.

    Raises:
        ConfigError: as `read_checkpoint`.
    """
    content = read_checkpoint(path, way_out, signature)["state_dict"]
    return {name.removeprefix(NETWORK): value for name, value in content.items() if name.startswith(NETWORK)}


def _content(path: Path) -> dict[str, Any] | str:
    """Return the content of a checkpoint, or what is wrong with it."""
    import torch

    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            return "it is not a regular file"
        if facts.st_size == 0:
            return "it is empty"
        with open(path, "rb") as file:
            start = file.read(4)
        if start != b"PK\x03\x04":  # torch writes zip files
            return "torch.save did not write it"
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as fault:
        return fault.strerror or str(fault)
    except Exception as fault:  # whatever torch says of a file that is cut off, changed, or holds code
        return _reason(fault)
    missing = [name for name in NEEDED if not isinstance(content, Mapping) or name not in content]
    if missing:
        return f"it is not the checkpoint of a run: {', '.join(missing)} missing"
    return dict(content) if isinstance(content["state_dict"], Mapping) else "its state_dict is not a mapping"


def _reason(fault: Exception) -> str:
    words = " ".join(str(fault).split())
    if "weights_only" in words or "Unsupported" in words:
        return "it holds objects or code, which are never loaded"
    return f"it is damaged or cut off ({words[:120]})"
