"""The base of the window methods: geometry, checks, dtype and shape around one formula."""

import sys
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.compiler import is_exporting

from poolab.pooling.core.base import Pool, check_floating, memory_format
from poolab.pooling.core.documentation import document
from poolab.pooling.core.geometry import AXES, Geometry, IntOrSizes, Padding, Sizes
from poolab.pooling.core.open_sizes import is_open
from poolab.pooling.core.tracing import is_proxy, traced
from poolab.pooling.core.windows import compute_dtype
from poolab.pooling.fused import backend


class WindowPool2d(Pool):
    """Pool over local windows: the base of layers that give one formula over `Windows`.

    Input (N, C, H, W) or (C, H, W), any floating dtype; output of the same dtype, device and memory format and of the
    size that `nn.MaxPool2d` gives. Padding never takes part: a window consists of its real taps. `siblings` makes the
    same method for (N, C, L) and (N, C, D, H, W).

    Args:
        kernel_size: the size of the window.
        stride: the step from one window to the next; None means `kernel_size`.
        padding: elements around the map that windows may cover, at most half of `kernel_size`; they hold no value.
            "valid" is 0; "same" keeps the map's size, at stride 1 as in `torch.nn.Conv2d`.
        dilation: the step between the taps of one window.
        ceil_mode: round the output size up instead of down.
        channels: the number of channels of the input.
        generator: the source of random numbers in training; None means torch's global one.
        options: the method's own.

    Raises:
        ValueError: a wrong option or geometry (at construction); an input with a wrong number of dimensions or of
            channels, or a map that is too small (at call). One message names all faults and what is allowed.
        TypeError: an input that is no tensor of a floating dtype.
    """

    role = "window"
    native: ClassVar[bool] = False  # whether torch has a kernel for this very method

    def __init__(
        self,
        kernel_size: IntOrSizes,
        stride: IntOrSizes | None = None,
        padding: Padding = 0,
        dilation: IntOrSizes = 1,
        ceil_mode: bool = False,
        *,
        channels: int | None = None,
        generator: torch.Generator | None = None,
        **options: Any,
    ):
        super().__init__()
        owner, faults, taps = type(self).__name__, [], None
        try:
            self.geometry = Geometry.of(owner, kernel_size, stride, padding, dilation, ceil_mode, self.dims)
            taps = self.geometry.taps
        except ValueError as fault:
            faults.append(str(fault))
        if generator is not None and not self.random:
            faults.append(f"{owner}: draws nothing, so it takes no generator: leave it out")
        elif generator is not None and not isinstance(generator, torch.Generator):
            faults.append(f"{owner}: generator must be a torch.Generator, found {generator!r}")
        self.generator = generator
        self._take(options, taps, channels, faults)

    def forward(self, input: Tensor) -> Tensor:
        """Pool a batch of maps, or one map."""
        if is_proxy(input):
            return traced(self, input)
        check_floating(type(self).__name__, input, self.dims)
        self.check_channels(input)
        arguments = self.arguments()
        operation = self._operation() if torch.compiler.is_compiling() else None
        if operation is None:
            return self.compute(input, self.geometry, **arguments)
        return _on_a_batch(type(self), input, self.geometry, lambda maps: backend.operate(operation, maps, arguments))

    def _operation(self) -> str | None:
        """Return what a compiler is to see in place of the formula; asked once for each tracing."""
        if self.native or torch.compiler.is_exporting():
            return None
        return backend.operation_of(type(self).formula, self.geometry, self.arguments())

    # What torch.compiler.assume_constant_result does, without importing the compiler: 2 s and hundreds of modules.
    _operation._dynamo_marked_constant = True  # type: ignore[attr-defined]

    @classmethod
    def compute(cls, input: Tensor, geometry: Geometry, **arguments: Any) -> Tensor:
        """Compute the formula on a checked input: what the module and its function share."""

        def run(maps: Tensor) -> Tensor:
            return backend.compute(cls.formula, maps, geometry, arguments, is_native=cls.native)

        return _on_a_batch(cls, input, geometry, run)

    @property
    def kernel_size(self) -> Sizes:
        """Return the size of the window (height, width)."""
        return self.geometry.kernel_size

    @property
    def stride(self) -> Sizes:
        """Return the step (height, width)."""
        return self.geometry.stride

    @property
    def padding(self) -> Sizes:
        """Return the padding (height, width)."""
        return self.geometry.padding

    @property
    def dilation(self) -> Sizes:
        """Return the step between the taps of one window."""
        return self.geometry.dilation

    @property
    def ceil_mode(self) -> bool:
        """Return True if the output size is rounded up."""
        return self.geometry.ceil_mode

    def extra_repr(self) -> str:
        """Return the geometry and the options that differ from their defaults."""
        return ", ".join(part for part in (str(self.geometry), super().extra_repr()) if part)


