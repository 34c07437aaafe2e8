"""A recipe's kernel where nothing is compiled: plain torch operations, block by block of the map."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor

from poolab.pooling.core.base import memory_format
from poolab.pooling.core.windows import Windows, compute_dtype
from poolab.pooling.fused.blocks import Block, blocks
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.keys import noted
from poolab.pooling.fused.program import Program, program
from poolab.pooling.fused.torch_source import TorchFunction, torch_function

# Windows computed at once. Smaller blocks stay in a nearer cache, but a call of torch takes 2 us, and shares 32 Ki
# elements or fewer among no threads: avg_topk on 64x64x32x32, one thread, forward and backward, took 217, 106, 71 and
# 70 ms for 8, 16, 32 and 64 Ki windows.
BLOCK = 65_536
Pair = tuple[Tensor, Tensor]  # a tensor and its view as integers


class TorchKernel:
    """Run the forward and the backward of a recipe for CPU tensors of any size and layout.

    Raises:
        NotFusable: the formula needs more than the taps of a window.
    """

    def __init__(self, recipe: Recipe, dtype: torch.dtype):
        self.recipe, self.dtype = recipe, compute_dtype(dtype)
        self._functions: dict[tuple[bool, bool], TorchFunction] = {}
        for is_masked, is_backward in product((False, True), (False, True)):  # tell at once what cannot be done
            self._function(is_masked, is_backward)

    def forward(self, input: Tensor, seed: Tensor | None, values: list[Tensor]) -> Tensor:
        """Return the pooled map."""
        with noted(self.recipe, input):
            return self._forward(input, seed, values)

    def _forward(self, input: Tensor, seed: Tensor | None, values: list[Tensor]) -> Tensor:
        size = self.recipe.geometry.output_size(*input.shape[2:])
        output = torch.empty((*input.shape[:2], *size), dtype=input.dtype, memory_format=memory_format(input))
        for block, (result,) in self._run(input, None, seed, values):
            output[block.places] = result if isinstance(result, Tensor) else float(result)
        return output

    def backward(
        self, input: Tensor, grad_output: Tensor, seed: Tensor | None, values: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of the map and, in float64, of the values for each sample and channel."""
        with noted(self.recipe, input):
            return self._backward(input, grad_output, seed, values)

    def _backward(
        self, input: Tensor, grad_output: Tensor, seed: Tensor | None, values: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        gradient = torch.zeros_like(input)
        param_grads = [torch.zeros(input.shape[:2], dtype=torch.float64) for _ in values]
        taps = self.recipe.geometry.taps
        for block, found in self._run(input, grad_output, seed, values):
            gradient[block.places] = self._on_map(input[block.places], found[:taps])
            for param_grad, part in zip(param_grads, found[taps:], strict=True):
                if isinstance(part, Tensor):
                    param_grad[block.places] = part.flatten(2).sum(2, dtype=torch.float64)
        return gradient, param_grads

    def _run(
        self, input: Tensor, grad_output: Tensor | None, seed: Tensor | None, values: list[Tensor]
    ) -> Iterator[tuple[Block, list[Any]]]:
        is_masked = not Windows(input[:1, :1], self.recipe.geometry).complete
        function = self._function(is_masked, grad_output is not None)
        flags, buffers, shape = [], [], None
        for block in blocks(input, self.recipe.geometry, BLOCK):
            part = input[block.places]
            windows = Windows(part, self.recipe.geometry, block.noise(seed))
            taps = [tap.contiguous(memory_format=memory_format(part)) for tap in windows.taps(0.0)]
            if taps[0].shape != shape:
                shape = taps[0].shape
                flags = [_pair(flag) for flag in self._flags(windows, taps[0])] if is_masked else []
                buffers = [_pair(torch.empty_like(taps[0])) for _ in range(function.buffers)]
            given = [*map(_pair, taps), *flags]
            given += [
                _pair(number.expand(shape).contiguous(memory_format=memory_format(part)))
                for number in self._noise(windows)
            ]
            given += [
                _pair(torch.empty_like(taps[0]).copy_(own)) for own in block.own(values, self.recipe.geometry.dims)
            ]
            if grad_output is not None:
                given.append(_pair(torch.empty_like(taps[0]).copy_(grad_output[block.places])))
            yield block, function.run(given, buffers)

    def _flags(self, windows: Windows, like: Tensor) -> list[Tensor]:
        real, counts = windows.real(), windows.counts()
        assert real is not None
        return [torch.empty_like(like).copy_(of) for of in (*real, counts)]  # type: ignore[arg-type]

    def _noise(self, windows: Windows) -> list[Tensor]:
        numbers: list[Tensor] = []
        for kind in self._program(False).draws:
            numbers += windows.uniform_of_positions() if kind == "position" else [windows.uniform(shared=kind)]
        return numbers

    def _on_map(self, part: Tensor, gradients: list[Any]) -> Tensor:
        """Sum the taps' gradients over the elements that they were."""
        g, sizes = self.recipe.geometry, part.shape[2:]
        reach = [size + 2 * g.padding[axis] + g.span(axis) + g.stride[axis] for axis, size in enumerate(sizes)]
        whole = torch.empty((*part.shape[:2], *reach), dtype=self.dtype, memory_format=memory_format(part)).zero_()
        for place, gradient in zip(product(*map(range, g.kernel_size)), gradients, strict=True):
            if isinstance(gradient, Tensor):
                tap = whole
                for axis, (k, step, out) in enumerate(zip(place, g.stride, gradient.shape[2:], strict=True), start=2):
                    first = k * g.dilation[axis - 2]
                    tap = tap.narrow(axis, first, (out - 1) * step + 1).unfold(axis, 1, step).squeeze(-1)
                tap += gradient
        for axis, size in enumerate(sizes):
            whole = whole.narrow(axis + 2, g.padding[axis], size)
        return whole

    def _program(self, is_masked: bool) -> Program:
        return program(self.recipe, is_masked=is_masked, dtype=self.dtype)

    def _function(self, is_masked: bool, is_backward: bool) -> TorchFunction:
        key = (is_masked, is_backward)
        if key not in self._functions:
            self._functions[key] = torch_function(self._program(is_masked), self.dtype, is_backward=is_backward)
        return self._functions[key]


def _pair(tensor: Tensor) -> Pair:
    return tensor, tensor.view(torch.int32 if tensor.dtype == torch.float32 else torch.int64)
