"""Shapes without arithmetic: what a network does to an image size, found on torch's meta device."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

from poolab.backbones.slots import Slot
from poolab.errors import ConfigError

LARGEST_TRIED = 2048  # pixels; the upper end of the search for an image size that works

# What torch, poolab and the networks of others raise where a map is too small, or an image of a size that they refuse.
FAULTS = (RuntimeError, ValueError, AssertionError)

Shape = tuple[int, ...]
M = TypeVar("M", bound=nn.Module)


class Network(Protocol):
    """The methods of a network that are used here; `Backbone` has them."""

    name: str
    in_channels: int
    slots: dict[str, Slot]

    def embed(self, input: torch.Tensor) -> torch.Tensor:
        """Return the features that the head leaves."""

    def slot_of(self, path: str) -> str | None:
        """Return the slot of a module."""

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Return the modules with their qualified names."""

    def get_submodule(self, target: str) -> nn.Module:
        """Return a module by its qualified name."""


class VanishError(ConfigError):
    """An image is too small: a map would have no pixel left. `smallest` is the side of the smallest that works."""

    def __init__(self, message: str, smallest: int) -> None:
        super().__init__(message)
        self.smallest = smallest


@dataclass
class Trace:
    """The result of a forward pass: the inputs and outputs of each module by qualified name, and how it ended."""

    inputs: dict[str, Shape] = field(default_factory=dict)
    outputs: dict[str, Shape] = field(default_factory=dict)
    last: str = ""
    features: int = 0
    error: Exception | None = None


def meta_twin(model: M) -> M:
    """Return a copy in eval mode that has shapes and no data. The model itself is neither run nor copied."""
    tensors = [*model.parameters(), *model.buffers()]
    memo: dict[int, Any] = {id(tensor): _on_meta(tensor) for tensor in tensors}
    return copy.deepcopy(model, memo).eval()


def trace(twin: Network, image_size: tuple[int, int]) -> Trace:
    """Send one image of shapes through the twin up to the classifier, and note what each module got and gave."""
    seen = Trace()
    image = torch.empty(1, twin.in_channels, *image_size, device="meta")
    with _noting(twin, seen), torch.no_grad():
        try:
            seen.features = twin.embed(image).shape[1]
        except FAULTS as error:
            seen.error = error
    return seen


def probe(model: Network, twin: Network, image_size: tuple[int, int]) -> int:
    """Return the number of features that the head gives.

    Raises:
        VanishError: the image is too small; says where, the map's size there, and the smallest size that works.
        ConfigError: it does not fit at this size nor at a larger one.
    """
    seen = trace(twin, image_size)
    if seen.error is None:
        return seen.features
    height, width = image_size
    smallest = smallest_image(twin)
    if smallest is None or smallest <= min(height, width):
        raise ConfigError(f"{model.name} cannot run on {height}x{width} images: {seen.error}") from seen.error
    raise VanishError(
        f"{model.name} on {height}x{width} images: the map would vanish at {describe_place(model, seen)}. "
        f"The smallest image that works is {smallest}x{smallest}.",
        smallest,
    ) from seen.error


def describe_place(model: Network, seen: Trace) -> str:
    """Describe where a forward pass ended, and the size of the map there."""
    map_size = "x".join(map(str, seen.inputs[seen.last][-2:]))
    name = model.slot_of(seen.last)
    if name is None:
        return f"{seen.last} ({type(model.get_submodule(seen.last)).__name__}), where it is {map_size}"
    slot = model.slots[name]
    window = f" with window {slot.kernel_size[0]}x{slot.kernel_size[1]}" if slot.kernel_size else ""
    return f"slot {name} ({slot.pooling}{window}), where it is {map_size}"


def smallest_image(twin: Network) -> int | None:
    """Return the side of the smallest square image that works; None if it is larger than `LARGEST_TRIED` pixels.

    Output sizes never shrink when the input grows, so doubling and then halving the interval finds it.
    """
    high = 1
    while not _works(twin, high):
        high *= 2
        if high > LARGEST_TRIED:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _works(twin, middle) else (middle, high)
    return high


def _works(twin: Network, side: int) -> bool:
    return trace(twin, (side, side)).error is None


def _on_meta(tensor: torch.Tensor) -> torch.Tensor:
    twin = torch.empty_like(tensor, device="meta")
    return nn.Parameter(twin, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else twin


@contextmanager
def _noting(twin: Network, seen: Trace) -> Iterator[None]:
    handles = []
    for path, module in twin.named_modules():
        if not path:
            continue

        def before(_: nn.Module, args: tuple[Any, ...], path: str = path) -> None:
            if args and isinstance(args[0], torch.Tensor):  # a stranger's module may take anything
                seen.last, seen.inputs[path] = path, tuple(args[0].shape)

        def after(_: nn.Module, args: tuple[Any, ...], output: Any, path: str = path) -> None:
            if isinstance(output, torch.Tensor):
                seen.outputs[path] = tuple(output.shape)

        handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
