"""The poolings under torch.fx: one node for each call, whatever the tracer.

A tracer keeps a module whole where its class lies in `torch.nn`; every other one it looks into, with proxies in place
of tensors. A formula asks for shapes and dtypes, which a proxy does not have, so each call of a layer or function puts
itself into the graph.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def is_proxy(input: object) -> bool:
    """Return True if a tracer of torch.fx hands in its placeholder of a tensor."""
    return not isinstance(input, Tensor) and isinstance(input, torch.fx.Proxy)


def traced(pool: nn.Module, input: Any, *others: Any) -> Any:
    """Add a call of the layer to the graph that is traced.

    Raises:
        TypeError: the tracer knows no modules, so it cannot say where in a network the layer lies.
    """
    tracer = input.tracer
    if not hasattr(tracer, "path_of_module"):
        raise TypeError(
            f"{type(pool).__name__}: {type(tracer).__name__} traces without a root module, so that no node can name "
            "the layer; trace the network that holds it, e.g. torch.fx.symbolic_trace(network)"
        )
    path = tracer.path_of_module(pool) or "itself"  # a graph cannot call its own root; `Pool.itself` is the root again
    return tracer.create_proxy("call_module", path, (input, *others), {})


def called(function: Callable[..., Tensor], *arguments: Any, **keywords: Any) -> Any:
    """Add a call of the function to the graph that is traced."""
    return arguments[0].tracer.create_proxy("call_function", function, arguments, keywords)
