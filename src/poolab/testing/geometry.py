"""Tests of the windows' positions: the output's size, the padding, and the same method in other dimensions."""

from itertools import product

import torch
from torch import Tensor, nn

from poolab.pooling import WindowPool2d
from poolab.testing.items import expect, expect_close, item
from poolab.testing.shapes import Shape, random_cases
from poolab.testing.subject import Subject

MAX_POOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
RANDOM_SHAPES = {1: 30, 2: 60, 3: 25}


@item("geometry", roles=("window",))
def geometry(subject: Subject) -> None:
    """Check that the output has the size that torch's MaxPool gives for any geometry, and that both refuse the same
    ones.
    """
    dims = subject.dims
    tiny = [(Shape.even(dims, 3, 1, 1), (size,) * dims) for size in (1, 2)]
    for shape, sizes in [*tiny, *random_cases(dims, RANDOM_SHAPES[dims])]:
        x = torch.zeros(1, subject.channels, *sizes)
        expected = _torchs_shape(shape, x)
        module = subject.make(shape, **subject.within(1))
        # poolab also refuses a window of padding alone, which torch fills with -inf
        if expected is None or not shape.fits(sizes):
            try:
                found = module(x).shape
            except ValueError:
                continue
            raise AssertionError(f"{module} on {list(x.shape)}: expected a ValueError, found shape {list(found)}")
        found = module(x).shape
        expect(found == expected, f"{module} on {list(x.shape)}: expected shape {list(expected)}, found {list(found)}")
    for kernel, dilation, padding in product((1, 2, 3, 4), (1, 2), range(4)):
        shape = Shape.even(dims, kernel, 1, padding, dilation)
        _agrees_on_padding(subject, shape)


def _torchs_shape(shape: Shape, x: Tensor) -> torch.Size | None:
    """Return the shape that torch's max pooling gives, None where it refuses."""
    try:
        return MAX_POOL[len(shape.kernel_size)](**shape.arguments)(x).shape
    except RuntimeError:
        return None


def _agrees_on_padding(subject: Subject, shape: Shape) -> None:
    """Check that padding of more than half of the kernel is refused, as torch does."""
    allowed = all(2 * padding <= kernel for kernel, padding in zip(shape.kernel_size, shape.padding, strict=True))
    try:
        subject.make(shape, **subject.within(1))
    except ValueError as refusal:
        expect(not allowed, f"{subject.cls.__name__}: torch allows {shape}, found {refusal}")
    else:
        expect(allowed, f"{subject.cls.__name__}: expected a ValueError for more padding than half the kernel, {shape}")


@item("padding", roles=("window",), variants="learned")
def padding(subject: Subject) -> None:
    """Check that windows at the border of a constant map give what complete ones give: padding takes no part."""
    module = subject.make()
    for constant in (2.0, -2.0):
        y = module(torch.full((1, subject.channels, *subject.sizes(9, 9, 7)), constant)).detach()
        inner = y[(..., *[slice(size // 2, size // 2 + 1) for size in y.shape[2:]])].expand_as(y)
        said = f"{module} on a constant map of {constant}, the border against the inner windows"
        expect_close(y, inner, said, rtol=1e-5, atol=1e-6)


@item("dimensions", roles=("window",), dims=(2,), variants="choice")
def dimensions(subject: Subject) -> str | None:
    """Check that in one and three dimensions it is the two-dimensional method on a map of height 1, or of depth 1."""
    pool = subject.cls
    assert issubclass(pool, WindowPool2d)
    flat = subject.make(subject.shape(Shape.of((1, 3), (1, 2), (0, 1))))
    low = sibling(subject, pool, 1).make(Shape.of((3,), (2,), (1,)))
    plane = subject.make()
    high = sibling(subject, pool, 3).make(Shape.of((1, 3, 3), (1, 2, 2), (0, 1, 1)))
    x = subject.distinct(7, 8, batch=2, dtype=torch.float32)
    line = x[:, :, 0]
    shared = not any(True for _ in plane.parameters()) or subject.kind == "learned"
    for name, found, expected in (
        ("1", low(line), flat(x[:, :, :1]).squeeze(2)),
        ("3", high(x.unsqueeze(2)), plane(x).unsqueeze(2)),
    ):
        said = f"{pool.__name__} in {name} dimension(s), {subject.label}"
        expect(found.shape == expected.shape, said, f"expected {list(expected.shape)}, found {list(found.shape)}")
        if shared:
            expect_close(found.detach(), expected.detach(), said, rtol=1e-5, atol=1e-6)
    return None if shared else "sizes alone: its weights have another shape in each dimension"


def sibling(subject: Subject, pool: type[WindowPool2d], dims: int) -> Subject:
    """Return the subject's class for the given number of dimensions, whether or not it claims to have it."""
    made = type(f"{pool.__name__.removesuffix('2d')}{dims}d", (pool,), {"dims": dims, "__module__": pool.__module__})
    return Subject(made, subject.options, subject.channels)
