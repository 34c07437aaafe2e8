"""Find the layers of a network that a format cannot hold, or holds wrong: each is exported alone, with its input."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from poolab.export.comparison import largest_difference
from poolab.export.job import Job, Writer

OPERATOR = re.compile(r"op='([\w.]+)', overload='(\w+)'")
MISSING = re.compile(r"No ONNX function found|does not support|not implemented|Unsupported|missing", re.IGNORECASE)
WRONG = 1e-3  # of the largest output: what rounding explains is a thousandth of it


def reason_of(fault: BaseException) -> str:
    """Return why an exporter failed, in one line: an operator that it does not know, or the first cause's words."""
    first = fault
    while first.__cause__ is not None:
        first = first.__cause__
    text = str(first).strip()
    operator = OPERATOR.search(text)
    if operator is not None and MISSING.search(text):
        return f"the operator {operator[1]}.{operator[2]} has no translation"
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(first).__name__]
    where = next((line for line in lines if line.startswith("Caused by: (")), "")
    said = f"{lines[0][:200]} {where.removeprefix('Caused by: ')}".strip()
    return said if isinstance(first, RuntimeError | ValueError) else f"{type(first).__name__}: {said}"


def culprits(network: nn.Module, images: Tensor, writer: Writer, folder: Path) -> list[str]:
    """Return a line for each kind of pooling in a network that the format cannot hold, or computes otherwise.

    Args:
        network: a backbone with slots; others have none, and no line.
        images: a few normalised images.
    """
    slots = getattr(network, "slots", {})
    found: list[str] = []
    seen: set[str] = set()
    for name, (layer, taken) in _inputs(network, list(slots), images).items():
        pooling = slots[name].pooling
        if pooling in seen or taken is None:
            continue
        seen.add(pooling)
        line = _fault(layer, taken, writer, folder)
        if line is not None:
            found.append(f"slot {name} ({pooling}): {line}")
    return found


def _fault(layer: nn.Module, taken: Tensor, writer: Writer, folder: Path) -> str | None:
    alone = _Alone(layer).eval()
    path = folder / "layer"
    try:
        path.write_bytes(writer.make(Job(alone, taken[:2], {}), folder))
        found = writer.opened(path)(taken)[0]
    except Exception as fault:
        return reason_of(fault)
    wanted = alone(taken)[0].numpy()
    if found.shape != wanted.shape:
        return f"the file's output has the shape {found.shape}, not {wanted.shape}"
    difference, scale = largest_difference(found, wanted), max(float(abs(wanted).max(initial=0)), 1e-6)
    return (
        f"the file's output differs by up to {difference / scale:.1%} of the largest"
        if difference > WRONG * scale
        else None
    )


class _Alone(nn.Module):
    """A layer with the two outputs that a writer expects."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        output = self.layer(maps)
        return output, output.flatten(1)


def _inputs(network: Any, names: list[str], images: Tensor) -> dict[str, tuple[nn.Module, Tensor | None]]:
    """Return the layer of each slot and what it gets where the network computes these images."""
    found: dict[str, tuple[nn.Module, Tensor | None]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, given: tuple[Any, ...]) -> None:
            found[name] = layer, given[0].detach() if given and isinstance(given[0], Tensor) else None

        return hook

    with ExitStack() as stack, torch.no_grad():
        for name, layer in _layers(network, names):
            stack.callback(layer.register_forward_pre_hook(keep(name)).remove)
        network(images)
    return found


def _layers(network: Any, names: list[str]) -> Iterator[tuple[str, nn.Module]]:
    for name in names:
        yield name, network.slot_module(name)
