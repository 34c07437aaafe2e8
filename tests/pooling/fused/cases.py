"""What the tests of the kernels share: calls of poolings, and what two ways to compute them give."""

import torch
from torch import Tensor

from poolab.pooling import get_pool
from poolab.pooling.core.windows import Windows
from poolab.pooling.fused import backend
from poolab.pooling.fused.call import Recipe
from poolab.pooling.fused.taps import formula_traits
from tests.pooling.oracles import Shape
from tests.pooling.support import WINDOWS, channels_of, make

WHOLE = Shape((2, 2), (2, 2))
OVERLAPPING = Shape((3, 3), (2, 2), (1, 1))
SHAPES = {
    "2x2/2": WHOLE,
    "3x3/2 padded": OVERLAPPING,
    "uneven, dilated, ceil": Shape((2, 3), (1, 2), (1, 0), (2, 1), True),
    "2x2/3 with gaps": Shape((2, 2), (3, 3)),
    "1-d": Shape((3,), (2,), (1,)),
    "3-d": Shape((2, 2, 2), (2, 1, 2)),
}
SIZES = {1: (11,), 2: (7, 9), 3: (4, 3, 5)}
CLOSE = {torch.float32: (2e-5, 1e-5), torch.float64: (1e-11, 1e-12), torch.bfloat16: (2**-7, 1e-2)}


def recipe_of(name: str, shape: Shape, *, training: bool = True, channels: int = 2) -> Recipe | None:
    """The recipe of a method's call; None where it is not local."""
    found: list[Recipe | None] = []

    def note(formula, input, geometry, arguments, **rest):
        taken = backend.to_spec(formula, geometry, arguments, input.shape[1])
        found.append(taken[0] if taken and formula_traits(taken[0]) is not None else None)
        return formula(Windows(input, geometry), **arguments)

    compute, backend.compute = backend.compute, note
    try:
        dims = len(shape.kernel_size)
        channels = get_pool(name).trial.get("channels", channels)
        make(name, shape, channels=channels, dims=dims).train(training)(torch.ones(1, channels, *SIZES[dims]))
    finally:
        backend.compute = compute
    return found[0] if found else None


def local() -> list[str]:
    """The methods that can be kernels."""
    return [name for name in WINDOWS if recipe_of(name, WHOLE)]


def results(
    name: str,
    shape: Shape,
    backend_name: str,
    *,
    dtype: torch.dtype = torch.float32,
    is_channels_last: bool = False,
    training: bool = True,
    channels: int | None = None,
    device: str = "cpu",
) -> list[Tensor]:
    """Output, gradient of the map, gradients of the parameters."""
    dims = len(shape.kernel_size)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    channels = channels or channels_of(name)
    pool = make(name, shape, dtype=wide, dims=dims, channels=channels).train(training).to(device)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, channels, *SIZES[dims], generator=generator, dtype=torch.float64).to(device, dtype)
    if is_channels_last:
        x = x.contiguous(memory_format={2: torch.channels_last, 3: torch.channels_last_3d}[dims])
    x.requires_grad_()
    torch.manual_seed(1)
    with backend.use_backend(backend_name):
        output = pool(x)
        slope = torch.randn(output.shape, generator=generator, dtype=torch.float64).to(device, dtype)
        found = torch.autograd.grad(output, [x, *pool.parameters()], slope, allow_unused=True)
    return [output.detach(), *(gradient for gradient in found if gradient is not None)]


def differences(name: str, shape: Shape, *, dtype: torch.dtype = torch.float32, **how) -> list[str]:
    """Where the kernel and plain torch differ by more than rounding."""
    faults = []
    relative, absolute = CLOSE[dtype]
    pairs = zip(*(results(name, shape, way, dtype=dtype, **how) for way in ("fused", "plain")), strict=True)
    for place, (found, expected) in enumerate(pairs):
        is_laid_out = place > 0 or found.stride() == expected.stride()  # a plain gradient may be laid out anyhow
        if not is_laid_out or not torch.allclose(found, expected, relative, absolute, equal_nan=True):
            worst = (found.double() - expected.double()).abs().max().item()
            faults.append(f"{name} {shape} {dtype} {how}: result {place} differs by {worst}")
    return faults
