import pytest
import torch
from torch import nn

from poolab.bench.bandwidth import copy_bandwidth, least_bytes
from poolab.bench.memory import peak_bytes, saved_bytes

MAP, OUTPUT = 4 * 2 * 3 * 8 * 8, 4 * 2 * 3 * 4 * 4  # bytes of float32


@pytest.fixture
def map():
    return torch.randn(2, 3, 8, 8).requires_grad_()


class Doubled(torch.autograd.Function):
    """Keeps one byte for each number, and uses a buffer of four maps on its way."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(torch.zeros(x.shape, dtype=torch.uint8))
        buffer = x.new_empty(4 * x.numel())
        del buffer
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Double(nn.Module):
    def forward(self, x):
        return Doubled.apply(x)


@pytest.mark.parametrize(("module", "bytes"), [
    (nn.MaxPool2d(2), 2 * OUTPUT),  # int64
    (nn.AvgPool2d(2), 0),
    (nn.Sigmoid(), MAP),  # its own output, which it keeps alive
    (Double(), MAP // 4),
    (nn.Conv2d(3, 3, 1), 0),  # input and weights do not count
])  # fmt: skip
def test_what_is_saved_for_backward(map, module, bytes):
    assert saved_bytes(module, map) == bytes


@pytest.mark.parametrize(("module", "bytes"), [
    (nn.MaxPool2d(2), 3 * OUTPUT + MAP),  # output, indices, map gradient
    (nn.AvgPool2d(2), OUTPUT + MAP),
    (Double(), MAP // 4 + 4 * MAP),  # its buffer; output and gradient are two maps
])  # fmt: skip
def test_the_peak_of_forward_and_backward(map, module, bytes):
    gradient = torch.ones_like(module(map))
    for _ in range(2):
        assert peak_bytes(module, map, [map], gradient) == bytes


def test_the_fewest_bytes_of_both_are_those_of_forward_and_backward():
    shape, outputs = (2, 3, 8, 8), OUTPUT // 4
    both, forward, backward = (least_bytes(name, shape, outputs, 4) for name in ("both", "forward", "backward"))
    assert (forward, backward) == (MAP + OUTPUT, 2 * MAP + OUTPUT)
    assert both == forward + backward


def test_the_copy_bandwidth_counts_reads_and_writes(monkeypatch):
    from poolab.bench import bandwidth

    times = iter(range(1000))
    monkeypatch.setattr(bandwidth, "perf_counter", lambda: float(next(times)))  # one second between two looks
    assert copy_bandwidth("cpu", size=4096, rounds=5).median == 8192
