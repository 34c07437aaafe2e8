"""The functional twins of the poolings without state, as in `torch.nn.functional`: `avg_topk_pool2d(x, 3, 2, k=4)`.

Each is made from its class, so that formula, checks and documentation are the same. A random method takes
`training=True` and `generator=None`.

>>> import torch
>>> avg_topk_pool2d(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]]), 2, k=3).item()
3.0
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor

from poolab.pooling.base import Pool
from poolab.pooling.controls import Subsample2d
from poolab.pooling.draws import StochasticPool2d
from poolab.pooling.extremes import AvgPool2d, MaxPool2d, MinPool2d, MixedPool2d
from poolab.pooling.geometry import Geometry, IntOrPair
from poolab.pooling.head_pool import HeadPool2d
from poolab.pooling.heads import AdaptiveAvgPool2d, AdaptiveMaxPool2d, GlobalAvgPool2d, GlobalMaxPool2d
from poolab.pooling.options import checked
from poolab.pooling.powers import LpPool2d
from poolab.pooling.ranks import AvgTopKPool2d, RankAvgPool2d, RankStochasticPool2d, RankWeightedPool2d
from poolab.pooling.soft import SoftPool2d
from poolab.pooling.window_pool import WindowPool2d

EXTRAS = ("training", "generator")  # what a random formula takes beside the options


def window_twin(cls: type[WindowPool2d]) -> Callable[..., Tensor]:
    """The function (input, geometry, options) -> output of a window pooling."""
    parameters = inspect.signature(cls.formula).parameters
    declared = {name: option for name, option in cls.options.items() if name in parameters}

    def twin(
        input: Tensor,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        ceil_mode: bool = False,
        **options: Any,
    ) -> Tensor:
        geometry = Geometry.of(cls.__name__, kernel_size, stride, padding, dilation, ceil_mode)
        extras = {name: options.pop(name) for name in EXTRAS if name in options and name in parameters}
        values = checked(cls.__name__, declared, options, geometry.cells)
        return cls.compute(input, geometry, **values, **extras)

    return _named(twin, cls)


def head_twin(cls: type[HeadPool2d]) -> Callable[..., Tensor]:
    """The function (input, options) -> output of a head."""

    def twin(input: Tensor, **options: Any) -> Tensor:
        return cls.compute(input, **checked(cls.__name__, cls.options, options, None))

    return _named(twin, cls)


def _named(twin: Callable[..., Tensor], cls: type[Pool]) -> Callable[..., Tensor]:
    fixed = [p for p in inspect.signature(twin).parameters.values() if p.kind is not p.VAR_KEYWORD]
    own = [p.replace(kind=p.KEYWORD_ONLY) for p in list(inspect.signature(cls.formula).parameters.values())[1:]]
    twin.__signature__ = inspect.Signature([*fixed, *own], return_annotation=Tensor)  # type: ignore[attr-defined]
    twin.__name__ = twin.__qualname__ = f"{cls.name}_pool2d"
    twin.__module__ = __name__
    twin.__doc__ = f"The functional twin of `{cls.__name__}`: {cls.formula.__doc__} See there for the options."
    return twin


max_pool2d = window_twin(MaxPool2d)
avg_pool2d = window_twin(AvgPool2d)
min_pool2d = window_twin(MinPool2d)
mixed_pool2d = window_twin(MixedPool2d)
lp_pool2d = window_twin(LpPool2d)
softpool_pool2d = window_twin(SoftPool2d)
avg_topk_pool2d = window_twin(AvgTopKPool2d)
rank_avg_pool2d = window_twin(RankAvgPool2d)
rank_weighted_pool2d = window_twin(RankWeightedPool2d)
rank_stochastic_pool2d = window_twin(RankStochasticPool2d)
stochastic_pool2d = window_twin(StochasticPool2d)
subsample_pool2d = window_twin(Subsample2d)
global_avg_pool2d = head_twin(GlobalAvgPool2d)
global_max_pool2d = head_twin(GlobalMaxPool2d)
adaptive_avg_pool2d = head_twin(AdaptiveAvgPool2d)
adaptive_max_pool2d = head_twin(AdaptiveMaxPool2d)
