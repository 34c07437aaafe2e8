"""Precision under autocast: what must be computed in float32 all the same."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def without_autocast(input: Tensor) -> AbstractContextManager[object]:
    """Keep products of what is in float32 in float32: sums of squares need the precision and the range."""
    kind = input.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
