"""The compiled kernels of this process: made when first needed, kept by recipe, dtype, layout and device."""

import os
import threading

import torch
from torch import Tensor

from poolab.pooling.core.base import memory_format
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.functions import Kernel
from poolab.pooling.fused.notices import warn_once

Key = tuple[Recipe, torch.dtype, bool, str]  # what a kernel is made for: recipe, dtype, is channels_last, device type

_kernels: dict[Key, Kernel | None] = {}  # None: there can be none
_making = threading.Lock()  # a kernel is made by one thread; the others wait for it


def compiled_kernel(recipe: Recipe, input: Tensor) -> Kernel | None:
    """Return the compiled kernel for maps like this one, made when first asked for; None where there can be none."""
    key = kernel_key(recipe, input)
    if key not in _kernels:
        with _making:
            if key not in _kernels:
                _kernels[key] = _made(key)
    return _kernels[key]


def _renew_lock() -> None:
    """Renew the lock in a forked process: the thread that held it may not be there."""
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def kernel_key(recipe: Recipe, input: Tensor) -> Key:
    """Return what a kernel for maps like this one is made for."""
    return recipe, input.dtype, memory_format(input) is not torch.contiguous_format, input.device.type


def is_made(key: Key) -> bool:
    """Return whether this process has looked for the kernel already."""
    return key in _kernels


def _made(key: Key) -> Kernel | None:
    """Return the compiled kernel; None, with one warning for the process where a compiler is missing."""
    from poolab.pooling.fused.compiler import NoCompiler
    from poolab.pooling.fused.recorder import NotFusable

    recipe, dtype, is_channels_last, device = key
    try:
        if device == "cpu":
            from poolab.pooling.fused.cpu_kernel import CpuKernel

            return CpuKernel(recipe, dtype, is_channels_last)
        if device == "cuda":
            from poolab.pooling.fused.triton_kernel import TritonKernel

            return TritonKernel(recipe, dtype, is_channels_last)
    except NotFusable:
        return None
    except NoCompiler as fault:
        warn_once("kernel", f"poolings are computed in plain torch, since no kernel can be made: {fault}")
    return None
