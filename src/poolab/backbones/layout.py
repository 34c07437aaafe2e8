"""The memory format of a network."""

from typing import Any

import torch
from torch import Tensor, nn

# Below the block of input channels of oneDNN's kernels: 8 with AVX2, 16 with AVX-512.
BLOCK = 16


def to_channels_last(network: nn.Module) -> nn.Module:
    """Return the network with its weights in channels_last, but for the convolutions that torch computes wrongly there.

    On x86 processors the gradient of a 1x1 convolution with a stride above 1 and fewer input channels than a block
    writes beyond a buffer in channels_last (oneDNN issue 6035, torch 2.14.1): the process crashes, or the gradient is
    wrong without a word. These few convolutions keep contiguous weights and get a contiguous input.

    Args:
        network: is changed in place.
    """
    network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_wrong(module):
            # A copy: of a 1x1 kernel `contiguous()` keeps the strides, by which torch would choose channels_last again.
            weight = module.weight.data
            module.weight.data = torch.empty_like(weight, memory_format=torch.contiguous_format).copy_(weight)
            module.register_forward_pre_hook(_contiguous)
    return network


def _is_wrong(module: nn.Conv2d) -> bool:
    return set(module.kernel_size) == {1} and max(module.stride) > 1 and module.in_channels < BLOCK


def _contiguous(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    del module
    return tuple(one.contiguous() if isinstance(one, Tensor) and one.device.type == "cpu" else one for one in inputs)
