"""torch.compile without a graph break, and torch.export."""

from collections.abc import Callable

import torch
from torch import Tensor

from poolab.pooling import Pool
from poolab.testing.items import expect, expect_close, item
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
