"""The gradient: that of the forward, and its order where taps tie."""

from itertools import pairwise, product

import torch
from torch import Tensor
from torch.func import functional_call

from poolab.pooling import Pool
from poolab.testing.items import expect, item
from poolab.testing.shapes import Shape, each_window, windows
from poolab.testing.subject import Subject, mode


@item("gradient", variants="choice")
def gradient(subject: Subject) -> None:
    """Check that the gradients of the input and the parameters are the numeric ones, in float64, away from ties."""
    x = subject.distinct(*{1: (7,), 2: (4, 5), 3: (3, 4, 3)}[subject.dims])
    for training in subject.modes:
        for shape in subject.shapes if subject.kind != "choice" else [subject.usual]:
            module = subject.make(shape, dtype=torch.float64, training=training)
            # Every entry of the Jacobian once; elsewhere along random directions, which costs a tenth.
            whole = subject.dims == 2 and subject.kind == "default" and shape == subject.usual
            _agrees(module, x, mode(training), whole)


def _agrees(module: Pool, x: Tensor, said: str, whole: bool) -> None:
    """Check by torch's gradcheck: the whole Jacobian, or its projection on random directions."""
    names = [name for name, _ in module.named_parameters()]

    def forward(x: Tensor, *parameters: Tensor) -> Tensor:
        torch.manual_seed(3)  # the same draw at every point
        return functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

    points = [x, *(parameter.detach().clone() for parameter in module.parameters())]
    points = [point.requires_grad_() for point in points]
    output = forward(*points)
    expect(output.requires_grad, f"{module} {said}: the output has no gradient, something detached it")
    slopes = torch.autograd.grad(output.square().sum(), points, allow_unused=True)
    unused = [name for name, slope in zip(["the input", *names], slopes, strict=True) if slope is None]
    expect(not unused, f"{module} {said}: no gradient reaches {', '.join(unused)}")
    try:
        torch.autograd.gradcheck(forward, points, fast_mode=not whole)
    except RuntimeError as fault:
        raise AssertionError(f"{module} {said} on {list(x.shape)}: {str(fault)[:600]}") from fault


@item("ties", roles=("window",), variants="learned")
def ties(subject: Subject) -> None:
    """Check that in a window of equal taps no tap has a larger gradient than one before it."""
    kernel = {1: (3,), 2: (3, 3), 3: (2, 3, 2)}[subject.dims]
    shape = subject.shape(Shape.of(kernel, kernel, (1,) * subject.dims))
    for value in (1.0, 0.0):
        module = subject.make(shape, dtype=torch.float64)
        x = torch.full((1, subject.channels, *subject.sizes(8, 8, 5)), value, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(module(x).sum(), x)
        falls = each_window(slope, shape, lambda taps: bool((taps.diff() <= 1e-7).all()))
        if not falls.all():
            found = ", ".join(f"{number:.4g}" for number in _first_rising(slope, shape))
            said = f"{module} on a map of {value}: gradients must not rise inside a window"
            raise AssertionError(f"{said}, found {found}")


def _first_rising(slope: Tensor, shape: Shape) -> list[float]:
    _, boxes = windows(shape, tuple(slope.shape[2:]))
    flat = slope.flatten(2)
    inside = (flat[n, c, places].tolist() for n, c in product(*map(range, flat.shape[:2])) for _, places in boxes)
    return next(taps for taps in inside if any(b > a + 1e-7 for a, b in pairwise(taps)))
