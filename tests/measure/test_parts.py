"""Evaluation in parts gives what the whole batch gives."""

import pytest
import torch
from torch import nn

from poolab.measure import in_parts
from poolab.measure.parts import LEAST, PART
from poolab.measure.predictions import predictions


@pytest.mark.parametrize(
    ("count", "side", "sizes"), [(300, 32, [128, 128, 44]), (128, 32, [128]), (20, 500, [8, 8, 4])]
)
def test_parts_are_the_batch_in_order(count, side, sizes):
    seen = []
    images = torch.arange(count).view(count, 1, 1, 1).expand(count, 3, side, side)
    told = in_parts(lambda part: (seen.append(len(part)), part[:, 0, 0, 0])[1], images)
    assert torch.equal(told, torch.arange(count))
    assert seen == sizes
    assert max(sizes) >= LEAST
    assert PART == 128 * 3 * 32 * 32


def test_a_compiled_network_and_an_accelerator_get_the_whole_batch():
    class Compiled(nn.Module):
        _orig_mod = None

        def forward(self, images):
            self.seen = len(images)
            return images[:, 0, 0]

    network = Compiled()
    in_parts(network, torch.zeros(300, 3, 32, 32))
    assert network.seen == 300
    in_parts(network, torch.zeros(300, 3, 32, 32, device="meta"))
    assert network.seen == 300


def test_predictions_call_the_network_on_parts():
    seen = []
    images = torch.zeros(300, 3, 32, 32, dtype=torch.uint8)
    told = predictions(lambda part: (seen.append(len(part)), part[:, :2, 0, 0].float())[1], images, batch_size=200)
    assert (seen, told.tolist()) == ([128, 72, 100], [0] * 300)
