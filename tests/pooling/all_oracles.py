"""The oracles of `oracles.py` and of every `oracles_*.py` beside it, as the tests and the suite take them."""

from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poolab.pooling import Pool
from tests.pooling.oracles import Shape, each_window


def _merged(kind: str) -> dict:
    found: dict = {}
    for path in sorted(Path(__file__).parent.glob("oracles*.py")):
        more = getattr(import_module(f"tests.pooling.{path.stem}"), kind, {})
        assert not set(found) & set(more), f"{path.name} gives a second oracle: {sorted(set(found) & set(more))}"
        found |= more
    return found


ORACLES, POSITIONAL, HEADS, TIES = map(_merged, ("ORACLES", "POSITIONAL", "HEADS", "TIES"))


def reference(name: str, x: np.ndarray, shape: Shape, module: Pool) -> np.ndarray:
    """What the window pooling `name` should give for (N, C, *sizes)."""
    if name in POSITIONAL:
        return POSITIONAL[name](x, shape, module)
    return each_window(x, shape, lambda cells: ORACLES[name](cells, module)).astype(float)


def oracle_of(name: str) -> dict:
    """A method's oracle as `poolab.testing.check_pooling` takes it; nothing where there is none."""
    if name in ORACLES:
        return {"oracle": lambda cells, module: ORACLES[name](cells.numpy(), module)}
    if name in POSITIONAL:
        return {"reference": lambda x, geometry, module: _tensor(POSITIONAL[name](x.numpy(), _shape(geometry), module))}
    if name in HEADS:
        return {"reference": lambda x, _, module: _tensor(HEADS[name](x.numpy(), module))}
    return {}


def _shape(g: object) -> Shape:
    return Shape(g.kernel_size, g.stride, g.padding, g.dilation, g.ceil_mode)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))
