"""A recipe's kernel for CPU tensors: the C library and its calls."""

import ctypes
from functools import cache

import torch
from torch import Tensor

from poolab.pooling.core.base import memory_format
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.fused import forks
from poolab.pooling.fused.c_source import Loops, c_source
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.compiler import NoCompiler
from poolab.pooling.fused.library import is_kept, library
from poolab.pooling.fused.program import program
from poolab.pooling.fused.recorder import NotFusable

SIZES = ("n", "c", "d", "h", "w", "od", "oh", "ow", "pd", "ph", "pw", "seed", "threads")
MAPS = ("x", "grad_output", "y", "gx")


class CpuKernel:
    """Run the forward and the backward of a recipe for one dtype and layout, any sizes.

    Raises:
        NotFusable: the formula needs more than the taps of a window.
        NoCompiler: this machine cannot compile the kernel.
    """

    def __init__(self, recipe: Recipe, dtype: torch.dtype, is_channels_last: bool):
        self.recipe = recipe
        self.functions = library(source_of(recipe, dtype, is_channels_last))
        self.task = _task_type(recipe.values)

    def forward(self, input: Tensor, seed: Tensor | None, values: list[Tensor]) -> Tensor:
        """Return the pooled map; `input` is dense in this kernel's layout, each value is (C,)."""
        size = self.recipe.geometry.output_size(*input.shape[2:])
        output = torch.empty(
            (*input.shape[:2], *size), dtype=input.dtype, device=input.device, memory_format=memory_format(input)
        )
        self.functions.forward(ctypes.byref(self._fill(input, seed, values, y=output)))
        return output

    def backward(
        self, input: Tensor, grad_output: Tensor, seed: Tensor | None, values: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of the map and, in float64, of the values for each sample and channel."""
        gradient = torch.empty_like(input)
        param_grads = [torch.zeros(input.shape[:2], dtype=torch.float64) for _ in values]
        task = self._fill(input, seed, values, grad_output=grad_output, gx=gradient)
        for index, param_grad in enumerate(param_grads):
            task.param_grads[index] = param_grad.data_ptr()
        self.functions.backward(ctypes.byref(task))
        return gradient, param_grads

    def _fill(self, input: Tensor, seed: Tensor | None, values: list[Tensor], **maps: Tensor) -> ctypes.Structure:
        g = self.recipe.geometry
        lead, no_padding = (1,) * (3 - g.dims), (0,) * (3 - g.dims)
        sizes = (*lead, *input.shape[2:], *lead, *g.output_size(*input.shape[2:]), *no_padding, *g.padding)
        task = self.task(*input.shape[:2], *sizes, 0 if seed is None else int(seed), forks.threads())
        for name, map in {"x": input, **maps}.items():
            setattr(task, name, map.data_ptr())
        for index, value in enumerate(values):
            task.value[index] = value.data_ptr()
        return task


@cache
def source_of(recipe: Recipe, dtype: torch.dtype, is_channels_last: bool) -> str:
    """Return the C source of a kernel.

    Raises:
        NotFusable: the formula needs more than the taps of a window.
    """
    wide = compute_dtype(dtype)
    whole, masked = (program(recipe, is_masked=is_masked, dtype=wide) for is_masked in (False, True))
    return c_source(Loops(whole, masked, recipe.geometry, dtype, is_channels_last))


def is_compiled(recipe: Recipe, dtype: torch.dtype, is_channels_last: bool) -> bool:
    """Return True if the kernel lies on disk, undamaged."""
    try:
        return is_kept(source_of(recipe, dtype, is_channels_last))
    except (NotFusable, NoCompiler):
        return False


@cache
def _task_type(values: int) -> type[ctypes.Structure]:
    """Return the C structure of a call; one more place than there are values, since C has no empty arrays."""
    fields = [(name, ctypes.c_long) for name in SIZES] + [(name, ctypes.c_void_p) for name in MAPS]
    several = ctypes.c_void_p * (values + 1)
    return type("Task", (ctypes.Structure,), {"_fields_": [*fields, ("value", several), ("param_grads", several)]})
