"""The memory of one pooling layer: what it keeps for backward, and the peak of forward and backward."""

import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from poolab.measure import PeakMemory, SavedStorages


def saved_bytes(module: nn.Module, input: Tensor) -> int:
    """Return the bytes saved for backward beyond the input and the parameters; a saved output counts.

    >>> saved_bytes(nn.MaxPool2d(2), torch.zeros(1, 1, 8, 8, requires_grad=True))  # an int64 index for each output
    128
    """
    storages = SavedStorages([input, *module.parameters()])

    def pack(tensor: Tensor) -> Tensor:
        storages.add(tensor)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = module(input)
    del output
    return storages.bytes


def peak_bytes(module: nn.Module, input: Tensor, inputs: Sequence[Tensor], output_gradient: Tensor) -> int:
    """Return the most that forward and backward allocate at one time, beyond the input and the output gradient.

    On CUDA by the allocator's own record. On the CPU by the profiler's, which sees every tensor, also those of compiled
    kernels and of custom autograd functions; memory that a kernel allocates and frees itself is not seen.
    Run the layer before: a first call may allocate what later ones find.

    >>> x = torch.zeros(1, 1, 8, 8, requires_grad=True)  # 64 bytes of output, 128 of indices, 256 of map gradient
    >>> peak_bytes(nn.MaxPool2d(2), x, [x], torch.ones(1, 1, 4, 4))
    448
    """
    if input.device.type == "cuda":
        torch.cuda.synchronize(input.device)
        before = torch.cuda.memory_allocated(input.device)
        with PeakMemory(input.device) as peak:
            _forward_and_backward(module, input, inputs, output_gradient)
        return max(0, peak.bytes - before)
    return _cpu_peak(module, input, inputs, output_gradient)


def _forward_and_backward(
    module: nn.Module, input: Tensor, inputs: Sequence[Tensor], output_gradient: Tensor
) -> tuple[Tensor, ...]:
    return torch.autograd.grad(module(input), inputs, output_gradient, allow_unused=True)


def _cpu_peak(module: nn.Module, input: Tensor, inputs: Sequence[Tensor], output_gradient: Tensor) -> int:
    from torch.profiler import ProfilerActivity, profile

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it tells the terminal of every GPU that it does not find
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        kept = _forward_and_backward(module, input, inputs, output_gradient)
    del kept  # freed here and not inside, where it would be no part of the peak
    assert profiler.profiler is not None
    events = profiler.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    return peak
