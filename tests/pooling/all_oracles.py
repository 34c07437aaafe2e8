"""The oracles of `oracles.py` and of every `oracles_*.py` beside it, as the tests and the suite take them."""

from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poolab.pooling import Pool
from tests.pooling.oracles import Shape, each_window

MODULES = [import_module(f"tests.pooling.{path.stem}") for path in sorted(Path(__file__).parent.glob("oracles*.py"))]


def _merged(kind: str) -> dict:
    found: dict = {}
    for module in MODULES:
        more = getattr(module, kind, {})
        assert not set(found) & set(more), f"{module.__name__} gives a second oracle: {sorted(set(found) & set(more))}"
        found |= more
    return found


# `PLANES` of a file names the oracles in its POSITIONAL that know two dimensions alone.
PLANES: set[str] = set().union(*(getattr(module, "PLANES", set()) for module in MODULES))
ORACLES, POSITIONAL, HEADS, TIES = map(_merged, ("ORACLES", "POSITIONAL", "HEADS", "TIES"))


def reference(name: str, x: np.ndarray, shape: Shape, module: Pool) -> np.ndarray:
    """What the window pooling `name` should give for (N, C, *sizes)."""
    if name in POSITIONAL:
        return POSITIONAL[name](x, shape, module)
    return each_window(x, shape, lambda taps: ORACLES[name](taps, module)).astype(float)


def oracle_of(name: str) -> dict:
    """A method's oracle as `poolab.testing.check_pooling` takes it; nothing where there is none."""
    if name in ORACLES:
        return {"oracle": lambda taps, module: ORACLES[name](taps.numpy(), module)}
    if name in POSITIONAL:
        return {"reference": lambda x, geometry, module: _positional(name, x, geometry, module)}
    if name in HEADS:
        return {"reference": lambda x, _, module: _tensor(HEADS[name](x.numpy(), module))}
    return {}


def _positional(name: str, x: Tensor, g: object, module: Pool) -> Tensor | None:
    if name in PLANES and x.dim() != 4:
        return None
    shape = Shape(g.kernel_size, g.stride, g.padding, g.dilation, g.ceil_mode)
    return _tensor(POSITIONAL[name](x.numpy(), shape, module))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))
