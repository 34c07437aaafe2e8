"""Choose how the window methods are computed: in plain torch, or by kernels generated from the same formulas."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from poolab.errors import nearest
from poolab.pooling.core.base import memory_format
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.core.noise import draw_seed
from poolab.pooling.core.windows import Windows, compute_dtype
from poolab.pooling.fused.call import Recipe, to_spec
from poolab.pooling.fused.engine import outruns_torch
from poolab.pooling.fused.functions import Fused, Kernel, Recomputed
from poolab.pooling.fused.kernels import is_made, kernel_of, made_kernel
from poolab.pooling.fused.keys import Key, kernel_key, noted
from poolab.pooling.fused.notices import give_held
from poolab.pooling.fused.taps import FormulaTraits, formula_traits

Backend = Literal["auto", "plain", "fused"]
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)

# To record a formula takes 50 ms to 1 s. Plain torch does not work in blocks on maps with fewer elements than these:
# the formula itself is done with them before.
BLOCKS_FROM = 500_000
# On other devices than the CPU the host does not wait for what it starts, so that its time says nothing. There "auto"
# makes a kernel after so many elements.
PAYS_FROM = 200_000_000

_chosen: Backend = "auto"  # by the process
_chosen_here: ContextVar[Backend | None] = ContextVar("poolab_backend", default=None)  # by a thread or a task
_chosen_in_trace: Backend | None = None  # by code that torch.compile traces, which cannot set a context variable
_elements_done: dict[Key, int] = {}


def set_backend(name: Backend) -> None:
    """Choose how the window methods are computed, for the whole process.

    "plain" is torch's operations, right everywhere, and what exporters see. "fused" is kernels generated from the
    formulas: C for CPU tensors, Triton for CUDA tensors, compiled when first needed and kept on disk. "auto", the
    default, has a kernel compiled in the background once plain torch has computed a layer for half a second, and takes
    it when it is ready; nobody waits for it. Under `torch.use_deterministic_algorithms(True)` it stays with plain
    torch, so that the bits do not depend on when that is. What has no kernel (methods that look beyond their window,
    other devices, no compiler) is computed in plain torch. Both give the same random numbers and the same results up to
    rounding; maxima, minima and means are the same to the last bit.

    Inside `use_backend`, that choice goes before this one. A module that `torch.compile` has compiled keeps the backend
    of its compilation.

    Raises:
        ValueError: no such backend.

    >>> set_backend("plain")
    >>> get_backend()
    'plain'
    >>> set_backend("auto")
    """
    global _chosen
    _chosen = _checked(name)


def get_backend() -> Backend:
    """Return the backend that a call takes here: that of `use_backend`, else that of `set_backend`."""
    return _chosen_in_trace or _chosen_here.get() or _chosen


@contextmanager
def use_backend(name: Backend) -> Iterator[None]:
    """Choose another backend for a while, in this thread (or asyncio task) alone.

    A backward takes what its forward took. Threads that are started inside do not inherit the choice: call
    `use_backend` there too, or `set_backend` for the whole process. The same holds for autograd's own threads, which
    run a forward again where activation checkpointing is used on CUDA.

    Raises:
        ValueError: no such backend.

    >>> with use_backend("plain"):
    ...     get_backend()
    'plain'
    """
    if torch.compiler.is_compiling():
        with _in_trace(_checked(name)):
            yield
        return
    token = _chosen_here.set(_checked(name))
    try:
        yield
    finally:
        with suppress(ValueError):  # a generator that another thread or task closes, where this was never chosen
            _chosen_here.reset(token)


@contextmanager
def _in_trace(name: Backend) -> Iterator[None]:
    """Choose a backend while torch.compile traces, where one thread traces at a time."""
    global _chosen_in_trace
    before = _chosen_in_trace
    _chosen_in_trace = name
    try:
        yield
    finally:
        _chosen_in_trace = before


def _checked(name: Backend) -> Backend:
    if name not in get_args(Backend):
        known = list(get_args(Backend))
        raise ValueError(f"no backend is called {name!r}: {nearest(str(name), known)}")
    return name


def compute(
    formula: Callable[..., Tensor],
    input: Tensor,
    geometry: Geometry,
    arguments: Mapping[str, Any],
    *,
    is_native: bool = False,
) -> Tensor:
    """Compute the formula on a batch of maps, by the chosen backend.

    With `is_native` torch has a kernel for the formula itself, which is taken where poolab's is not faster.
    """
    if is_native and (get_backend() == "plain" or not outruns_torch(input, geometry)):
        return formula(Windows(input, geometry), **arguments)
    spec = None if _is_watched(input) else to_spec(formula, geometry, arguments, input.shape[1])
    traits = None if spec is None else formula_traits(spec[0])
    if spec is None or traits is None:
        return formula(Windows(input, geometry), **arguments)
    recipe, values = spec
    values = _for_channels(values, input)
    seed = draw_seed(arguments.get("generator"), input.device) if traits.draws else None
    kernel = _kernel(recipe, traits, input)
    if kernel is None and is_native:
        with noted(recipe, input):
            return formula(Windows(input, geometry), **arguments)
    if kernel is None:
        return Recomputed.apply(recipe, seed, input, *values)
    dense = input.contiguous(memory_format=memory_format(input))
    return Fused.apply(kernel, seed, dense, *(value.contiguous() for value in values))


def operation_of(formula: Callable[..., Tensor], geometry: Geometry, arguments: Mapping[str, Any]) -> str | None:
    """Return the name of the call for a compiler that traces it, or None where it is to see the formula itself."""
    from poolab.pooling.fused.operator import register
    from poolab.pooling.fused.program import program
    from poolab.pooling.fused.recorder import NotFusable

    channels = next((len(v) for v in _tensors(arguments) if v.dim()), 1)
    spec = None if get_backend() == "plain" else to_spec(formula, geometry, arguments, channels)
    if spec is None:
        return None
    try:
        drawn = program(spec[0], is_masked=True, dtype=torch.float32).draws
    except NotFusable:
        return None
    return register(spec[0], DRAWS if drawn else "")


def operate(operation: str, input: Tensor, arguments: Mapping[str, Any]) -> Tensor:
    """Compute the call that `operation_of` named, as one operation for the compiler that traces it."""
    from poolab.pooling.fused.operator import window_pool

    seed = draw_seed(arguments.get("generator"), input.device) if operation.startswith(DRAWS) else None
    return window_pool(input, _for_channels(_tensors(arguments), input), seed, operation)


DRAWS = "draws: "  # how the name of an operation begins that needs a seed


def _tensors(arguments: Mapping[str, Any]) -> list[Tensor]:
    values = [part for value in arguments.values() for part in (value if isinstance(value, tuple) else (value,))]
    return [value for value in values if isinstance(value, Tensor)]


def _for_channels(values: list[Tensor], input: Tensor) -> list[Tensor]:
    """Return one number for each channel, (C,), in the dtype that is computed in."""
    return [value.to(compute_dtype(input.dtype)).flatten().expand(input.shape[1]) for value in values]


def _is_watched(input: Tensor) -> bool:
    """Return True if the operations are observed: by a compiler, exporter, transformation, mode or tensor subclass."""
    return (
        torch.compiler.is_compiling()  # first, as an exporter may leave the sizes open
        or input.numel() == 0
        or type(input) not in (Tensor, torch.nn.Parameter)
        or torch.jit.is_tracing()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._len_torch_dispatch_stack() > 0
        or torch.autograd.forward_ad._current_level >= 0
    )


def _kernel(recipe: Recipe, traits: FormulaTraits, input: Tensor) -> Kernel | None:
    """Choose what computes a call: a compiled kernel, plain torch in blocks, or None for the formula as it is."""
    if input.dtype not in DTYPES:
        return None
    kernel = _compiled(kernel_key(recipe, input), input)
    # Maxima, minima and means have torch's own kernels: run again for the backward, they are faster than any blocks.
    # By the size of the map alone and not by what went before: a run that goes on must round as it would have.
    is_large = input.device.type == "cpu" and input.numel() >= BLOCKS_FROM
    in_blocks = kernel is None and traits.uses_taps and is_large
    return _in_blocks(recipe, input.dtype) if in_blocks else kernel


@cache
def _in_blocks(recipe: Recipe, dtype: torch.dtype) -> Kernel | None:
    from poolab.pooling.fused.recorder import NotFusable
    from poolab.pooling.fused.torch_kernel import TorchKernel

    try:
        return TorchKernel(recipe, dtype)
    except NotFusable:
        return None


def _compiled(key: Key, input: Tensor) -> Kernel | None:
    """Return the compiled kernel if there is to be one, and if it is ready where nobody is to wait for it."""
    chosen = get_backend()
    if chosen == "fused":
        return kernel_of(key)
    # What "auto" takes depends on what was computed before and on the disk; a kernel rounds otherwise than plain torch.
    if chosen == "plain" or torch.are_deterministic_algorithms_enabled():
        return None
    if not is_made(key):
        if input.device.type != "cpu":
            return kernel_of(key) if _pays(key, input) else None
        from poolab.pooling.fused import background

        background.ask(key)
    give_held()
    return made_kernel(key)


def _pays(key: Key, input: Tensor) -> bool:
    _elements_done[key] = _elements_done.get(key, 0) + input.numel()
    return _elements_done[key] > PAYS_FROM
