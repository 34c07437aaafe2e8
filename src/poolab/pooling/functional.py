"""Functions for the poolings without state, as in `torch.nn.functional`: `avg_topk_pool2d(x, 3, 2, k=4)`.

Each function is made from its class, so that formula, checks and documentation are the same. A random method takes
`training=True` and `generator=None`. `functional.pyi` declares all of them for editors and type checkers.

>>> import torch
>>> from poolab.pooling.functional import avg_topk_pool2d
>>> avg_topk_pool2d(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]]), 2, k=3).item()
3.0
"""

from collections.abc import Callable, Iterator

from torch import Tensor

from poolab.errors import nearest
from poolab.pooling._twins import function_name, twin_of
from poolab.pooling.core.base import Pool, has_twin
from poolab.pooling.registry import POOLS, SIBLINGS


def __getattr__(name: str) -> Callable[..., Tensor]:
    """Return the function `<method>_pool2d` (or 1d, 3d) of a registered method, also of one registered later."""
    for cls in _classes():
        if name == function_name(cls):
            if not has_twin(cls):
                raise AttributeError(
                    f"there is no function {name}, since the method has parameters: use {cls.__name__}"
                )
            globals()[name] = twin_of(cls)
            return globals()[name]
    raise AttributeError(f"module {__name__} has no function {name}: {nearest(name, __dir__())}")


def __dir__() -> list[str]:
    """Return the names of all functions."""
    return sorted(function_name(cls) for cls in _classes() if has_twin(cls))


def _classes() -> Iterator[type[Pool]]:
    yield from POOLS.values()
    yield from SIBLINGS.values()
