"""Measure the memory that pooling layers keep between forward and backward."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from poolab.measure.module_state import preserve_state, uncompiled
from poolab.pooling import Pool

TORCH_POOLS = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.LPPool2d,
    nn.FractionalMaxPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)


def pooling_saved_bytes(model: nn.Module, input: Tensor) -> dict[str, int]:
    """Return the bytes that each pooling layer saves for backward beyond its own input, for one training batch.

    It counts poolab's and torch's pooling layers, by slot where a backbone names one, else by module name. Each
    storage counts once and in full; the layer's input (which the layer before it or behind it keeps anyway) and
    parameters do not count. Only the pooling layers run in training mode, so that no running statistic moves; the
    model is left as it was, without gradients.

    Args:
        model: any module; the poolings in it are found by their class.
        input: a batch of the size to be trained with, on the model's device.

    >>> net = nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2))  # the maximum keeps an int64 index for each output
    >>> pooling_saved_bytes(net, torch.zeros(1, 1, 8, 8))
    {'0': 128, '1': 0}
    """
    model = uncompiled(model)
    pools = pooling_layers(model)
    counts = {path: SavedStorages(model.parameters()) for path in pools}
    with preserve_state(model), _counting(pools, counts) as hooks, hooks, torch.enable_grad():
        model.eval()
        for pool in pools.values():
            pool.train()
        output = model(input.detach().requires_grad_())
        del output
    return {slot_label(model, path): count.bytes for path, count in counts.items()}


class SavedStorages:
    """The storages that one layer saved, and those exempt; all are held, so that none is mistaken for a later one.

    Args:
        exempt: tensors whose storages do not count.
    """

    def __init__(self, exempt: Iterable[Tensor]) -> None:
        self.exempt = _storages(exempt)
        self.saved: dict[int, torch.UntypedStorage] = {}

    def exempt_too(self, tensors: Iterable[Tensor]) -> None:
        """Leave these out as well."""
        self.exempt |= _storages(tensors)

    def add(self, tensor: Tensor) -> None:
        """Note one saved tensor."""
        self.saved |= _storages([tensor])

    @property
    def bytes(self) -> int:
        """The sizes of the storages, each once and in full."""
        return sum(storage.nbytes() for key, storage in self.saved.items() if key not in self.exempt)


@contextmanager
def _counting(pools: dict[str, nn.Module], counts: dict[str, SavedStorages]) -> Iterator[saved_tensors_hooks]:
    """Add hooks that credit saved tensors to the pooling layer that is running at that moment."""
    running: list[SavedStorages] = []

    def enter(path: str) -> Any:
        def before(_: nn.Module, args: tuple[Any, ...]) -> None:
            counts[path].exempt_too(each for each in args if isinstance(each, Tensor))
            running.append(counts[path])

        return before

    def leave(*_: Any) -> None:
        running.pop()

    def pack(tensor: Tensor) -> Tensor:
        if running:
            running[-1].add(tensor)
        return tensor

    handles = [pool.register_forward_pre_hook(enter(path)) for path, pool in pools.items()]
    handles += [pool.register_forward_hook(leave) for pool in pools.values()]
    try:
        yield saved_tensors_hooks(pack, lambda tensor: tensor)
    finally:
        for handle in handles:
            handle.remove()


def pooling_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the pooling layers by module name, without those inside another one."""
    found: dict[str, nn.Module] = {}
    for path, module in model.named_modules():
        inside = any(path.startswith(f"{outer}.") or outer == "" for outer in found)
        if isinstance(module, (Pool, *TORCH_POOLS)) and not inside:
            found[path] = module
    return found


def slot_label(model: nn.Module, path: str) -> str:
    """Return the slot of a layer where a backbone names one, else the layer's own name."""
    slot_of = getattr(model, "slot_of", None)  # a backbone's; this room knows none
    return (slot_of and slot_of(path)) or path


def _storages(tensors: Iterable[Tensor]) -> dict[int, torch.UntypedStorage]:
    return {tensor.untyped_storage()._cdata: tensor.untyped_storage() for tensor in tensors}
