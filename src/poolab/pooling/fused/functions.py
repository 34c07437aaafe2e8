"""The two ways to run a local formula with its gradient, both keeping nothing for the backward but what came in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import torch
from torch import Tensor

from poolab.pooling.base import memory_format
from poolab.pooling.fused.call import Recipe
from poolab.pooling.noise import Noise
from poolab.pooling.windows import Windows

# Windows computed at once on a CPU, so that what a formula makes on its way stays in the cache.
BLOCK = 32_768


class Kernel(Protocol):
    """What a machine makes of a recipe; `input` and `slope` are dense and in one memory format, values are (C,)."""

    recipe: Recipe

    def forward(self, input: Tensor, seed: Tensor | None, values: list[Tensor]) -> Tensor:
        """The pooled map."""

    def backward(
        self, input: Tensor, slope: Tensor, seed: Tensor | None, values: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """The gradients of the map and of the values, these for each sample and channel."""


class Fused(torch.autograd.Function):
    """A kernel and its gradient."""

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, seed: Tensor | None, input: Tensor, *values: Tensor) -> Tensor:  # type: ignore[override]
        """Run the kernel."""
        ctx.kernel, ctx.seed = kernel, seed
        ctx.save_for_backward(input, *values)
        return kernel.forward(input, seed, list(values))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:  # type: ignore[override]
        """Run the kernel's backward, or plain torch where the gradient itself is to be differentiated."""
        input, *values = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True
            return None, None, *_differentiable(ctx.kernel.recipe, ctx.seed, input, values, slope)
        slope = slope.to(input.dtype).contiguous(memory_format=memory_format(input))
        gradient, taught = ctx.kernel.backward(input, slope, ctx.seed, values)
        return None, None, gradient, *(lesson.sum(0) for lesson in taught)


class Recomputed(torch.autograd.Function):
    """The formula in plain torch, block by block of the map, run again in the backward."""

    @staticmethod
    def forward(ctx: Any, recipe: Recipe, seed: Tensor | None, input: Tensor, *values: Tensor) -> Tensor:  # type: ignore[override]
        """Run the formula."""
        ctx.recipe, ctx.seed = recipe, seed
        ctx.save_for_backward(input, *values)
        size = (*input.shape[:2], *recipe.geometry.output_size(*input.shape[2:]))
        output = torch.empty(size, dtype=input.dtype, device=input.device, memory_format=memory_format(input))
        for block in blocks(input, recipe):
            output[block.places] = block.output(recipe, seed, input[block.places], values)
        return output

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:  # type: ignore[override]
        """Run the formula again with autograd, and its gradient."""
        input, *values = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True
            return None, None, *_differentiable(ctx.recipe, ctx.seed, input, values, slope)
        gradient, taught = torch.empty_like(input), [torch.zeros_like(value) for value in values]
        for block in blocks(input, ctx.recipe):
            leaves = [leaf.detach().requires_grad_() for leaf in (input[block.places], *values)]
            with torch.enable_grad():
                output = block.output(ctx.recipe, ctx.seed, leaves[0], leaves[1:])
            own_slope = slope[block.places].to(output.dtype)
            found = torch.autograd.grad(output, leaves, own_slope, allow_unused=True, materialize_grads=True)
            gradient[block.places] = found[0]
            for lesson, part in zip(taught, found[1:], strict=True):
                lesson += part
        return None, None, gradient, *taught


@dataclass(frozen=True)
class Block:
    """Some samples of a map, or some channels of one sample: its numbers lie side by side in the order of the places.

    Attributes:
        samples, channels: which.
        of: how many channels the map has.
    """

    samples: slice
    channels: slice
    of: int

    @property
    def places(self) -> tuple[slice, slice]:
        """The index of the block."""
        return self.samples, self.channels

    def output(self, recipe: Recipe, seed: Tensor | None, input: Tensor, values: Sequence[Tensor]) -> Tensor:
        """The pooled block, given its part of the map and the values of all channels, (C,)."""
        first = self.samples.start
        noise = None if seed is None else Noise(seed, first, first * self.of + self.channels.start)
        own = [value[self.channels].view(-1, *(1,) * recipe.geometry.dims) for value in values]
        return recipe.formula(Windows(input, recipe.geometry, noise), **recipe.arguments(own))


def blocks(input: Tensor, recipe: Recipe) -> Iterator[Block]:
    """The blocks of a map, of about BLOCK windows on a CPU; elsewhere one."""
    samples, channels = input.shape[:2]
    windows = prod(recipe.geometry.output_size(*input.shape[2:]))
    most = BLOCK if input.device.type == "cpu" else input.numel()
    if windows * channels > most:
        step = max(1, most // windows)
        for sample in range(samples):
            for first in range(0, channels, step):
                yield Block(slice(sample, sample + 1), slice(first, min(first + step, channels)), channels)
    else:
        step = max(1, most // max(1, windows * channels))
        for first in range(0, samples, step):
            yield Block(slice(first, min(first + step, samples)), slice(0, channels), channels)


def _differentiable(recipe: Recipe, seed: Tensor | None, input: Tensor, values: list[Tensor], slope: Tensor) -> Any:
    """The gradients as functions that can be differentiated again: the formula on the whole map."""
    whole = Block(slice(0, len(input)), slice(0, input.shape[1]), input.shape[1])
    output = whole.output(recipe, seed, input, values).to(input.dtype)
    wanted = [tensor for tensor in (input, *values) if tensor.requires_grad]
    found = iter(torch.autograd.grad(output, wanted, slope, create_graph=True, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in (input, *values)]
