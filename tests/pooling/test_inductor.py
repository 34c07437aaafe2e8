"""The suite compiles with AOT autograd alone, which is quick; here torch's own code generator runs too."""

import pytest
import torch
from torch.testing import assert_close

from tests.pooling.oracles import Shape
from tests.pooling.support import CHANNELS, distinct, make


@pytest.mark.slow
@pytest.mark.parametrize("name", ["avg_topk", "softpool"])
def test_generated_code_gives_what_the_eager_module_gives(name: str):
    torch._dynamo.reset()
    pool = make(name, Shape((2, 2), (2, 2)))
    results = []
    for forward in (pool, torch.compile(pool, fullgraph=True)):
        x = distinct(2, CHANNELS, 9, 10, dtype=torch.float32).requires_grad_()
        output = forward(x)
        results.append((output, *torch.autograd.grad(output.square().sum(), x)))
    for expected, found in zip(*results, strict=True):
        assert_close(found, expected)
