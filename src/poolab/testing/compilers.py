"""torch.compile without a graph break; torch.export, for batches and maps of any size."""

from collections.abc import Callable

import torch
from torch import Tensor

from poolab.pooling import Pool
from poolab.testing.items import expect, expect_close, item
from poolab.testing.shapes import Shape
from poolab.testing.subject import Subject, mode


def _passes(forward: Callable[[Tensor], Tensor], module: Pool, x: Tensor) -> list[Tensor]:
    """Compute the output, and the gradients of the input and of the parameters, with one fixed seed."""
    torch.manual_seed(2)
    x = x.clone().requires_grad_()
    output = forward(x)
    slopes = torch.autograd.grad(output.square().sum(), [x, *module.parameters()])
    return [output.detach(), *slopes]


@item("compile", variants="choice")
def compile(subject: Subject) -> None:
    """Check that torch.compile(fullgraph=True) gives the eager values and gradients, in training too where that is
    random.
    """
    if subject.dims != 2 and subject.kind != "default":
        return
    is_main = subject.dims == 2 and subject.kind != "choice"
    for training in subject.modes if is_main else subject.modes[-1:]:
        # One method's compiled code does not count against the next one's limit of recompilations.
        torch._dynamo.reset()
        module = subject.make(subject.small, training=training)
        x = subject.distinct(7, 8, 5, batch=2, dtype=torch.float32)
        compiled = torch.compile(module, fullgraph=True, backend="aot_eager" if is_main else "eager")
        try:
            found = _passes(compiled, module, x)
        except torch._dynamo.exc.TorchDynamoException as fault:
            reason = str(fault).strip().splitlines()[0]
            raise AssertionError(f"{module} {mode(training)} does not compile in one graph: {reason}") from fault
        said = f"{module} {mode(training)}, compiled against eager"
        for one, other in zip(found, _passes(module, module, x), strict=True):
            expect_close(one, other, said, rtol=1.3e-6, atol=1e-5)
    if subject.cls.random and subject.dims == 2 and subject.kind == "default":
        _own_generator(subject)


def _own_generator(subject: Subject) -> None:
    """Check that with a generator of its own it compiles with a graph break: no compiled graph holds a generator
    object.
    """
    source = torch.Generator()
    module = subject.make(subject.small, generator=source, training=True)
    x = subject.distinct(7, 8, 5, batch=2, dtype=torch.float32)
    source.manual_seed(3)
    expected = module(x)
    source.manual_seed(3)
    torch._dynamo.reset()
    found = torch.compile(module, backend="aot_eager")(x)
    expect(torch.equal(found, expected), f"{module}: compiled with its own generator it draws something else")


@item("export")
def export(subject: Subject) -> None:
    """Check that torch.export takes it with a batch of any size, and that the exported program gives the same."""
    module = subject.make(subject.small)
    x = subject.distinct(8, 8, 5, batch=5, dtype=torch.float32)
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(module, (x[:3],), dynamic_shapes=(batch,)).module()
    said = f"{module}, exported with a batch of 3, run on {len(x)}"
    expect_close(exported(x).detach(), module(x).detach(), said, rtol=1.3e-6, atol=1e-5)


@item("open_sizes")
def open_sizes(subject: Subject) -> None:
    """Check that torch.export takes it with maps of any size, and that the program gives the same at other sizes."""
    for strict, shape in enumerate(open_shapes(subject)):
        module = subject.make(shape)
        x = subject.distinct(8, 9, 8, batch=2, dtype=torch.float32)
        exported = torch.export.export(module, (x,), dynamic_shapes=(open_dims(x),), strict=bool(strict)).module()
        for lengths in OTHER_LENGTHS:
            x = subject.distinct(*lengths, batch=3, dtype=torch.float32)
            said = f"{module}, exported with open sizes, run on {list(x.shape)}"
            expect_close(exported(x).detach(), module(x).detach(), said, rtol=1.3e-6, atol=1e-5)


OTHER_LENGTHS = ((9, 12, 5), (12, 7, 6), (5, 6, 9))  # odd and even along every axis


def open_shapes(subject: Subject) -> list[Shape]:
    """Return windows in ceil mode, padded along one axis alone, and in the plane complete ones; one for a head."""
    if not subject.is_window:
        return [subject.usual]
    dims = subject.dims
    cut = Shape.of((2, 2, 1)[:dims], (2,) * dims, (1, 0, 0)[:dims], ceil_mode=True)
    return [subject.shape(shape) for shape in ([cut, Shape.even(2, 2, 2)] if dims == 2 else [cut])]


def open_dims(x: Tensor) -> dict[int, torch.export.Dim]:
    """Return names for the batch and each side; from 4 elements on, since torch takes an output of size 1 as fixed."""
    return {axis: torch.export.Dim(f"size{axis}", min=4 if axis > 1 else 1) for axis in range(x.dim()) if axis != 1}
