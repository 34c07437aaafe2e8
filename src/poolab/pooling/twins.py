"""The functional twins of the poolings without state, as in `torch.nn.functional`: `avg_topk_pool2d(x, 3, 2, k=4)`.

Each is made from its class, so that formula, checks and documentation are the same. A random method takes
`training=True` and `generator=None`.

>>> import torch
>>> from poolab.pooling.functional import avg_topk_pool2d
>>> avg_topk_pool2d(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]]), 2, k=3).item()
3.0
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor

from poolab.errors import nearest
from poolab.pooling.core.base import Pool
from poolab.pooling.core.geometry import Geometry, IntOrSizes
from poolab.pooling.core.options import checked, sorted_out
from poolab.pooling.map_pool import MapPool2d
from poolab.pooling.registry import POOLS, SIBLINGS
from poolab.pooling.window_pool import WindowPool2d

EXTRAS = ("training", "generator", "labels")  # what a formula may take beside the options, with a default of its own


def has_twin(cls: type[Pool]) -> bool:
    """Whether the formula takes nothing but options and random numbers, so that there is no state to hold."""
    return cls.learns != "always" and set(_own(cls)) <= {*cls.options, *EXTRAS}


def twin_of(cls: type[Pool]) -> Callable[..., Tensor]:
    """The function (input, geometry, options) -> output of a window pooling; (input, options) -> output of a head."""
    assert issubclass(cls, WindowPool2d | MapPool2d)
    return _named(_window_twin(cls) if issubclass(cls, WindowPool2d) else _map_twin(cls), cls)


def _window_twin(cls: type[WindowPool2d]) -> Callable[..., Tensor]:
    parameters = _own(cls)
    declared = {name: option for name, option in cls.options.items() if name in parameters}

    def twin(
        input: Tensor,
        kernel_size: IntOrSizes,
        stride: IntOrSizes | None = None,
        padding: IntOrSizes = 0,
        dilation: IntOrSizes = 1,
        ceil_mode: bool = False,
        **options: Any,
    ) -> Tensor:
        extras = {name: options.pop(name) for name in EXTRAS if name in options and name in parameters}
        faults, cells = [], None
        try:
            geometry = Geometry.of(cls.__name__, kernel_size, stride, padding, dilation, ceil_mode, cls.dims)
            cells = geometry.cells
        except ValueError as fault:
            faults.append(str(fault))
        values, wrong = sorted_out(declared, options, cells)
        faults += [f"{cls.__name__}: {'; '.join(wrong.values())}"] if wrong else []
        if faults:
            raise ValueError("; ".join(faults))
        return cls.compute(input, geometry, **values, **extras)

    return twin


def _map_twin(cls: type[MapPool2d]) -> Callable[..., Tensor]:
    parameters = _own(cls)
    declared = {name: option for name, option in cls.options.items() if name in parameters}

    def twin(input: Tensor, **options: Any) -> Tensor:
        extras = {name: options.pop(name) for name in EXTRAS if name in options and name in parameters}
        return cls.compute(input, **checked(cls.__name__, declared, options, None), **extras)

    return twin


def _own(cls: type[Pool]) -> dict[str, inspect.Parameter]:
    """What the formula takes beside its windows or its map."""
    return dict(list(inspect.signature(cls.formula).parameters.items())[1:])


def _named(twin: Callable[..., Tensor], cls: type[Pool]) -> Callable[..., Tensor]:
    fixed = [p for p in inspect.signature(twin).parameters.values() if p.kind is not p.VAR_KEYWORD]
    own = [p.replace(kind=p.KEYWORD_ONLY) for p in _own(cls).values()]
    twin.__signature__ = inspect.Signature([*fixed, *own], return_annotation=Tensor)  # type: ignore[attr-defined]
    twin.__name__ = twin.__qualname__ = f"{cls.name}_pool{cls.dims}d"
    twin.__module__ = __name__
    twin.__doc__ = f"The functional twin of `{cls.__name__}`: {cls.formula.__doc__} See there for the options."
    return twin


def __getattr__(name: str) -> Callable[..., Tensor]:
    """The twin `<method>_pool2d` (or 1d, 3d) of any registered method, also of one that is registered later."""
    for cls in (*POOLS.values(), *SIBLINGS.values()):
        if name == f"{cls.name}_pool{cls.dims}d" and has_twin(cls):
            globals()[name] = twin_of(cls)
            return globals()[name]
    for cls in (*POOLS.values(), *SIBLINGS.values()):
        if name == f"{cls.name}_pool{cls.dims}d":
            raise AttributeError(f"there is no function {name}, since the method has parameters: use {cls.__name__}")
    raise AttributeError(f"module {__name__} has no function {name}: {nearest(name, __dir__())}")


def __dir__() -> list[str]:
    """All twins."""
    return sorted(f"{cls.name}_pool{cls.dims}d" for cls in (*POOLS.values(), *SIBLINGS.values()) if has_twin(cls))
