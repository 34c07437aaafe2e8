"""A measurement leaves no trace: modes, buffers and random generators are afterwards what they were before."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def device_of(model: nn.Module) -> torch.device:
    """Return the model's device; the CPU for a model without tensors.

    >>> device_of(nn.ReLU())
    device(type='cpu')
    """
    tensors = (*model.parameters(), *model.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


def uncompiled(model: nn.Module) -> nn.Module:
    """Return the module that `torch.compile` wrapped, or the model itself: hooks do not see compiled code."""
    return getattr(model, "_orig_mod", model)


@contextmanager
def preserve_state(model: nn.Module) -> Iterator[None]:
    """Restore the training flag of each module, the buffers, and the generators of torch, the device and the layers.

    >>> model = nn.Dropout()
    >>> with preserve_state(model):
    ...     _ = model.eval()
    >>> model.training
    True
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    own = [getattr(module, "generator", None) for module in model.modules()]
    states = [(each, each.get_state()) for each in own if isinstance(each, torch.Generator)]
    device = device_of(model)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for generator, state in states:
                generator.set_state(state)
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
