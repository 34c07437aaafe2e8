"""The Triton kernels in Triton's interpreter: a program of its own, since Triton asks for it when it is imported.

    TRITON_INTERPRET=1 python -m tests.pooling.fused.interpreted methods|shapes|dtypes|draws|functions

prints what is wrong.
"""

import sys

import pytest
import torch

from poolab.pooling.core.geometry import Geometry
from poolab.pooling.fused import backend, kernels
from poolab.pooling.fused.triton_kernel import TritonKernel, divisor
from tests.pooling.fused.cases import OVERLAPPING, SHAPES, WHOLE, differences, local

pytest.importorskip("triton")  # pytest imports this file too, for its docstrings

import triton
import triton.language as tl

from poolab.pooling.fused import triton_math

made: list[TritonKernel] = []


def interpreted(key):
    """A Triton kernel for a CPU tensor."""
    recipe, dtype, is_channels_last, _ = key
    made.append(TritonKernel(recipe, dtype, is_channels_last))
    return made[-1]


def methods() -> list[str]:
    """Every method, forward and backward with its parameters."""
    names = local()
    assert len(names) >= 20
    faults = []
    for place, name in enumerate(names):
        faults += differences(name, WHOLE, is_channels_last=place % 2 == 0)
        faults += differences(name, OVERLAPPING, is_channels_last=place % 2 == 1)
        faults += differences(name, WHOLE, training=False)
    return faults


def shapes() -> list[str]:
    """Every geometry, layout and number of dimensions; channels that threads take by twos and fours, and not."""
    faults = []
    for number, shape in enumerate(SHAPES.values()):
        for is_channels_last in (False, True)[: len(shape.kernel_size)]:
            faults += differences("max_dropout", shape, is_channels_last=is_channels_last, channels=(3, 8)[number % 2])
    for is_channels_last in (False, True):
        faults += differences("gem", OVERLAPPING, is_channels_last=is_channels_last, channels=4)
        faults += differences("rank_stochastic", WHOLE, is_channels_last=is_channels_last, channels=3)
    return faults


def dtypes() -> list[str]:
    """bfloat16 and float64, and maps so large that offsets take 64 bits (as if: the limit is lowered)."""
    faults = []
    for name, dtype in (("gem", torch.bfloat16), ("lse", torch.float64), ("stochastic", torch.bfloat16)):
        faults += differences(name, OVERLAPPING, dtype=dtype, channels=8)
        faults += differences(name, WHOLE, dtype=dtype, is_channels_last=True, channels=8)
    from poolab.pooling.fused import triton_kernel

    triton_kernel.MOST_NUMBERS = 0
    triton_kernel.launch_of.cache_clear()
    for is_channels_last in (False, True):
        faults += differences("max_dropout", WHOLE, is_channels_last=is_channels_last)
        faults += differences("mixed_random", WHOLE, is_channels_last=is_channels_last)
    assert triton_kernel.launch_of(made[-1].recipe.geometry, (1, 1, 4, 4), 1, "forward").constants["IS_WIDE"]
    return faults


def draws() -> list[str]:
    """Random numbers, to the last bit: two draws of each kind."""

    def numbers(windows, shared, tap):
        def drawn():
            return windows.uniform_of_positions()[tap] if shared == "position" else windows.uniform(shared=shared)

        drawn()
        return drawn() + 0 * windows.taps(0.0)[0]

    faults = []
    geometry = Geometry.of("test", 2, dims=2)
    for layout in (torch.contiguous_format, torch.channels_last):
        for shared, tap in (("window", 0), ("channel", 0), ("sample", 0), ("position", 0), ("position", 3)):
            found = []
            for way in ("fused", "plain"):
                x = torch.zeros(3, 4, 6, 8).contiguous(memory_format=layout)
                torch.manual_seed(0)
                with backend.use_backend(way):
                    found.append(backend.compute(numbers, x, geometry, {"shared": shared, "tap": tap}))
            if not torch.equal(*found) or not found[0].std() > 0.1:
                faults.append(f"{shared} {tap} {layout}: {(found[0] - found[1]).abs().max()}")
    assert made
    return faults


