"""The function of a pooling without state, made from its class: what `poolab.pooling.functional` offers by name."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor

from poolab.pooling.core.base import EXTRAS, Pool, formula_parameters, option_parameter, sized
from poolab.pooling.core.documentation import function_documentation
from poolab.pooling.core.geometry import Geometry, IntOrSizes, Padding
from poolab.pooling.core.options import checked, sorted_out
from poolab.pooling.core.tracing import called, is_proxy
from poolab.pooling.map_pool import MapPool2d
from poolab.pooling.window_pool import WindowPool2d


def twin_of(cls: type[Pool]) -> Callable[..., Tensor]:
    """Return the function (input, geometry, options) -> output of a window method, (input, options) of another."""
    assert issubclass(cls, WindowPool2d | MapPool2d)
    return _named(_window_twin(cls) if issubclass(cls, WindowPool2d) else _map_twin(cls), cls)


def function_name(cls: type[Pool]) -> str:
    """Return the name that the function of a class has."""
    return f"{cls.name}_pool{cls.dims}d"


def _window_twin(cls: type[WindowPool2d]) -> Callable[..., Tensor]:
    parameters = formula_parameters(cls)
    declared = {name: option for name, option in cls.options.items() if name in parameters}

    def twin(
        input: Tensor,
        kernel_size: IntOrSizes,
        stride: IntOrSizes | None = None,
        padding: Padding = 0,
        dilation: IntOrSizes = 1,
        ceil_mode: bool = False,
        **options: Any,
    ) -> Tensor:
        if is_proxy(input):
            return called(twin, input, kernel_size, stride, padding, dilation, ceil_mode, **options)
        extras = {name: options.pop(name) for name in EXTRAS if name in options and name in parameters}
        faults, taps = [], None
        try:
            geometry = Geometry.of(cls.__name__, kernel_size, stride, padding, dilation, ceil_mode, cls.dims)
            taps = geometry.taps
        except ValueError as fault:
            faults.append(str(fault))
        values, wrong = sorted_out(declared, options, taps)
        faults += [f"{cls.__name__}: {'; '.join(wrong.values())}"] if wrong else []
        if faults:
            raise ValueError("; ".join(faults))
        return cls.compute(input, geometry, **values, **extras)

    return twin


def _map_twin(cls: type[MapPool2d]) -> Callable[..., Tensor]:
    parameters = formula_parameters(cls)
    declared = {name: option for name, option in cls.options.items() if name in parameters}

    def twin(input: Tensor, **options: Any) -> Tensor:
        if is_proxy(input):
            return called(twin, input, **options)
        extras = {name: options.pop(name) for name in EXTRAS if name in options and name in parameters}
        return cls.compute(input, **checked(cls.__name__, declared, options, None), **extras)

    return twin


def _named(twin: Callable[..., Tensor], cls: type[Pool]) -> Callable[..., Tensor]:
    twin.__signature__ = twin_signature(twin, cls)  # type: ignore[attr-defined]
    twin.__name__ = twin.__qualname__ = function_name(cls)
    twin.__module__ = "poolab.pooling.functional"
    twin.__doc__ = function_documentation(cls)
    return twin


def twin_signature(twin: Callable[..., Tensor], cls: type[Pool]) -> inspect.Signature:
    """Return the parameters with the formula's own in place of `**options`."""
    fixed = [p for p in inspect.signature(twin).parameters.values() if p.kind is not p.VAR_KEYWORD]
    own = [
        option_parameter(name, cls.options[name]) if name in cls.options else p.replace(kind=p.KEYWORD_ONLY)
        for name, p in formula_parameters(cls).items()
    ]
    fixed = [p.replace(annotation=sized(p.annotation, cls.dims)) for p in fixed]
    return inspect.Signature([*fixed, *own], return_annotation=Tensor)
