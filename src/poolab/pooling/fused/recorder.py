"""The operations that torch does, as a graph: what a formula and its autograd come to.

`torch.fx.make_fx` does the same for any program, at 1.3 ms an operation (0.5 to 4 s for a method, in each process). For
element-wise operations on a handful of numbers it is enough to watch: 20 to 40 us an operation.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from torch import Tensor, fx
from torch.utils._python_dispatch import TorchDispatchMode

T = TypeVar("T")


class QuietMode(TorchDispatchMode):
    """Run operations without torch's compiler, which torch 2.14 else imports at a mode's first one (1.3 s)."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class NotFusable(Exception):
    """Tell that no kernel can be made of the formula."""


def in_clean_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own and return its result.

    What is set for the caller's thread does not reach it: no autocast, inference mode, dispatch mode, transformation,
    and no half-way place inside an operation, where autograd is already out of the way.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


class Recorder(QuietMode):
    """Record every operation on the tensors that it knows.

    A tensor is known by its memory, since autograd hands out new objects for what it has kept; all are held, so that
    no memory is used twice. `meta["val"]` of a node is its value in this run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.graph = fx.Graph()
        self._nodes: dict[Any, fx.Node] = {}
        self._held: list[Tensor] = []

    def input(self, name: str, value: Tensor) -> Tensor:
        """Add a placeholder."""
        return self._note(self.graph.placeholder(name), value)

    def of(self, value: Tensor | None) -> Any:
        """Return the node of a tensor; a tensor that no operation made is a constant, and None stays None."""
        if value is None:
            return None
        node = self._nodes.get(_place(value))
        if node is None and value.numel() != 1:
            raise NotFusable("the formula uses a tensor that is neither a tap nor one of its arguments")
        return value.item() if node is None else node

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and record it."""
        given = [
            [self._known(part) for part in value] if isinstance(value, list) else self._known(value) for value in args
        ]
        named = {name: self._known(value) for name, value in (kwargs or {}).items()}
        result = func(*args, **(kwargs or {}))
        if not isinstance(result, Tensor):
            raise NotFusable(f"{func} does not give one tensor")
        return self._note(self.graph.call_function(func, tuple(given), named), result)

    def _known(self, value: Any) -> Any:
        return self.of(value) if isinstance(value, Tensor) else value

    def _note(self, node: fx.Node, value: Tensor) -> Tensor:
        node.meta["val"] = value
        self._nodes[_place(value)] = node
        self._held.append(value)
        return value


def _place(value: Tensor) -> Any:
    return value.untyped_storage().data_ptr(), value.storage_offset(), value.shape, value.stride(), value.dtype


def part(graph: fx.Graph, outputs: Sequence[Any]) -> fx.Graph:
    """Copy the graph with these outputs, without what they do not need."""
    copy = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    copy.graph_copy(graph, copied)
    for before, after in copied.items():
        after.meta = before.meta
    copy.output([copied[output] if isinstance(output, fx.Node) else output for output in outputs])
    copy.eliminate_dead_code()
    return copy
