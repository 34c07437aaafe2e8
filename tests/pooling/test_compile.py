"""The contract of every pooling, item 6: torch.compile without a graph break, and torch.export."""

import pytest
import torch
from torch import Tensor

from poolab.pooling import Pool
from tests.pooling.oracles import Shape
from tests.pooling.support import ALL_VARIANTS, CHANNELS, HEADS, RANDOM, WINDOWS, distinct, label, make

SMALL = Shape((2, 2), (1, 1), (1, 1))  # overlapping windows, cut at every border; few cells, so that tracing is quick


@pytest.fixture(autouse=True)
def _fresh_compiler():
    """One method's compiled code does not count against the next one's limit of recompilations."""
    torch._dynamo.reset()


def passes(forward: object, pool: Pool, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of the input and of the parameters, with one fixed seed."""
    torch.manual_seed(2)
    x = x.clone().requires_grad_()
    output = forward(x)
    return [output, *torch.autograd.grad(output.square().sum(), [x, *pool.parameters()])]


def agree(pool: Pool) -> None:
    x = distinct(2, CHANNELS, 7, 8, dtype=torch.float32)
    compiled = torch.compile(pool, fullgraph=True, backend="aot_eager")
    for found, expected in zip(passes(compiled, pool, x), passes(pool, pool, x), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("name", "options"), ALL_VARIANTS, ids=label)
def test_the_compiled_module_gives_what_the_eager_one_gives(name: str, options: dict):
    agree(make(name, SMALL, **options))


@pytest.mark.parametrize("name", RANDOM)
def test_the_compiled_module_draws_what_the_eager_one_draws(name: str):
    agree(make(name, SMALL).train())


@pytest.mark.parametrize("name", WINDOWS + HEADS)
def test_an_exported_module_gives_the_same_for_any_batch(name: str):
    pool, x = make(name, SMALL), distinct(5, CHANNELS, 8, 8, dtype=torch.float32)
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(pool, (x[:3],), dynamic_shapes=(batch,)).module()
    torch.testing.assert_close(exported(x), pool(x))


@pytest.mark.parametrize("name", RANDOM)
def test_a_generator_of_ones_own_compiles_with_a_graph_break(name: str):
    """No compiled graph holds a generator object: fullgraph=True is for torch's global one."""
    source = torch.Generator()
    pool, x = make(name, SMALL, generator=source).train(), distinct(2, CHANNELS, 7, 8, dtype=torch.float32)
    source.manual_seed(3)
    expected = pool(x)
    source.manual_seed(3)
    assert torch.equal(torch.compile(pool, backend="aot_eager")(x), expected)
