"""Keys of kernels, and the time that plain torch has taken for each."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import torch
from torch import Tensor

from poolab.pooling.core.base import memory_format
from poolab.pooling.fused.call import Recipe

Key = tuple[Recipe, torch.dtype, bool, str]  # recipe, dtype, is channels_last, device type

_seconds: defaultdict[Key, float] = defaultdict(float)


def kernel_key(recipe: Recipe, input: Tensor) -> Key:
    """Return what a kernel for maps like this one is made for."""
    return recipe, input.dtype, memory_format(input) is not torch.contiguous_format, input.device.type


@contextmanager
def noted(recipe: Recipe, input: Tensor) -> Iterator[None]:
    """Add the time of what is done inside to the seconds that plain torch has taken."""
    start = perf_counter()
    try:
        yield
    finally:
        _seconds[kernel_key(recipe, input)] += perf_counter() - start


def seconds_in_torch(key: Key) -> float:
    """Return the seconds that plain torch has taken for maps like these."""
    return _seconds.get(key, 0.0)