@triton.jit
def apply(x, y, z, NAME: tl.constexpr, COUNT: tl.constexpr):
    """One function of triton_math, element by element."""
    place = tl.arange(0, COUNT)
    a, b = tl.load(x + place), tl.load(y + place)
    if NAME == "expm1":
        c = triton_math.expm1(a)
    elif NAME == "log1p":
        c = triton_math.log1p(a)
    elif NAME == "tanh":
        c = triton_math.tanh(a)
    else:
        c = triton_math.power(a, b)
    tl.store(z + place, c)


@triton.jit
def divide(n, q, by, times, shift, COUNT: tl.constexpr):
    """A division by multiplication."""
    place = tl.arange(0, COUNT)
    tl.store(q + place, triton_math.divided(tl.load(n + place), by, times, shift, False))


COUNT = 2**16
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5, float("inf"), float("-inf"), float("nan"), 1e-40, 1e30]


def functions() -> list[str]:
    """expm1, log1p, tanh and pow against float64 in units in the last place; torch's special cases; division."""
    faults, most = [], {"expm1": 4, "log1p": 4, "tanh": 5, "pow": 4}
    for dtype in (torch.float32, torch.float64):
        epsilon = torch.finfo(dtype).eps
        for name in most:
            a, b = _arguments(name, dtype)
            found = torch.empty_like(a)
            apply[(1,)](a, b, found, NAME=name, COUNT=COUNT)
            wide = (a.double(), b.double()) if name == "pow" else (a.double(),)
            expected = getattr(torch, name)(*wide)
            normal = expected.isfinite() & (expected.abs() > torch.finfo(dtype).tiny) & (expected.abs() < 1e38)
            error = ((found.double() - expected) / expected)[normal].abs().nan_to_num(torch.inf).max().item() / epsilon
            print(f"{name} {dtype}: at most {error:.2f} eps", file=sys.stderr)
            # In float64, pow is exp2(b log2(a)): an error for each power of two in the result.
            if error > (most[name] if dtype == torch.float32 or name != "pow" else 128):
                faults.append(f"{name} {dtype}: {error} eps")
            plain = expected.to(dtype)
            wrong = ~normal & ~torch.isclose(found, plain, 1e-4, 1e-44, equal_nan=True)
            for place in wrong.nonzero().flatten().tolist()[:5]:
                faults.append(f"{name}({a[place]}, {b[place]}) is {found[place]}, not {plain[place]}")
    return faults + _divisions()


def _arguments(name, dtype):
    generator = torch.Generator().manual_seed(0)
    draw = lambda: torch.rand(COUNT, generator=generator, dtype=torch.float64)  # noqa: E731
    sign = torch.where(draw() < 0.5, -1.0, 1.0)
    if name == "pow":
        a, b = torch.exp(draw() * 40 - 20), draw() * 10 - 5
        pairs = [(x, y) for x in SPECIAL for y in SPECIAL if abs(y) != float("inf")]
        a[: len(pairs)], b[: len(pairs)] = torch.tensor(pairs).double().unbind(1)
    else:
        a = torch.exp(draw() * 60 - 55) * sign  # 1e-24 to 148
        a = a.clamp(min=-1) if name == "log1p" else a
        a[: len(SPECIAL)] = torch.tensor(SPECIAL).double()
        b = torch.zeros_like(a)
    return a.to(dtype), b.to(dtype)


def _divisions():
    faults = []
    n = torch.randint(2**31 - 1, (COUNT,), generator=torch.Generator().manual_seed(0), dtype=torch.int64).to(
        torch.int32
    )
    n[:3] = torch.tensor([0, 1, 2**31 - 1])
    for by in (1, 2, 3, 7, 10, 28, 56, 63, 64, 65, 1000, 2**16 + 1, 2**30 + 1, 2**31 - 1):
        n[3:6] = torch.tensor([by - 1, by, min(2 * by, 2**31 - 1)])
        q = torch.empty_like(n)
        divide[(1,)](n, q, by, *divisor(by), COUNT=COUNT)
        if not torch.equal(q, n // by):
            faults.append(f"division by {by}")
    return faults


if __name__ == "__main__":
    kernels._made = interpreted
    backend._in_blocks = lambda recipe, dtype: None  # plain is the formula itself
    found = globals()[sys.argv[1]]()
    print("\n".join(found))
    sys.exit(bool(found))
