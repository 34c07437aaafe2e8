"""The values: against an independent reference where there is one, else against the method on each window alone."""

from itertools import product

import torch
from torch import Tensor

from poolab.pooling import Pool
from poolab.testing.items import expect_close, item
from poolab.testing.shapes import Shape, each_window, fitting_cases, windows
from poolab.testing.subject import Subject

RANDOM_CASES = {1: 15, 2: 15, 3: 6}
HOW = "check_pooling(..., oracle=) or python -m poolab.testing --oracle MODULE:FUNCTION gives one"
BY_ITSELF = (
    "each window was compared with the method on that window alone, which proves the geometry and no formula; " + HOW
)
NOTHING = f"there is nothing to compare with; {HOW.replace('oracle', 'reference')}"


def expected_of(subject: Subject, x: Tensor, shape: Shape, module: Pool) -> Tensor | None:
    """Return what the oracle or the reference gives for x in float64; None without either."""
    if subject.reference is not None:
        found = subject.reference(x, module.geometry if subject.is_window else None, module)
        return None if found is None else torch.as_tensor(found, dtype=torch.float64)
    if subject.oracle is not None:
        oracle = subject.oracle
        return each_window(x, shape, lambda taps: oracle(taps, module))
    return None


@item("oracle", variants="choice")
def oracle(subject: Subject) -> str | None:
    """Check that in float64 it gives what its oracle gives, on random maps under random geometries."""
    if not subject.is_window:
        return _head_oracle(subject)
    if subject.oracle is None and subject.reference is None:
        return _by_itself(subject)
    count = RANDOM_CASES[subject.dims] if subject.kind == "default" else 5
    for seed, (shape, sizes) in enumerate(cases(subject, count)):
        module = subject.make(shape, dtype=torch.float64)
        x = subject.normal(seed, *sizes)
        expected = expected_of(subject, x, shape, module)
        if expected is None:
            return NOTHING
        said = f"{module} on a map of {list(sizes)} against its oracle"
        expect_close(module(x).detach(), expected, said, rtol=1e-9, atol=1e-12)
    return None


def cases(subject: Subject, count: int) -> list[tuple[Shape, tuple[int, ...]]]:
    """Yield random geometries and sizes; the usual ones on fixed sizes where the class does not take any geometry."""
    if "geometry" in subject.cls.exempt or subject.fixed:
        sizes = subject.sizes(8, 6, 6), subject.sizes(7, 9, 5)
        return list(product(subject.shapes, sizes))
    return fitting_cases(subject.dims, count)


def _head_oracle(subject: Subject) -> str | None:
    if subject.reference is None:
        return NOTHING
    for seed in range(6):
        module = subject.make(dtype=torch.float64)
        x = subject.normal(seed, 4 + seed, 9 - seed, 5, batch=2)
        expected = expected_of(subject, x, subject.usual, module)
        if expected is None:
            return NOTHING
        expect_close(module(x).detach(), expected, f"{module} on {list(x.shape)}", rtol=1e-9, atol=1e-12)
    return None


def _by_itself(subject: Subject) -> str:
    """Check that each window gives what the same method gives on a map of this window alone."""
    if subject.cls.positional:
        return NOTHING
    compared = 0
    for seed, (shape, sizes) in enumerate(cases(subject, 6)):
        module = subject.make(shape, dtype=torch.float64)
        x = subject.normal(seed, *sizes)
        y = module(x).detach().flatten(2)
        for place, (box, inside) in enumerate(windows(shape, sizes)[1]):
            if box != shape.kernel_size and "padding" in subject.cls.exempt:
                continue
            alone = subject.make(Shape.of(box, box), dtype=torch.float64)
            if _same_state(module, alone):
                found = y[..., place : place + 1]
                expected = alone(x.flatten(2)[..., inside].unflatten(2, box)).detach().flatten(2)
                expect_close(found, expected, f"{module}, window {place} of {list(sizes)}", rtol=1e-9, atol=1e-12)
                compared += 1
    return BY_ITSELF if compared else NOTHING


def _same_state(module: Pool, other: Pool) -> bool:
    """Return True if the two have parameters and buffers of the same shapes, and copy them from one to the other."""
    mine, theirs = module.state_dict(), other.state_dict()
    if {n: v.shape for n, v in mine.items()} != {n: v.shape for n, v in theirs.items()}:
        return False
    other.load_state_dict(mine)
    return True