def _on_a_batch(cls: type[WindowPool2d], input: Tensor, geometry: Geometry, run: Callable[[Tensor], Tensor]) -> Tensor:
    """Run a batch of maps or one map through `run`, and return it in the memory format and dtype of the input."""
    _check(cls, input, geometry)
    is_batch = input.dim() == geometry.dims + 2
    batched = input if is_batch else input.unsqueeze(0)
    output = run(batched)
    if memory_format(batched) is not torch.contiguous_format:
        output = output.contiguous(memory_format=memory_format(batched))
    if compute_dtype(input.dtype) != input.dtype:  # else leave the dtype that autocast chose for a convolution
        output = output.to(input.dtype)
    return output if is_batch else output.squeeze(0)


def siblings(cls: type[WindowPool2d]) -> tuple[type[WindowPool2d], type[WindowPool2d]]:
    """Make the same method for one and three dimensions: subclasses that differ in the number of dimensions alone.

    They are put into the module of `cls`, where pickle looks for them by their name.

    Raises:
        ValueError: the method is exempt from "dimensions", since its formula needs two.
    """
    if "dimensions" in cls.exempt:
        raise ValueError(f"{cls.__name__} has no siblings: {cls.exempt['dimensions']}")
    return _sibling(cls, 1), _sibling(cls, 3)


def _sibling(cls: type[WindowPool2d], dims: int) -> type[WindowPool2d]:
    name = cls.__name__.removesuffix("2d") + f"{dims}d"
    made = type(name, (cls,), {"dims": dims, "__module__": cls.__module__})
    document(made, like=cls)
    setattr(sys.modules[cls.__module__], name, made)
    return made


def _check(cls: type[WindowPool2d], input: Tensor, geometry: Geometry) -> None:
    owner, dims = cls.__name__, geometry.dims
    check_floating(owner, input, dims)
    lengths = tuple(input.shape[-dims:])
    # What is too small the exported program refuses, by what it computes.
    if is_exporting() and is_open(*lengths):
        return
    out = geometry.output_size(*lengths)
    if min(lengths) < 1 or min(out) < 1:
        least = [max(1, geometry.span(axis) - 2 * geometry.padding[axis]) for axis in range(dims)]
        raise ValueError(
            f"{owner}({geometry}): the map of input {tuple(input.shape)} is too small, its output would be "
            f"{'x'.join(str(max(size, 0)) for size in out)}; it must be at least {'x'.join(map(str, least))}, "
            "or the kernel smaller"
        )
    # Only a dilated window can step over a tiny map and hold nothing but padding.
    if geometry.is_dilated and geometry.is_padded:
        for axis, length in enumerate(lengths):
            _check_not_empty(owner, input, geometry, axis, length, out[axis])


def _check_not_empty(owner: str, input: Tensor, geometry: Geometry, axis: int, length: int, out: int) -> None:
    for index in range(out):
        first = index * geometry.stride[axis] - geometry.padding[axis]
        places = range(first, first + geometry.span(axis), geometry.dilation[axis])
        if not any(0 <= place < length for place in places):
            raise ValueError(
                f"{owner}({geometry}): window {index} along {AXES[geometry.dims][axis]} of input "
                f"{tuple(input.shape)} lies in the padding alone; use less padding or dilation, or a larger map"
            )
