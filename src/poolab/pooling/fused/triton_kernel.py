"""A recipe's kernels for CUDA tensors: the Triton functions and their launches."""

import hashlib
import linecache
import sys
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from poolab.pooling.core.base import memory_format
from poolab.pooling.core.geometry import Geometry, Sizes
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.compiler import NoCompiler
from poolab.pooling.fused.program import program
from poolab.pooling.fused.triton_source import Lanes, names, triton_source

THREADS = 128
# Without fused multiply-add the backward finds the very numbers of the forward, so that a draw takes the same tap.
OPTIONS = {"num_warps": THREADS // 32, "enable_fp_fusion": False}
FEW_TAPS = 4
MOST_NUMBERS = 2**31  # as many as 32-bit offsets can tell apart


class TritonKernel:
    """Run the forward and the backward of a recipe for one dtype and layout, any sizes.

    Args:
        recipe: what is computed.
        dtype: of the map.
        is_channels_last: its layout.

    Raises:
        NotFusable: the formula needs more than the taps of a window, or its backward is too long.
        NoCompiler: there is no Triton, or it cannot compile for this machine.
    """

    def __init__(self, recipe: Recipe, dtype: torch.dtype, is_channels_last: bool):
        self.recipe, self.dtype, self.is_channels_last = recipe, dtype, is_channels_last
        self.wide, g = compute_dtype(dtype), recipe.geometry
        # Only padding and ceil mode leave windows without some of their taps.
        text = program(recipe, is_masked=g.is_padded or g.ceil_mode, dtype=self.wide)
        self.lanes = Lanes(text, g, self.wide, is_channels_last)
        self.names = {direction: names(self.lanes, direction) for direction in ("forward", "backward")}
        self.functions = module(triton_source(self.lanes))
        self._compile()

    def forward(self, input: Tensor, seed: Tensor | None, values: list[Tensor]) -> Tensor:
        """Return the pooled map; `input` is dense in this kernel's layout, each value is (C,)."""
        size = self.recipe.geometry.output_size(*input.shape[2:])
        output = torch.empty(
            (*input.shape[:2], *size), dtype=input.dtype, device=input.device, memory_format=memory_format(input)
        )
        self._launch("forward", [input, output], input, seed, values)
        return output

    def backward(
        self, input: Tensor, grad_output: Tensor, seed: Tensor | None, values: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of the map and of the values, these for each sample and channel."""
        gradient = torch.empty_like(input)
        if not values:
            self._launch("backward", [input, grad_output, gradient], input, seed, values)
            return gradient, []
        # One number of each window, which torch sums in one order; in the order of the windows in memory.
        samples, channels, *sizes = grad_output.shape
        windows = prod(sizes)
        shape = (samples, windows, channels) if self.is_channels_last else (samples, channels, windows)
        param_grads = torch.empty((len(values), *shape), dtype=self.wide, device=input.device)
        self._launch("backward", [input, grad_output, gradient, param_grads], input, seed, values)
        return gradient, list(param_grads.sum(2 if self.is_channels_last else 3).unbind(0))

    def _launch(
        self, direction: str, maps: list[Tensor], input: Tensor, seed: Tensor | None, values: list[Tensor]
    ) -> None:
        launch = launch_of(self.recipe.geometry, tuple(input.shape), self._vector(input.shape[1]), direction)
        pointers = [*maps, *([] if seed is None else [seed]), *values]
        sizes = (launch.sizes[name] for name in self.names[direction].sizes)
        with torch.cuda.device_of(input):
            getattr(self.functions, direction)[(launch.programs,)](*pointers, *sizes, **launch.constants, **OPTIONS)

    def _compile(self) -> None:
        """Compile now, so that a machine where it fails is found out while plain torch can still step in."""
        shape = (1, 16, *self.recipe.geometry.kernel_size)
        for direction, named in self.names.items():
            launch = launch_of(self.recipe.geometry, shape, self._vector(16), direction)
            pointers = [self._dtype_of(pointer) for pointer in named.pointers]
            sizes = (launch.sizes[name] for name in named.sizes)
            try:
                getattr(self.functions, direction).warmup(*pointers, *sizes, grid=(1,), **launch.constants, **OPTIONS)
            except Exception as fault:  # Triton, its assembler, the driver and the C compiler of its launcher
                raise NoCompiler(f"Triton says: {str(fault)[:2000]}") from fault

    def _dtype_of(self, pointer: str) -> torch.dtype:
        if pointer == "seed":
            return torch.int64
        return self.wide if pointer.startswith(("value", "param_grads")) else self.dtype

    def _vector(self, channels: int) -> int:
        """Return the channels of one thread: 16 bytes of memory, less where many taps would fill the registers."""
        if not self.is_channels_last:
            return 1
        most = 16 // self.dtype.itemsize if self.recipe.geometry.taps <= FEW_TAPS else 2
        return most if channels % most == 0 else 1


@dataclass(frozen=True)
class Launch:
    """Hold the sizes of one launch.

    Attributes:
        sizes: the arguments of the kernel by name.
        constants: those that are compiled in.
        programs: how many blocks of threads.
    """

    sizes: dict[str, int]
    constants: dict[str, Any]
    programs: int


@lru_cache(maxsize=1024)
def launch_of(geometry: Geometry, shape: Sizes, vector: int, direction: str) -> Launch:
    """Return the launch for a map of this shape, `vector` channels to a thread."""
    samples, channels, *map_sizes = shape
    out = geometry.output_size(*map_sizes)
    along = zip(map_sizes, geometry.padding, geometry.stride, strict=True)
    blocks = tuple(-(-(size + padding) // stride) for size, padding, stride in along)
    packs = channels // vector
    lanes = samples * packs * prod(out if direction == "forward" else blocks)
    sizes = {"lanes": lanes, "channels": channels, "packs": packs, "total": samples * channels * prod(out)}
    for name, several in (("size", map_sizes), ("out", out), ("block", blocks)):
        sizes |= {f"{name}{axis}": size for axis, size in enumerate(several)}
    for name, size in list(sizes.items()):
        sizes[f"{name}_times"], sizes[f"{name}_shift"] = divisor(size)
    # Two windows a thread keep more loads under way; many taps fill the registers with one.
    groups = 2 * THREADS if vector == 1 and geometry.taps <= FEW_TAPS else THREADS
    is_wide = max(lanes * vector, prod(shape)) + groups * vector >= MOST_NUMBERS
    constants = {"GROUPS": groups, "VECTOR": vector, "IS_WIDE": is_wide}
    return Launch(sizes, constants, -(-lanes // groups))


def divisor(by: int) -> tuple[int, int]:
    """Return the factor, as a signed 32-bit number, and the shift of `triton_math.divided`.

    With them n // by is the high half of n * factor, plus n, shifted: exact for n < 2^31 (T. Granlund and
    P. Montgomery, "Division by Invariant Integers using Multiplication", 1994).
    """
    shift = (by - 1).bit_length()
    factor = (2**32 * (2**shift - by)) // by + 1
    return factor - (factor >> 31 << 32), shift


def module(source: str) -> ModuleType:
    """Return the module of a source, which lies in memory alone: a file could be another's.

    Triton asks for the text of its functions as a debugger does, which looks into `linecache` first.

    Raises:
        NoCompiler: there is no Triton.
    """
    name = "poolab_kernels_" + hashlib.sha256(source.encode()).hexdigest()[:24]
    if name in sys.modules:
        return sys.modules[name]
    path = f"<{name}>"
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    made = ModuleType(name)
    made.__file__ = path
    sys.modules[name] = made  # as an import does: the functions are looked for there while they are made
    try:
        exec(compile(source, path, "exec"), made.__dict__)
    except BaseException as fault:
        del sys.modules[name]
        if isinstance(fault, ImportError):
            raise NoCompiler(f"Triton kernels need Triton: {fault}") from fault
        raise
    return made
