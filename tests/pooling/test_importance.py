"""Local importance and universal pooling: what they contain, where they start, what other code got wrong."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from poolab.backbones import create_backbone
from poolab.pooling import Windows, create_pool
from poolab.pooling import functional as P
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.window.lip import lip
from tests.pooling.support import CHANNELS, distinct, few
from tests.pooling.test_identities import cases, mean


def weighted(x: Tensor, logits: Tensor, geometry: dict) -> Tensor:
    return lip(Windows(x, Geometry.of("lip", **geometry)), logits)


@given(cases(), st.floats(-30, 30))
@few(30)
def test_equal_logits_are_the_mean_without_the_padding(case: tuple[Tensor, dict], level: float):
    x, geometry = case
    assert_close(weighted(x, torch.full_like(x, level), geometry), mean(x, geometry))


@given(cases())
@few(30)
def test_the_map_as_its_own_logits_is_softpool_and_a_steep_one_the_maximum(case: tuple[Tensor, dict]):
    x, geometry = case
    assert_close(weighted(x, x, geometry), P.softpool_pool2d(x, **geometry))
    assert_close(weighted(x, x / 0.05, geometry), P.softpool_pool2d(x, **geometry, temperature=0.05))
    assert_close(weighted(x, 1e6 * x, geometry), P.max_pool2d(x, **geometry), rtol=0, atol=1e-3)


@given(cases(), st.sampled_from(["simplified", "bottleneck"]))
@few(20)
def test_lip_starts_as_average_pooling(case: tuple[Tensor, dict], logit: str):
    x, geometry = case
    pool = create_pool("lip", channels=CHANNELS, logit=logit, **geometry).double()
    assert_close(pool(x), mean(x, geometry))
    pool.reset_parameters()
    for layer in pool.logits:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    assert_close(pool(x), mean(x, geometry))


@pytest.mark.parametrize("logit", ["simplified", "bottleneck"])
def test_lip_in_a_backbone_starts_as_average_pooling_from_streams_of_its_own(logit: str):
    def network(seed: int, **pooling) -> nn.Module:
        return create_backbone("keras_cnn", in_channels=1, num_classes=10, image_size=32, seed=seed, pooling=pooling)

    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    arm, average = network(3, name="lip", logit=logit), network(3, name="avg")
    assert_close(arm(x), average(x))
    state, again, other = (network(seed, name="lip", logit=logit).state_dict() for seed in (3, 3, 4))
    drawn = [name for name in state if "logits.conv" in name]
    assert drawn
    assert all(torch.equal(state[name], again[name]) and not torch.equal(state[name], other[name]) for name in drawn)
    optimizer = torch.optim.SGD(arm.parameters(), lr=0.5)
    for _ in range(2):  # the first step opens the norm, the second reaches the convolutions
        optimizer.zero_grad()
        arm(x).square().sum().backward()
        optimizer.step()
    moved = arm.state_dict()
    assert all(not torch.equal(moved[name], state[name]) for name in drawn)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("logit", ["simplified", "bottleneck"])
def test_a_map_of_one_element_is_itself(training: bool, batch: int, logit: str):
    """torch's instance norm raises on a map of one element in training."""
    x = distinct(batch, CHANNELS, 1, 1, dtype=torch.float32).requires_grad_()
    pool = create_pool("lip", channels=CHANNELS, kernel_size=1, logit=logit).train(training)
    nn.init.constant_(pool.logits.norm.weight, 1.0)
    y = pool(x)
    assert_close(y, x)
    gradients = torch.autograd.grad(y.sum(), [x, *pool.parameters()])
    assert_close(gradients[0], torch.ones_like(x))
    assert all(gradient.isfinite().all() for gradient in gradients)
    pool = create_pool("lip", channels=CHANNELS, kernel_size=3, stride=2, padding=1, logit=logit).train(training)
    assert_close(pool(x), x)


