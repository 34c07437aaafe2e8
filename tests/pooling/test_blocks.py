"""Haar downsampling, ADown, LiftDownPool and Gaussian pooling beside public code, and where it goes wrong."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from poolab.pooling import create_pool
from tests.pooling.oracles import Shape
from tests.pooling.oracles_blocks import POSITIONAL
from tests.pooling.support import distinct, make
from tests.pooling.test_away_from_start import moved

TWO = Shape((2, 2), (2, 2))


@pytest.mark.parametrize("name", sorted(POSITIONAL))
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_it_is_its_oracle_after_a_step(name: str, dims: int):
    kernel, stride, padding, dilation = (3, 2, 4), (2, 3, 1), (1, 0, 2), (1, 2, 1)
    for ceil_mode in (False, True):
        shape = Shape(kernel[:dims], stride[:dims], padding[:dims], dilation[:dims], ceil_mode)
        pool = moved(make(name, shape, dtype=torch.float64, dims=dims))
        x = distinct(2, 2, *(6, 7, 5)[:dims])
        found = pool(x).detach().numpy()
        np.testing.assert_allclose(found, POSITIONAL[name](x.numpy(), shape, pool), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["hwd", "adown"])
def test_training_normalises_by_the_batch_and_refuses_a_single_value(name: str):
    pool = make(name, TWO, dtype=torch.float64).train()
    y = pool(distinct(4, 2, 8, 8))
    assert y.shape == (4, 2, 4, 4)
    assert any(buffer.abs().sum() > 0 for name, buffer in pool.named_buffers() if name.endswith("running_mean"))
    with pytest.raises(ValueError, match=r"more than one value per channel, found \(1, \d, 1, 1\)"):
        pool(distinct(1, 2, 2, 2))
    assert pool.eval()(distinct(1, 2, 2, 2)).shape == (1, 2, 1, 1)


def test_hwd_has_the_bands_of_the_discrete_wavelet_transform():
    """apple1986/HWD takes them from pytorch_wavelets, orthonormal; the four bands have the map's energy."""
    x = distinct(1, 1, 4, 4)
    pool = create_pool("hwd", kernel_size=2, channels=1).double().eval()
    values = x[0, 0].view(2, 2, 2, 2).permute(0, 2, 1, 3)  # window, place in the window
    a, b, c, d = values.flatten(2).unbind(2)
    bands = (a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2
    assert sum(band.square().sum() for band in bands).item() == pytest.approx(x.square().sum().item())
    found = []
    for number in range(4):
        with torch.no_grad():
            pool.projection.weight.copy_(torch.eye(4).double()[number].view(1, 4, 1, 1))
            pool.projection.bias.fill_(100.0)  # above the ReLU
        found.append((pool(x)[0, 0] * (1 + pool.norm.eps) ** 0.5 - 100).detach())
    for band, expected in zip(found, bands, strict=True):
        torch.testing.assert_close(band, expected)


def adown_of_yolo(pool: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """ADown of WongKinYiu/yolov9 (models/common.py), with these layers."""
    means = F.avg_pool2d(x, 2, 1, 0, False, True)
    first, second = means.chunk(2, 1)
    filtered = F.conv2d(first, pool.conv.weight, None, 2, 1)
    largest = F.conv2d(F.max_pool2d(second, 3, 2, 1), pool.projection.weight)
    return torch.cat([F.silu(pool.norm(filtered)), F.silu(pool.projection_norm(largest))], 1)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (2, 5)])
@pytest.mark.parametrize("training", [False, True])
def test_adown_is_that_of_yolov9(size: tuple[int, int], training: bool):
    pool = moved(create_pool("adown", kernel_size=2, channels=6).double()).train(training)
    x = distinct(3, 6, *size)
    torch.testing.assert_close(pool(x), adown_of_yolo(pool, x))


def test_adown_of_one_place_of_an_odd_number_of_channels_and_of_one():
    pool = create_pool("adown", kernel_size=1, channels=3).double().eval()  # halves of 2 and 1
    assert pool(distinct(2, 3, 1, 1)).shape == (2, 3, 1, 1)
    pool = create_pool("adown", kernel_size=2, channels=1).double().eval()
    x = distinct(2, 1, 6, 6)
    expected = F.silu(pool.norm(F.conv2d(F.avg_pool2d(x, 2, 1), pool.conv.weight, None, 2, 1)))
    torch.testing.assert_close(pool(x), expected)


def test_a_lifting_scheme_can_be_undone_step_by_step():
    pool = moved(make("lift_down", TWO, dtype=torch.float64))
    x = distinct(2, 2, 6, 8)
    even, odd = x[..., ::2], x[..., 1::2]
    detail = odd - pool.predict[1](even)
    low = even + pool.update[1](detail)
    back = low - pool.update[1](detail)
    torch.testing.assert_close(torch.stack([back, detail + pool.predict[1](back)], -1).flatten(3), x)
    losses = pool.band_losses(x)
    assert losses[0].item() == pytest.approx(detail.square().mean().item())
    assert losses[1].item() == pytest.approx((low - (even + odd) / 2).square().mean().item())


def test_the_port_of_liftdownpool_is_no_lifting():
    """It updates by the odd values and has one network for both axes: another function, which we do not take."""
    pool = moved(make("lift_down", TWO, dtype=torch.float64))
    x = distinct(1, 2, 4, 4)
    even, odd = x[..., ::2], x[..., 1::2]
    low = even + pool.update[1](odd)
    assert not torch.allclose(low, even + pool.update[1](odd - pool.predict[1](even)))


def test_a_filter_without_a_middle_is_told():
    with pytest.raises(ValueError, match="filter_size must be odd, found 4"):
        create_pool("lift_down", kernel_size=2, channels=2, filter_size=4)


def test_gaussian_pooling_without_a_weight_is_average_pooling_and_its_deviation_is_precise():
    """tk1980/GaussianPooling takes the mean square less the squared mean, which cancels in float32."""
    pool = create_pool("gaussian", kernel_size=2, channels=1).eval()
    with torch.no_grad():
        pool.location[1].bias.fill_(-50.0)
    x = torch.tensor([[[[10000.0, 10001.0], [10003.0, 10002.0]]]])
    assert pool(x).item() == 10001.5
    with torch.no_grad():
        pool.location[1].bias.fill_(50.0)
        pool.location[1].weight.fill_(0.0)
    assert pool(x).item() == pytest.approx(10001.5 + 50 * 1.25**0.5, rel=1e-6)
    theirs = (F.avg_pool2d(x**2, 2) - F.avg_pool2d(x, 2) ** 2).item()
    assert abs(theirs - 1.25) > 0.5


def test_gaussian_noise_has_the_learned_size_and_none_with_noise_0():
    pool = create_pool("gaussian", kernel_size=2, channels=1).double()
    with torch.no_grad():
        for layers, bias in ((pool.location, 30.0), (pool.scale, 0.0)):
            layers[1].weight.fill_(0.0)
            layers[1].bias.fill_(bias)
    x = torch.tensor([[1.0, 2.0], [4.0, 3.0]]).double().expand(20000, 1, 2, 2)
    torch.manual_seed(0)
    weights = (pool.train()(x) - 2.5) / 1.25**0.5
    assert weights.mean().item() == pytest.approx(30.0, abs=0.02)  # 0.5 / sqrt(20000) is 0.0035
    assert weights.std().item() == pytest.approx(0.5, abs=0.02)
    quiet = create_pool("gaussian", kernel_size=2, channels=1, noise=0).double().train()
    state = torch.get_rng_state()
    quiet(x[:4])
    assert torch.equal(state, torch.get_rng_state())
