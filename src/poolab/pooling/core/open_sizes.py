"""Sizes that an exporter leaves open: `torch.export` with `Dim("height")`, and ONNX from it.

Python decides nothing by such a size. A branch on it would hold for the example's size alone, and torch refuses it
("Constraints violated"). Where a formula asks how windows, bins or filters lie on the map, it takes another way here,
which computes the same by index tensors and masks. Without an exporter, and where the exporter knows the sizes, nothing
is open and everything is computed as ever.
"""

import torch
from torch import Tensor
from torch.compiler import is_exporting


def is_open(*sizes: int) -> bool:
    """Return True if an exporter leaves one of the sizes open."""
    return is_exporting() and is_symbolic(*sizes)


def is_symbolic(*sizes: int) -> bool:
    """Return True if a compiler or exporter leaves one of the sizes open; a compiler may well branch on it."""
    if not torch.compiler.is_compiling():
        return False
    from torch.fx.experimental.symbolic_shapes import has_static_value  # takes half a second, which exporters have paid

    return not all(has_static_value(size) for size in sizes)


def as_tensor(size: int, like: Tensor) -> Tensor:
    """Return a size as an integer tensor of shape () on the device of `like`."""
    return torch.scalar_tensor(size, dtype=torch.int64, device=like.device)
