"""Side effects: what is written, drawn, waited for, and made on the way."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from poolab.testing.items import expect, item
from poolab.testing.shapes import Shape
from poolab.testing.subject import Subject, mode


@item("purity")
def purity(subject: Subject) -> None:
    """Check that the input is neither written nor returned, not even by a window of one tap."""
    one = subject.shape(Shape.even(subject.dims, 1, 1))
    shapes = [*subject.shapes, one] if subject.is_window and "geometry" not in subject.cls.exempt else subject.shapes
    for training in (False, True):
        for shape in shapes:
            x = subject.distinct(6, 6, 5, dtype=torch.float32)
            kept, version = x.clone(), x._version
            module = subject.make(shape, training=training, **subject.output_size(6))
            output = module(x)
            said = f"{module} {mode(training)}"
            expect(x._version == version and torch.equal(x, kept), said, ": the input was written")
            output.detach().fill_(7.0)
            expect(torch.equal(x, kept), said, ": the output shares memory with the input")
            shared = output.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
            expect(not shared, said, ": the output shares memory with the input")


@item("host_sync", variants="choice")
def host_sync(subject: Subject) -> None:
    """Check that the forward never waits for a value: a meta tensor has none, so that `.item()` and the like raise."""
    for training in (False, True):
        module = subject.make(subject.small).to("meta").train(training)
        shape = (2, subject.channels, *subject.sizes(8, 8, 6))
        try:
            output = module(torch.empty(shape, device="meta"))
        except (RuntimeError, NotImplementedError) as fault:
            raise AssertionError(f"{module} {mode(training)} needs a value on the host: {fault}") from fault
        expect(output.device.type == "meta", f"{module} {mode(training)}: expected device meta, found {output.device}")
        module = subject.make(subject.small).train(training)
        with Asked() as asked:
            module(subject.distinct(*subject.sizes(8, 8, 6), batch=2, dtype=torch.float32))
        expect(not asked.count, f"{module} {mode(training)} brings {asked.count} values to the host in one forward")


class Asked(TorchDispatchMode):
    """Counts the values that are brought to the host (`.item()`, `bool(tensor)`), for which a GPU would be waited."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """Run the operation."""
        self.count += operation is torch.ops.aten._local_scalar_dense.default
        return operation(*arguments, **(keywords or {}))


class Largest(TorchDispatchMode):
    """Remembers the most elements that a tensor made inside it has; a view makes nothing, its storage counts."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, operation: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """Run the operation and look at what it made."""
        output = operation(*arguments, **(keywords or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor):
                held = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.elements = max(self.elements, tensor.numel(), held)
        return output


@item("memory", roles=("window",), variants="learned")
def memory(subject: Subject) -> None:
    """Check that no tensor of forward or backward is much larger than the padded map: no unfolded copy is made."""
    kernel = {1: 7, 2: 3, 3: 2}[subject.dims]
    sizes = subject.sizes(*{1: (64,), 2: (16, 16), 3: (8, 8, 8)}[subject.dims])
    batch = 8 // subject.dims  # a table of places (windows, kernel) is no copy of the map
    padded = torch.Size([size + 2 * (kernel // 2) for size in sizes]).numel()
    for training in subject.modes:
        for stride in (1, 2):
            shape = subject.shape(Shape.even(subject.dims, kernel, stride, kernel // 2))
            module = subject.make(shape, training=training)
            x = subject.distinct(*sizes, batch=batch, dtype=torch.float32).requires_grad_()
            with Largest() as largest:
                torch.autograd.grad(module(x).sum(), x)
            most = int(1.5 * batch * subject.channels * padded)
            said = f"{module} {mode(training)}: made a tensor of {largest.elements} elements"
            expect(largest.elements <= most, said, f"from a map of {x.numel()}; at most {most} are allowed")
