"""Maxima and means by poolab's kernels: the same bits as torch's own poolings, and taken where they are faster."""

import pytest
import torch
from torch import nn

from poolab.pooling import AvgTopKPool2d, MaxPool2d, RankWeightedPool2d, create_pool, use_backend
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.fused import engine, kernels

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.fixture
def everywhere(monkeypatch):
    """Kernels for all maps, however small."""
    anything = engine.Range(0, 10**6, 10**6)
    monkeypatch.setattr(engine, "CONTIGUOUS", anything)
    monkeypatch.setattr(engine, "CHANNELS_LAST", dict.fromkeys((torch.float32, torch.bfloat16), anything))


def awkward(dtype, layout):
    """A map with ties, NaN, infinities of both signs, and channels of -inf alone; 19 channels are no whole vectors."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 19, 9, 22, generator=generator)
    x[:, 4:8] = x[:, 4:8].round()
    x[:, 8:12][torch.rand(2, 4, 9, 22, generator=generator) < 0.2] = torch.nan
    x[:, 12:16][torch.rand(2, 4, 9, 22, generator=generator) < 0.8] = -torch.inf
    x[:, 14][torch.rand(2, 9, 22, generator=generator) < 0.1] = torch.inf
    x[:, 16:] = -torch.inf
    return x.to(dtype).contiguous(memory_format=layout)


def results(pool, x, backend):
    x = x.detach().requires_grad_()
    with use_backend(backend):
        y = pool(x)
    slope = torch.arange(y.numel(), dtype=torch.float64).sin().view_as(y).to(y.dtype)
    return y, *torch.autograd.grad(y, x, slope)


def same(found, expected):
    return all(
        a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a.nan_to_num(1.5), b.nan_to_num(1.5))
        for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("how", [(3, 2, 1, 1, False), (3, 1, 1, 1, False), (2, 3, 1, 2, True)], ids=str)
def test_max_is_torchs_to_the_last_bit(how, dtype, layout, everywhere):
    """In half precision too, where torch rounds each sum of gradients."""
    kernel_size, stride, padding, dilation, ceil_mode = how
    pool = MaxPool2d(kernel_size, stride, padding, dilation, ceil_mode)
    x = awkward(dtype, layout)
    expected = results(nn.MaxPool2d(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode), x, "plain")
    before = len(kernels._kernels)
    assert same(results(pool, x, "fused"), expected)
    assert len(kernels._kernels) > before, "by a kernel"
    for other in (AvgTopKPool2d, RankWeightedPool2d):
        alike = {"k": 1} if other is AvgTopKPool2d else {"alpha": 1.0}
        assert same(results(other(kernel_size, stride, padding, dilation, ceil_mode, **alike), x, "plain"), expected)


@pytest.mark.parametrize("layout", LAYOUTS, ids=["contiguous", "channels_last"])
@pytest.mark.parametrize("counts", [True, False])
def test_avg_is_torchs_to_the_last_bit(counts, layout, everywhere):
    pool = create_pool("avg", kernel_size=3, stride=2, padding=1, count_include_pad=counts)
    x = awkward(torch.float32, layout)[:, :12].contiguous(memory_format=layout)
    expected = results(nn.AvgPool2d(3, 2, 1, count_include_pad=counts), x, "plain")
    before = len(kernels._kernels)
    assert same(results(pool, x, "fused"), expected)
    assert len(kernels._kernels) > before, "by a kernel"


def test_padding_that_counts_beside_ceil_mode_is_left_to_torch(everywhere):
    """Which cells count there depends on the place of the window."""
    pool = create_pool("avg", kernel_size=3, stride=2, padding=1, ceil_mode=True)
    x = torch.randn(1, 3, 8, 8)
    assert same(results(pool, x, "fused"), results(nn.AvgPool2d(3, 2, 1, ceil_mode=True), x, "plain"))


@pytest.mark.parametrize("samples", [0, 2])
def test_an_empty_batch_and_a_double_backward_are_torchs(samples, everywhere):
    x = torch.randn(samples, 3, 8, 8, requires_grad=True)
    with use_backend("fused"):
        found = create_pool("max", kernel_size=2)(x)
    expected = nn.MaxPool2d(2)(x)
    assert torch.equal(found, expected)
    slopes = [torch.autograd.grad(y.square().sum(), x, create_graph=True)[0] for y in (found, expected)]
    assert torch.equal(*slopes)
    assert torch.equal(*(torch.autograd.grad(slope.square().sum(), x)[0] for slope in slopes))


def test_where_the_kernels_are_taken():
    two, seven = (Geometry.of("max", size, None, 0, 1, False, 2) for size in (2, 7))
    large, small = torch.empty(8, 32, 64, 64), torch.empty(1, 32, 8, 8)
    last = large.contiguous(memory_format=torch.channels_last)
    assert engine.outruns_torch(large, two)
    assert engine.outruns_torch(last, two)
    assert not engine.outruns_torch(small, two)
    assert not engine.outruns_torch(large, seven)
    assert not engine.outruns_torch(last.half(), two)
    assert not engine.outruns_torch(large.to("meta"), two)
