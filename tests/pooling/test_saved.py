"""No path, forward or backward, makes the unfolded copy (kernel * kernel times the map)."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.pooling.oracles import Shape
from tests.pooling.support import CHANNELS, MODES, distinct, label, make


class Largest(TorchDispatchMode):
    """Remembers the most elements that a tensor made inside it has; a view makes nothing, its storage counts."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        output = operation(*arguments, **(keywords or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, torch.Tensor):
                held = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.elements = max(self.elements, tensor.numel(), held)
        return output


@pytest.mark.parametrize(("name", "options", "mode"), MODES, ids=label)
@pytest.mark.parametrize("stride", [1, 2])
def test_no_tensor_is_much_larger_than_the_padded_map(name: str, options: dict, mode: str, stride: int):
    pool = make(name, Shape((3, 3), (stride, stride), (1, 1)), **options).train(mode == "train")
    x = distinct(2, CHANNELS, 16, 16, dtype=torch.float32).requires_grad_()
    with Largest() as largest:
        torch.autograd.grad(pool(x).sum(), x)
    assert x.numel() / 4 <= largest.elements <= 1.5 * 2 * CHANNELS * 18 * 18


def test_the_watch_sees_an_unfolded_copy():
    with Largest() as largest:
        torch.nn.functional.unfold(distinct(2, CHANNELS, 16, 16, dtype=torch.float32), 3, padding=1)
    assert largest.elements == 2 * CHANNELS * 16 * 16 * 9
