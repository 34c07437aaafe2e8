"""A kernel inside a user's torch.compile: one operation, no graph break, no new graph for each batch."""

import pytest
import torch
from torch import nn

from poolab.pooling import create_pool, use_backend
from poolab.pooling.fused import operator
from poolab.pooling.fused.call import to_spec

METHODS = [("avg_topk", {}), ("gem", {"learnable": True}), ("ordinal", {}), ("stochastic", {}), ("adapool", {})]


def make(name, options):
    more = {"channels": 4} if name in ("ordinal", "adapool") else {}
    return create_pool(name, kernel_size=3, stride=2, padding=1, **more, **options)


@pytest.fixture(autouse=True)
def nothing_compiled_before():
    torch._dynamo.reset()


class Graphs:
    """A compiler that keeps what it is given and runs it as it is."""

    def __init__(self):
        self.seen = []

    def __call__(self, graph, inputs):
        self.seen.append([str(node.target) for node in graph.graph.nodes if node.op == "call_function"])
        return graph


@pytest.mark.parametrize(("name", "options"), METHODS, ids=[name for name, _ in METHODS])
def test_it_is_one_operation_with_the_same_results(name, options):
    pool, graphs = make(name, options), Graphs()
    x = torch.randn(2, 4, 9, 10).contiguous(memory_format=torch.channels_last).requires_grad_()
    torch.compile(pool, backend=graphs, fullgraph=True)(x)
    assert sum("window_pool" in target for target in graphs.seen[0]) == 1
    found = []
    for run in (pool, torch.compile(pool, backend="aot_eager", fullgraph=True)):
        torch.manual_seed(0)
        with use_backend("fused"):
            y = run(x)
        found.append([y, *torch.autograd.grad(y.square().sum(), [x, *pool.parameters()])])
    for compiled, eager in zip(*found, strict=True):
        torch.testing.assert_close(compiled, eager)
        assert compiled.stride() == eager.stride()


def test_other_batches_take_the_same_graph():
    graphs = Graphs()
    network = nn.Sequential(nn.Conv2d(3, 4, 3), make("avg_topk", {}))
    compiled = torch.compile(network, backend=graphs, fullgraph=True)
    for batch in (2, 3, 5, 8):
        compiled(torch.randn(batch, 3, 12, 12))
    assert len(graphs.seen) <= 2, "one for the first batch, one for any"


def test_what_is_not_fused_is_traced():
    graphs = Graphs()
    with use_backend("plain"):
        torch.compile(make("avg_topk", {}), backend=graphs, fullgraph=True)(torch.randn(2, 4, 9, 10))
    torch.compile(create_pool("max", kernel_size=2), backend=graphs, fullgraph=True)(torch.randn(2, 4, 9, 10))
    assert not any("window_pool" in target for graph in graphs.seen for target in graph)


def test_an_exported_program_holds_the_formula():
    exported = torch.export.export(make("avg_topk", {}), (torch.randn(2, 4, 9, 10),))
    assert "window_pool" not in str(exported.graph)


@pytest.mark.parametrize(("name", "options"), METHODS, ids=[name for name, _ in METHODS])
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # of opcheck itself
def test_torch_finds_no_fault_with_the_operation(name, options):
    pool = make(name, options)
    recipe, values = to_spec(type(pool).formula, pool.geometry, pool.arguments(), 4)
    x = torch.randn(2, 4, 9, 10, requires_grad=True)
    values = [value.detach().flatten().expand(4).clone().requires_grad_() for value in values]
    seed = torch.tensor(5) if pool.random else None
    torch.library.opcheck(operator.window_pool, (x, values, seed, operator.register(recipe)))


def test_autocast_does_not_reach_into_a_kernel():
    pool = create_pool("softpool", kernel_size=2)
    x = torch.randn(1, 2, 4, 4)
    with torch.autocast("cpu", torch.bfloat16), use_backend("fused"):
        half = pool(x.bfloat16())
        assert pool(x).dtype is torch.float32
    assert half.dtype is torch.bfloat16
    torch.testing.assert_close(half, pool(x.bfloat16()))