def test_padding_decides_the_size():
    """sebgao/LIP's CUDA operator ignores its padding: 7 // 2 = 3 rows for a 3x3/2 pooling of 7 rows with padding 1."""
    pool = create_pool("lip", channels=1, kernel_size=3, stride=2, padding=1)
    x = distinct(1, 1, 7, 7, dtype=torch.float32)
    assert pool(x).shape == (1, 1, 4, 4)
    assert_close(pool(x), F.avg_pool2d(x, 3, 2, 1, count_include_pad=False))
    assert create_pool("lip", channels=1, kernel_size=(3, 1), stride=(2, 1))(x).shape == (1, 1, 3, 7)


def test_the_steepest_logits_are_finite_in_float16():
    """sebgao/LIP takes the exponential in the input's dtype: exp(12) is infinite in float16, and inf / inf is NaN."""
    assert torch.tensor(12.0, dtype=torch.float16).exp().isinf()
    x = distinct(1, 1, 4, 4, dtype=torch.float16)
    pool = create_pool("lip", channels=1, kernel_size=2).half()
    nn.init.constant_(pool.logits.norm.bias, 30.0)
    y = pool(x)
    assert y.dtype == torch.float16
    assert_close(y.float(), F.avg_pool2d(x.float(), 2), rtol=1e-3, atol=1e-3)


def test_one_tap_counts_at_most_as_exp_12_allows():
    x = torch.zeros(1, 1, 2, 2)
    x[..., 1, 1] = 1.0
    logits = torch.tensor([[0.0, 0.0], [0.0, 12.0]]).view(1, 1, 2, 2)
    expected = torch.tensor(12.0).exp() / (3 + torch.tensor(12.0).exp())
    assert_close(weighted(x, logits, {"kernel_size": 2}).flatten(), expected.view(1))


# -- universal


@given(cases())
@few(30)
def test_universal_contains_the_mean_softpool_and_the_maximum(case: tuple[Tensor, dict]):
    x, geometry = case
    pool = create_pool("universal", channels=CHANNELS, **geometry).double()
    assert_close(pool(x), mean(x, geometry))
    n = pool.geometry.taps
    for t in (0.5, 20.0):
        with torch.no_grad():
            pool.weight.copy_((t * torch.eye(n)).view(1, n, *pool.kernel_size).expand_as(pool.weight))
        assert_close(pool(x), P.softpool_pool2d(x, **geometry, temperature=1 / t))
    with torch.no_grad():
        pool.weight.mul_(1e5)
    assert_close(pool(x), P.max_pool2d(x, **geometry), rtol=0, atol=1e-5)


@pytest.mark.parametrize("stride", [2, 3])
def test_universal_contains_stride_pooling(stride: int):
    x, pool = distinct(1, CHANNELS, 6, 6), create_pool("universal", channels=CHANNELS, kernel_size=stride).double()
    nn.init.constant_(pool.bias[:, 0], 1e3)
    assert_close(pool(x), P.subsample_pool2d(x, stride))
    assert_close(pool(x), x[..., ::stride, ::stride])


def test_universal_has_the_size_that_it_says_for_maps_of_any_size():
    """tsai's layer after the same paper is made for one length."""
    pool = create_pool("universal", channels=5, kernel_size=(2, 3), stride=1)
    assert sum(p.numel() for p in pool.parameters()) == 5 * 6 * 7
    for size in ((6, 6), (2, 3), (9, 4)):
        assert pool(torch.zeros(1, 5, *size)).shape == (1, 5, size[0] - 1, size[1] - 2)


def test_an_infinite_tap_without_a_weight_takes_no_part():
    pool = create_pool("universal", channels=1, kernel_size=2)
    for sign, expected in ((1.0, torch.inf), (-1.0, 2.0)):
        with torch.no_grad():
            pool.weight.copy_((sign * torch.eye(4)).view(1, 4, 2, 2))
        y = pool(torch.tensor([[[2.0, torch.inf], [2.0, 2.0]]]))
        assert y.item() == expected
