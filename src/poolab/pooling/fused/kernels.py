"""The compiled kernels of this process: made when first needed, kept by recipe, dtype, layout and device."""

import os
import threading

from torch import Tensor

from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.functions import Kernel
from poolab.pooling.fused.keys import Key, kernel_key
from poolab.pooling.fused.notices import warn_once

_kernels: dict[Key, Kernel | None] = {}  # None: there can be none
_making: dict[Key, threading.Lock] = {}  # a kernel is made by one thread; the others wait for it


def compiled_kernel(recipe: Recipe, input: Tensor) -> Kernel | None:
    """Return the compiled kernel for maps like this one, made when first asked for; None where there can be none."""
    return kernel_of(kernel_key(recipe, input))


def kernel_of(key: Key) -> Kernel | None:
    """Return the kernel of a key, made when first asked for; None where there can be none."""
    if key not in _kernels:
        with _making.setdefault(key, threading.Lock()):
            if key not in _kernels:
                _kernels[key] = _made(key)
    return _kernels[key]


def _renew_locks() -> None:
    """Renew the locks in a forked process: the thread that held one may not be there."""
    _making.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def is_made(key: Key) -> bool:
    """Return whether this process has looked for the kernel already."""
    return key in _kernels


def made_kernel(key: Key) -> Kernel | None:
    """Return the kernel if it has been made."""
    return _kernels.get(key)


def refuse(key: Key, fault: Exception) -> None:
    """Note that there is no kernel, for a reason that was not foreseen; warn once."""
    _kernels[key] = None
    warn_once("kernel", f"poolings are computed in plain torch, since no kernel can be made: {fault!r}")


def _made(key: Key) -> Kernel | None:
    """Return the compiled kernel; None, with one warning for the process where a compiler is missing."""
    from poolab.pooling.fused.building import Ending
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
    except (NotFusable, Ending):
        return None
    except NoCompiler as fault:
        warn_once("kernel", f"poolings are computed in plain torch, since no kernel can be made: {fault}")
    return None
