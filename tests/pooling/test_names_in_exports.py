"""In an exported graph torch's quantisers find operations by names such as "add_7", which two functions may share."""

from collections import defaultdict

import pytest
import torch
from torch import nn

from poolab.pooling import create_pool, get_pool, list_pools

QUICK = {"lehmer", "stochastic", "lp", "avg_topk"}
PATTERNS = ("add", "relu")  # what quantisers look for behind a convolution, and formulas compute too
NAMES = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.long)
    for name in list_pools()
    if get_pool(name).role == "window"
]


class Net(nn.Module):
    """A network that adds and rectifies beside its pooling."""

    def __init__(self, name: str):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.relu = nn.ReLU()
        self.pool = create_pool(name, channels=16, kernel_size=2)

    def forward(self, x):
        """Return the pooled map, less 1."""
        x = self.relu(self.conv(x))
        return self.pool(x + x.abs()) + (-1)


@pytest.mark.parametrize("name", NAMES)
def test_additions_and_relus_have_names_of_their_own(name):
    graph = torch.export.export(Net(name).eval(), (torch.randn(2, 3, 16, 16),)).module().graph
    functions = defaultdict(set)
    for node in graph.nodes:
        if "torch_fn" in node.meta:
            functions[node.meta["torch_fn"][0]].add(node.meta["torch_fn"][1])
    assert any(one.startswith("add_") for one in functions)
    shared = {one: kinds for one, kinds in functions.items() if one.startswith(PATTERNS) and len(kinds) > 1}
    assert not shared
