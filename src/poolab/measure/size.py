"""Measure the size of a network, and its operations for one image."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from poolab.measure.module_state import preserve_state, uncompiled


def parameters(model: nn.Module) -> int:
    """Count the weights, frozen ones and those of the poolings included; a shared weight counts once.

    >>> parameters(nn.Conv2d(3, 32, 3))
    896
    """
    return sum(parameter.numel() for parameter in model.parameters())


def multiply_adds(model: nn.Module, input: Tensor) -> int:
    """Count the multiply-adds of one image in eval mode; `input` is (N, C, H, W) on the model's device.

    What counts: convolutions and matrix products (biases do not). What does not: normalisation, activations and the
    arithmetic of the poolings, which are not multiply-adds; a strided convolution in a slot is one and counts.
    The model is left as it was.

    >>> multiply_adds(nn.Conv2d(3, 32, 3, bias=False), torch.zeros(1, 3, 32, 32)) == 3 * 32 * 3 * 3 * 30 * 30
    True
    """
    model = uncompiled(model)
    # With gradients: torch 2.15's counter hooks the backward of what modules are given, and without them fails where
    # that is a parameter (timm's PiT).
    with preserve_state(model), FlopCounterMode(display=False) as counter, torch.enable_grad():
        model.eval()(input[:1])
    return counter.get_total_flops() // 2
