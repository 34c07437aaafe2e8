"""A kernel as one operation that `torch.compile` sees and does not look into.

A compiler traces the formula as well as any other code; but what it makes of the backward is slower than max pooling
(10 ms against 3 for 64x64x32x32 in 2x2 windows, and 13 s to compile), and a kernel is there already.
"""

from typing import Any

import torch
from torch import Tensor

from poolab.pooling.core.base import memory_format
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.functions import computed, gradients, summed
from poolab.pooling.fused.kernels import compiled_kernel

_recipes: dict[str, Recipe] = {}


def register(recipe: Recipe, prefix: str = "") -> str:
    """Return the name under which the operation knows a recipe; the same in every process, since compilers keep it."""
    formula = recipe.formula
    name = f"{prefix}{formula.__module__}.{formula.__qualname__} {recipe.fixed} {recipe.learned} {recipe.geometry!r}"
    _recipes[name] = recipe
    return name


@torch.library.custom_op("poolab::window_pool", mutates_args=())
def window_pool(input: Tensor, values: list[Tensor], seed: Tensor | None, name: str) -> Tensor:
    """Compute the pooled map; values are (C,), the name is `register`'s."""
    kernel = compiled_kernel(_recipes[name], input)
    if kernel is None:  # there is no compiler for kernels
        return computed(_recipes[name], seed, input, values)
    return kernel.forward(_dense(input), seed, [value.contiguous() for value in values])


@torch.library.custom_op("poolab::window_pool_backward", mutates_args=())
def window_pool_backward(
    input: Tensor, grad_output: Tensor, values: list[Tensor], seed: Tensor | None, name: str
) -> list[Tensor]:
    """Compute the gradients of the map and of each value."""
    kernel = compiled_kernel(_recipes[name], input)
    if kernel is None:
        return gradients(_recipes[name], seed, input, values, grad_output)
    dense = _dense(input)
    grad_output = grad_output.to(input.dtype).contiguous(memory_format=memory_format(dense))
    gradient, param_grads = kernel.backward(dense, grad_output, seed, [value.contiguous() for value in values])
    sums = summed(param_grads, values, _recipes[name])
    return [gradient, *(torch.zeros_like(v) if s is None else s for s, v in zip(sums, values, strict=True))]


@window_pool.register_fake
def _(input: Tensor, values: list[Tensor], seed: Tensor | None, name: str) -> Tensor:
    size = _recipes[name].geometry.output_size(*input.shape[2:])
    return torch.empty(
        (*input.shape[:2], *size), dtype=input.dtype, device=input.device, memory_format=memory_format(input)
    )


@window_pool_backward.register_fake
def _(input: Tensor, grad_output: Tensor, values: list[Tensor], seed: Tensor | None, name: str) -> list[Tensor]:
    return [torch.empty_like(_dense(input)), *(torch.empty_like(value) for value in values)]


def _setup(ctx: Any, inputs: Any, output: Tensor) -> None:
    input, values, ctx.seed, ctx.name = inputs
    ctx.save_for_backward(input, *values)


def _backward(ctx: Any, grad_output: Tensor) -> Any:
    input, *values = ctx.saved_tensors
    gradient, *param_grads = window_pool_backward(input, grad_output, values, ctx.seed, ctx.name)
    return gradient, param_grads, None, None


window_pool.register_autograd(_backward, setup_context=_setup)


def _dense(input: Tensor) -> Tensor:
    return input.contiguous(memory_format=memory_format(input))
