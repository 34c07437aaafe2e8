"""The two ways to run a local formula with its gradient, both keeping nothing for the backward but what came in."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from poolab.pooling.core.base import memory_format
from poolab.pooling.core.noise import Noise
from poolab.pooling.core.windows import Windows
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.keys import noted
from poolab.pooling.fused.program import uses


class Kernel(Protocol):
    """Compute a recipe on one kind of machine.

    `input` and `grad_output` are dense and in one memory format; the values are (C,).
    """

    recipe: Recipe

    def forward(self, input: Tensor, seed: Tensor | None, values: list[Tensor]) -> Tensor:
        """Compute the pooled map."""

    def backward(
        self, input: Tensor, grad_output: Tensor, seed: Tensor | None, values: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Compute the gradients of the map and, in float64, of the values for each sample and channel."""


class Fused(torch.autograd.Function):
    """Run a kernel and its gradient."""

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, seed: Tensor | None, input: Tensor, *values: Tensor) -> Tensor:
        """Run the kernel."""
        ctx.kernel, ctx.seed = kernel, seed
        ctx.save_for_backward(input, *values)
        return kernel.forward(input, seed, list(values))

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        """Run the kernel's backward, or plain torch where the gradient itself is to be differentiated."""
        input, *values = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True
            return None, None, *gradients(ctx.kernel.recipe, ctx.seed, input, values, grad_output)
        grad_output = grad_output.to(input.dtype).contiguous(memory_format=memory_format(input))
        gradient, param_grads = ctx.kernel.backward(input, grad_output, ctx.seed, values)
        return None, None, gradient, *summed(param_grads, values, ctx.kernel.recipe)


def summed(param_grads: list[Tensor], values: Sequence[Tensor], recipe: Recipe) -> list[Tensor | None]:
    """Sum the gradient of each value, (C,), over all samples; None where the formula does not use it."""
    used = uses(recipe, values[0].dtype) if values else ()
    sums = [param_grad.sum(0).to(value.dtype) for param_grad, value in zip(param_grads, values, strict=True)]
    return [total if is_used else None for total, is_used in zip(sums, used, strict=True)]


class Recomputed(torch.autograd.Function):
    """Run the formula itself, again with autograd in the backward."""

    @staticmethod
    def forward(ctx: Any, recipe: Recipe, seed: Tensor | None, input: Tensor, *values: Tensor) -> Tensor:
        """Run the formula."""
        ctx.recipe, ctx.seed = recipe, seed
        ctx.save_for_backward(input, *values)
        with noted(recipe, input):
            return computed(recipe, seed, input, values)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        """Run the formula again, and its gradient."""
        input, *values = ctx.saved_tensors
        with noted(ctx.recipe, input):
            return None, None, *gradients(ctx.recipe, ctx.seed, input, values, grad_output)


def computed(recipe: Recipe, seed: Tensor | None, input: Tensor, values: Sequence[Tensor]) -> Tensor:
    """Compute the formula on a whole map, in the memory format of `input`."""
    shape = (-1, *(1,) * recipe.geometry.dims)
    windows = Windows(input, recipe.geometry, None if seed is None else Noise(seed))
    output = recipe.formula(windows, **recipe.arguments([value.view(shape) for value in values]))
    return output.to(input.dtype).contiguous(memory_format=memory_format(input))


def gradients(
    recipe: Recipe, seed: Tensor | None, input: Tensor, values: list[Tensor], grad_output: Tensor
) -> list[Any]:
    """Compute the gradients by the formula itself; they can be differentiated again where the grad mode says so."""
    again = torch.is_grad_enabled()  # create_graph=True
    leaves = [input, *values] if again else [leaf.detach() for leaf in (input, *values)]
    wanted = [leaf for leaf in leaves if leaf.requires_grad] if again else [leaf.requires_grad_() for leaf in leaves]
    with torch.enable_grad():
        output = computed(recipe, seed, leaves[0], leaves[1:])
    found = iter(torch.autograd.grad(output, wanted, grad_output, create_graph=again, allow_unused=True))
    return [next(found) if leaf.requires_grad else None for leaf in leaves]
